//! The sockets of a shard, and the addresses that peers are told of them.

use std::net::{IpAddr, SocketAddr};

use headwater_net::{Listener, Quota, UdpSender, UdpSocket};

use crate::{error::StartError, sdp::Candidates};

/// The port that all shards have in common.
#[derive(Debug)]
pub(crate) enum Port {
    /// The first shard binds it, reads it for all, and binds sockets for so many others.
    Bind(SocketAddr, usize),
    /// The others send from it.
    Share(UdpSender, SocketAddr),
}

/// The sockets of a shard, made on its own thread.
pub(super) struct Sockets {
    pub(super) udp: UdpSocket,
    /// For the other shards.
    pub(super) senders: Vec<UdpSender>,
    pub(super) tcp: Option<Listener>,
    pub(super) local: SocketAddr,
    pub(super) is_reader: bool,
}

/// Times that another port is tried where the system chooses it and TCP cannot have the same as UDP.
const PORT_TRIES: usize = 16;

impl Sockets {
    pub(super) fn make(port: Port, tcp: bool, connections: &Quota) -> Result<Sockets, StartError> {
        let (bind, others) = match port {
            Port::Bind(address, others) => (address, others),
            Port::Share(sender, local) => {
                let udp = sender.start().map_err(StartError::Shard)?;
                return Ok(Sockets { udp, senders: Vec::new(), tcp: None, local, is_reader: false });
            }
        };
        let mut tries = if bind.port() == 0 { PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            match Sockets::try_bind(bind, others, tcp, connections) {
                Err(StartError::Bind { carrier: "TCP", .. }) if tries > 0 => {}
                other => return other,
            }
        }
    }

    fn try_bind(bind: SocketAddr, others: usize, tcp: bool, connections: &Quota) -> Result<Sockets, StartError> {
        let failed = |carrier, address| move |source| StartError::Bind { address, carrier, source };
        let (udp, senders) = UdpSocket::bind_with_senders(bind, others).map_err(failed("UDP", bind))?;
        let local = udp.local_address().map_err(failed("UDP", bind))?;
        let tcp = match tcp {
            true => Some(Listener::bind(local, connections).map_err(failed("TCP", local))?),
            false => None,
        };
        Ok(Sockets { udp, senders, tcp, local, is_reader: true })
    }

    pub(super) fn candidates(local: SocketAddr, tcp: bool, public_addresses: &[IpAddr]) -> Candidates {
        let own = headwater_net::candidate_addresses(local.ip()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the addresses of this machine could not be listed");
            Vec::new()
        });
        let mut ips = public_addresses.to_vec();
        ips.extend(own);
        let mut seen = Vec::new();
        ips.retain(|ip| {
            !seen.contains(ip) && {
                seen.push(*ip);
                true
            }
        });
        let all: Vec<SocketAddr> = ips.iter().map(|ip| SocketAddr::new(*ip, local.port())).collect();
        Candidates { tcp: if tcp { all.clone() } else { Vec::new() }, udp: all }
    }
}
