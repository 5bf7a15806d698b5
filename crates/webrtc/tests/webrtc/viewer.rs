//! A full WebRTC client, with str0m as its stack and a socket of its own.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use headwater_graph::{Hub, Peer};
use headwater_net::Quota;
use headwater_webrtc::{Accepted, Config, Offer, ViewError, WebRtc};
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    media::{Direction, MediaKind, Mid},
    net::{Protocol, Receive, TcpType},
    rtp::RtpPacket,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use crate::publisher::name;

pub(crate) fn server() -> WebRtc {
    let config = Config { port: 0, shards: 1, ..Config::default() };
    WebRtc::start(&config, &Quota::connections()).unwrap()
}

/// Which media datagrams the network loses.
type Loss = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// How the client reaches the server.
enum Link {
    Udp(UdpSocket),
    Tcp { stream: TcpStream, bytes: Vec<u8> },
}

pub(crate) struct Viewer {
    rtc: Rtc,
    link: Link,
    local: SocketAddr,
    remote: SocketAddr,
    pub(crate) video: Mid,
    pub(crate) accepted: Option<Accepted>,
    pub(crate) packets: Vec<RtpPacket>,
    pub(crate) connected: Option<Instant>,
    pub(crate) closed: bool,
    /// Whether a check of its path was answered.
    pub(crate) is_answered: bool,
    restart: Option<SdpPendingOffer>,
    /// Which media datagrams from the server are lost.
    pub(crate) loses: Loss,
    /// Which datagrams to the server are held back.
    pub(crate) holds: Loss,
}

impl Viewer {
    /// A client with an offer for sound and picture.
    pub(crate) async fn new(tcp: Option<SocketAddr>) -> (Viewer, String, SdpPendingOffer) {
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(Instant::now());
        let (link, local, candidate) = match tcp {
            None => {
                let socket = socket().await;
                let local = socket.local_addr().unwrap();
                (Link::Udp(socket), local, Candidate::host(local, "udp").unwrap())
            }
            Some(server) => {
                let stream = TcpStream::connect(server).await.unwrap();
                let local = stream.local_addr().unwrap();
                let builder = Candidate::builder().tcp().host(local);
                let candidate = builder.tcptype(TcpType::Active).build().unwrap();
                (Link::Tcp { stream, bytes: Vec::new() }, local, candidate)
            }
        };
        rtc.add_local_candidate(candidate);
        let mut api = rtc.sdp_api();
        api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let video = api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = api.apply().unwrap();
        let viewer = Viewer {
            rtc,
            link,
            local,
            remote: local,
            video,
            accepted: None,
            packets: Vec::new(),
            connected: None,
            closed: false,
            is_answered: false,
            restart: None,
            loses: Box::new(|_| false),
            holds: Box::new(|_| false),
        };
        (viewer, offer.to_sdp_string(), pending)
    }

    /// A client that has exchanged offer and answer, over UDP.
    pub(crate) async fn join(hub: &Hub, server: &WebRtc) -> Viewer {
        Viewer::try_join(hub, server, false).await.unwrap()
    }

    pub(crate) async fn try_join(hub: &Hub, server: &WebRtc, tcp: bool) -> Result<Viewer, ViewError> {
        Viewer::join_saying(hub, server, tcp, |offer| offer).await
    }

    /// The same with an offer that says something else.
    pub(crate) async fn join_saying(
        hub: &Hub,
        server: &WebRtc,
        tcp: bool,
        say: impl FnOnce(String) -> String,
    ) -> Result<Viewer, ViewError> {
        let address = server.address();
        let (mut viewer, offer, pending) = Viewer::new(tcp.then_some(address)).await;
        viewer.remote = address;
        let peer = Peer::new("WebRTC", "viewer");
        let subscription = hub.subscribe(&name(), peer).await.unwrap();
        let offer = Offer::parse(&say(offer))?;
        let accepted = server.view(offer, subscription, "127.0.0.1".parse().unwrap()).await?;
        let kept = accepted.sdp.lines().filter(|line| !tcp || !line.contains(" udp "));
        let answer: String = kept.map(|line| format!("{line}\r\n")).collect();
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        viewer.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        viewer.accepted = Some(accepted);
        Ok(viewer)
    }

    /// Runs until `done` says so; fails after five seconds.
    pub(crate) async fn run_until(&mut self, what: &str, done: impl Fn(&Viewer) -> bool) {
        let limit = Instant::now() + Duration::from_secs(5);
        while !done(self) {
            assert!(Instant::now() < limit, "not within five seconds: {what}");
            self.step(Instant::now() + Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn run_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step(end.min(Instant::now() + Duration::from_millis(20))).await;
        }
    }

    async fn step(&mut self, until: Instant) {
        let timeout = self.drain().await;
        let wait = timeout.min(until).saturating_duration_since(Instant::now());
        if let Ok(Some(datagram)) = tokio::time::timeout(wait, self.link.receive()).await {
            let is_media = datagram.first().is_some_and(|first| first & 0xc0 == 0x80);
            self.is_answered |= datagram.first() == Some(&1);
            if !is_media || !(self.loses)(&datagram) {
                let protocol = self.link.protocol();
                let received = Receive::new(protocol, self.remote, self.local, &datagram).unwrap();
                self.rtc.handle_input(Input::Receive(Instant::now(), received)).unwrap();
            }
        } else {
            self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        }
    }

    async fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    if !(self.holds)(&transmit.contents) {
                        self.link.send(transmit.destination, &transmit.contents).await;
                    }
                }
                Output::Event(Event::Connected) => self.connected = Some(Instant::now()),
                Output::Event(Event::Closed) => self.closed = true,
                Output::Event(Event::RtpPacket(packet)) => self.packets.push(packet),
                Output::Event(_) => {}
            }
        }
    }

    /// Asks for a key frame, as a decoder does that has lost its way.
    pub(crate) fn request_key_frame(&mut self) {
        let mid = self.video;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx_by_mid(mid, None).unwrap();
        stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    }

    /// Sends any bytes from the viewer's own address.
    pub(crate) async fn send_raw(&mut self, datagram: &[u8]) {
        self.link.send(self.remote, datagram).await;
    }

    /// Whether anything comes within a moment.
    pub(crate) async fn hears_anything(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(100), self.link.receive()).await.is_ok()
    }

    /// Closes the session from this side.
    pub(crate) async fn leave(&mut self) {
        self.rtc.close().unwrap();
        self.drain().await;
    }

    /// Moves to another socket and begins ICE anew; yields the fragment to send.
    pub(crate) async fn move_to_another_address(&mut self) -> String {
        let socket = socket().await;
        self.local = socket.local_addr().unwrap();
        self.link = Link::Udp(socket);
        let mut api = self.rtc.sdp_api();
        api.ice_restart(false);
        let (offer, pending) = api.apply().unwrap();
        self.restart = Some(pending);
        let text = offer.to_sdp_string();
        let kept = text.lines().filter(|line| line.starts_with("a=ice-ufrag") || line.starts_with("a=ice-pwd"));
        kept.take(2).map(|line| format!("{line}\r\n")).collect()
    }

    /// Takes the fragment that answers the restart, as if the whole answer had come with it.
    pub(crate) fn take_restart(&mut self, fragment: &str) {
        let value = |name: &str| fragment.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let (user, password) = (value("a=ice-ufrag"), value("a=ice-pwd"));
        let answer = self.accepted.as_ref().unwrap().sdp.clone();
        let changed = answer.lines().map(|line| match line {
            line if line.starts_with("a=ice-ufrag") => format!("{user}\r\n"),
            line if line.starts_with("a=ice-pwd") => format!("{password}\r\n"),
            line => format!("{line}\r\n"),
        });
        let answer = SdpAnswer::from_sdp_string(&changed.collect::<String>()).unwrap();
        let pending = self.restart.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.rtc.add_local_candidate(Candidate::host(self.local, "udp").unwrap());
    }

    /// The packets received of one medium, in order of arrival.
    pub(crate) fn of(&self, video: bool) -> impl Iterator<Item = &RtpPacket> {
        let size = if video { 200.. } else { 0.. };
        self.packets
            .iter()
            .filter(move |packet| size.contains(&packet.payload.len()) && (video || packet.payload.len() < 200))
    }
}

/// A socket that loses nothing while a busy machine lets its owner wait.
async fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
    socket
}

/// The number of the frame that a packet belongs to.
pub(crate) fn frame(packet: &RtpPacket) -> i64 {
    i64::from_be_bytes(packet.payload[..8].try_into().unwrap())
}

impl Link {
    fn protocol(&self) -> Protocol {
        match self {
            Link::Udp(_) => Protocol::Udp,
            Link::Tcp { .. } => Protocol::Tcp,
        }
    }

    async fn receive(&mut self) -> Option<Vec<u8>> {
        match self {
            Link::Udp(socket) => {
                let mut buffer = vec![0; 2_000];
                let (size, _) = socket.recv_from(&mut buffer).await.ok()?;
                buffer.truncate(size);
                Some(buffer)
            }
            Link::Tcp { stream, bytes } => loop {
                if let Some((length, rest)) = bytes.split_first_chunk::<2>() {
                    let length = usize::from(u16::from_be_bytes(*length));
                    if rest.len() >= length {
                        let datagram = rest[..length].to_vec();
                        bytes.drain(..length + 2);
                        return Some(datagram);
                    }
                }
                let mut buffer = [0; 4_096];
                let size = stream.read(&mut buffer).await.ok().filter(|size| *size > 0);
                match size {
                    Some(size) => bytes.extend_from_slice(&buffer[..size]),
                    None => std::future::pending().await,
                }
            },
        }
    }

    async fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        match self {
            Link::Udp(socket) => {
                socket.send_to(datagram, to).await.unwrap();
            }
            Link::Tcp { stream, .. } => {
                let mut framed = (datagram.len() as u16).to_be_bytes().to_vec();
                framed.extend_from_slice(datagram);
                let _ = stream.write_all(&framed).await;
            }
        }
    }
}
