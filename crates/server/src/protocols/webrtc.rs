//! WebRTC media and its signalling by WHEP.

use std::net::{IpAddr, SocketAddr};

use super::{Context, Protocol};
use crate::{
    config::{Complaint, Listener, Section, Transport, section::section},
    error::StartError,
};

section! {
    /// WebRTC: what browsers play, signalled by WHEP on the ports of the web server.
    pub(crate) struct WebRtcSection, "webrtc" {
        /// Whether WebRTC is served.
        enabled: bool = true;
        /// The address for WebRTC media, if it differs from [listen].
        address: Option<IpAddr> = None;
        /// The UDP port for media, and the same TCP port for viewers behind firewalls; each further shard takes the next one.
        port: u16 = 8189;
        /// How many threads carry media, each with its own port; 0 takes one per processor core.
        shards: usize = 1, in 0..=256;
        /// The addresses under which viewers reach this machine, where they differ from its own, as behind NAT or in a container.
        public_addresses: Vec<IpAddr> = Vec::new();
        /// Whether media is also offered over TCP.
        tcp: bool = true;
    }
}

/// The `webrtc` and `signalling` crates in the server.
#[derive(Default)]
pub(super) struct WebRtc {
    webrtc: WebRtcSection,
}

impl WebRtc {
    fn shards(&self) -> usize {
        match self.webrtc.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            shards => shards,
        }
    }

    fn listener(&self, address: IpAddr, port: u16, transport: Transport) -> Listener {
        Listener {
            what: if transport == Transport::Udp {
                "WebRTC"
            } else {
                "WebRTC over TCP"
            },
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
        let first = self.webrtc.port;
        let ports = (0..self.shards()).map(|shard| match first {
            0 => 0,
            first => first.saturating_add(u16::try_from(shard).unwrap_or(u16::MAX)),
        });
        ports
            .flat_map(|port| {
                let tcp = self
                    .webrtc
                    .tcp
                    .then(|| self.listener(address, port, Transport::Tcp));
                [Some(self.listener(address, port, Transport::Udp)), tcp]
            })
            .flatten()
            .collect()
    }

    fn complaints(&self) -> Vec<Complaint> {
        let last = usize::from(self.webrtc.port) + self.shards() - 1;
        if self.webrtc.port == 0 || last <= usize::from(u16::MAX) {
            return Vec::new();
        }
        vec![Complaint {
            section: "webrtc",
            key: "port",
            message: format!(
                "leaves no ports for {} shards, the last would take {last}",
                self.shards()
            ),
            remedy: "Write a lower port or fewer shards.".into(),
        }]
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        let _ = context;
        Ok(())
    }
}
