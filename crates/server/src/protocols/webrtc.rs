//! WebRTC media and its signalling by WHEP.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::http::Extensions;
use headwater_control::{Metric, Record, RecordTimes, Source};
use headwater_signalling::{Entrance, Whep, Whip, is_whep, is_whip};
use headwater_webrtc::{Config, PublishOptions, ShardStatistics};

use super::{Context, Listening, Protocol};
use crate::{
    config::{Complaint, Listener, Section, Transport, section::section},
    error::StartError,
    reload::Switch,
};

section! {
    /// WebRTC: what browsers play and publish, signalled by WHEP and WHIP on the ports of the web server.
    pub(crate) struct WebRtcSection, "webrtc" {
        /// Whether WebRTC is served.
        enabled: bool = true;
        /// The address for WebRTC media, if it differs from [listen].
        address: Option<IpAddr> = None;
        /// The UDP port for media, and the same TCP port for viewers behind firewalls.
        port: u16 = 8189;
        /// How many threads carry media, all by the same port; 0 takes one per processor core.
        shards: usize = 0, in 0..=256;
        /// By how many levels of niceness the threads that carry media go before others, on Linux and for users who may (root, `LimitNICE=` of systemd, CAP_SYS_NICE); 0 leaves them as they are.
        precedence: u64 = 10, in 0..=20;
        /// The addresses under which viewers reach this machine, where they differ from its own, as behind NAT or in a container.
        public_addresses: Vec<IpAddr> = Vec::new();
        /// Whether media is also offered over TCP.
        tcp: bool = true;
        /// Milliseconds that a publisher's packet waits at most for the rest of its picture, so that viewers are sent all of it in few calls; 0 forwards each packet as it comes.
        coalescing_window_ms: u64 = 2, in 0..=20;
        /// STUN and TURN servers that viewers are told of, such as "stun:stun.example.org"; this server itself needs none.
        ice_servers: Vec<String> = Vec::new();
        /// The bitrate in bits per second that publishers are asked not to exceed with their picture; 0 sets none.
        @live publish_bitrate_max: u64 = 0, in 0..=1_000_000_000;
        /// The bitrate in bits per second that publishers are asked not to go below with their picture; 0 sets none.
        @live publish_bitrate_min: u64 = 0, in 0..=1_000_000_000;
        /// Whether publishers by WHIP may send pictures as their camera sees them and say how they are to be turned. Viewers over WebRTC turn them; those of all other protocols do not. `false` has publishers turn their pictures themselves. Clients of the session protocol ask for it themselves.
        @live publish_orientation: bool = false;
    }
}

/// The `webrtc` and `signalling` crates in the server.
#[derive(Default)]
pub(super) struct WebRtc {
    webrtc: WebRtcSection,
}

impl WebRtc {
    fn publish_options(&self) -> PublishOptions {
        let chosen = |bits: u64| (bits > 0).then_some(bits);
        PublishOptions {
            min_bitrate: chosen(self.webrtc.publish_bitrate_min),
            max_bitrate: chosen(self.webrtc.publish_bitrate_max),
            strip_orientation: !self.webrtc.publish_orientation,
            ..PublishOptions::default()
        }
    }

    fn listener(&self, address: IpAddr, port: u16, transport: Transport) -> Listener {
        Listener {
            what: if transport == Transport::Udp { "WebRTC" } else { "WebRTC over TCP" },
            address: SocketAddr::new(self.webrtc.address.unwrap_or(address), port),
            transport,
            section: "webrtc",
            key: "port",
        }
    }
}

impl Protocol for WebRtc {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.webrtc]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.webrtc]
    }

    fn listeners(&self, address: IpAddr) -> Vec<Listener> {
        if !self.webrtc.enabled {
            return Vec::new();
        }
        let port = self.webrtc.port;
        let tcp = self.webrtc.tcp.then(|| self.listener(address, port, Transport::Tcp));
        [Some(self.listener(address, port, Transport::Udp)), tcp].into_iter().flatten().collect()
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let (min, max) = (self.webrtc.publish_bitrate_min, self.webrtc.publish_bitrate_max);
        if max > 0 && min > max {
            complaints.push(Complaint {
                section: "webrtc",
                key: "publish_bitrate_min",
                message: format!("is {min}, which is more than publish_bitrate_max, {max}"),
                remedy: "Write a lower one, or 0 for none.".into(),
            });
        }
        complaints
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        if !self.webrtc.enabled {
            return Ok(());
        }
        let config = Config {
            listen: self.webrtc.address.unwrap_or(context.address),
            port: self.webrtc.port,
            shards: self.webrtc.shards,
            precedence: u8::try_from(self.webrtc.precedence).unwrap_or(u8::MAX),
            public_addresses: self.webrtc.public_addresses.clone(),
            tcp: self.webrtc.tcp,
            coalescing_window: Duration::from_millis(self.webrtc.coalescing_window_ms),
        };
        let shards =
            headwater_webrtc::WebRtc::start(&config, &context.quota).map_err(|error| self.failed(error, context))?;
        context.listening.push(Listening { what: "WebRTC", address: shards.address() });
        context.add_source(Arc::new(WebRtcSource(shards.clone())));
        let entrance = Entrance::new(context.gates.clone());
        let whep = Whep::new(context.hub.clone(), shards.clone(), &self.webrtc.ice_servers);
        context.routes.add(is_whep, whep.with_entrance(entrance.clone()).into_router());
        let whip = Whip::new(context.hub.clone(), shards.clone(), self.publish_options(), &self.webrtc.ice_servers);
        let whip = whip.with_entrance(entrance.clone());
        context.routes.add(is_whip, whip.clone().into_router());
        context.offered.insert(whip);
        context.offered.insert(entrance);
        context.offered.insert(shards.clone());
        context.at_stop.push(Box::pin(async move { shards.stop().await }));
        Ok(())
    }

    fn switch(&self, running: &Extensions) -> Option<Switch> {
        let (whip, options) = (running.get::<Whip>()?.clone(), self.publish_options());
        Some(Box::new(move || whip.ask_for(options)))
    }
}

impl WebRtc {
    fn failed(&self, error: headwater_webrtc::StartError, context: &Context) -> StartError {
        let place = context.place("webrtc", "port");
        match error {
            headwater_webrtc::StartError::Bind { address, carrier, source } => {
                let transport = if carrier == "TCP" { Transport::Tcp } else { Transport::Udp };
                let listener = Listener { address, ..self.listener(address.ip(), address.port(), transport) };
                StartError::listen(&listener, place, source)
            }
            error => StartError::Protocol { what: "WebRTC", reason: error.to_string(), section: "webrtc", place },
        }
    }
}

/// What the shards count.
struct WebRtcSource(headwater_webrtc::WebRtc);

impl Source for WebRtcSource {
    fn metrics(&self) -> Vec<Metric> {
        let shards = FIGURES.into_iter().map(|(name, what, _)| {
            let metric = if name == "sessions" { Metric::gauge } else { Metric::counter };
            metric(format!("webrtc_{name}"), what).by("shard")
        });
        let pending = Metric::gauge("webrtc_pending_sessions", "Sessions whose peer has not connected yet.");
        let forwarding = Metric::histogram("forward_latency_seconds", FORWARDING);
        shards.chain([pending, forwarding.by("protocol")]).collect()
    }

    fn read_times(&self, record: &mut RecordTimes<'_>) {
        record("forward_latency_seconds", "WebRTC", &self.0.forwarding());
    }

    fn read(&self, record: &mut Record<'_>) {
        record("webrtc_pending_sessions", "", self.0.pending() as f64);
        for (shard, statistics) in self.0.statistics().iter().enumerate() {
            for (name, _, figure) in FIGURES {
                record(&format!("webrtc_{name}"), &shard.to_string(), figure(statistics) as f64);
            }
        }
    }
}

const FORWARDING: &str = "Time from the moment that new media may be read until every viewer of it in a shard was \
                          sent it: one for each frame, stream and shard.";

type Figure = (&'static str, &'static str, fn(&ShardStatistics) -> u64);

const FIGURES: [Figure; 16] = [
    ("sessions", "Sessions now, those that wait for their peer included.", |shard| shard.sessions),
    ("sessions_connected", "Sessions whose peer has connected.", |shard| shard.connected),
    ("packets", "Media packets sent.", |shard| shard.packets),
    ("packets_received", "Media packets received from publishers.", |shard| shard.packets_received),
    ("packets_again", "Media packets sent again because a viewer asked.", |shard| shard.packets_again),
    ("datagrams", "Datagrams sent.", |shard| shard.datagrams),
    ("bytes_sent", "Bytes sent, without the headers of UDP, TCP and IP.", |shard| shard.bytes),
    ("bursts", "System calls that sent datagrams over UDP.", |shard| shard.bursts),
    ("datagrams_dropped", "Datagrams not sent because a queue was full or the network refused them.", |shard| {
        shard.datagrams_dropped
    }),
    ("datagrams_received", "Datagrams received.", |shard| shard.datagrams_received),
    ("datagrams_ignored", "Datagrams received that belong to no session, or not to this address.", |shard| {
        shard.datagrams_ignored
    }),
    ("datagrams_lost", "Datagrams received and lost because the thread they were for is behind.", |shard| {
        shard.datagrams_lost
    }),
    ("key_frames_wanted", "Key frames that viewers asked for.", |shard| shard.key_frames_wanted),
    ("key_frames_requested", "Key frames that publishers were asked for.", |shard| shard.key_frames_requested),
    ("skips", "Times that a viewer was so far behind that it went on at the newest group.", |shard| shard.skips),
    ("bugs", "Sessions that failed by a fault of this program.", |shard| shard.bugs),
];
