//! What an operator may choose.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

/// Where and how WebRTC media is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The address to listen at. A wildcard serves all interfaces; that of IPv6 serves IPv4 as well.
    pub listen: IpAddr,
    /// The port of all shards, for UDP and for TCP. 0 lets the system choose.
    pub port: u16,
    /// The number of shards, each a thread; 0 is one for each core.
    pub shards: usize,
    /// Levels of niceness by which the shards' threads go before others, where the system lets them.
    pub precedence: u8,
    /// Addresses that viewers are told besides those of the interfaces: the outside of a one-to-one translator.
    pub public_addresses: Vec<IpAddr>,
    /// Whether viewers whose network lets no UDP through may connect by TCP (RFC 6544).
    pub tcp: bool,
    /// How long a publisher's packet waits at most for the rest of its picture, so that viewers are sent all of it at
    /// once. Zero forwards each packet as it comes.
    pub coalescing_window: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: Ipv4Addr::LOCALHOST.into(),
            port: 8189,
            shards: 0,
            precedence: 10,
            public_addresses: Vec::new(),
            tcp: true,
            coalescing_window: Duration::from_millis(2),
        }
    }
}
