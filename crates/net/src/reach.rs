//! Which addresses the server may connect to when somebody asks it to.
//!
//! Whoever may have the server fetch or send a stream could otherwise reach what only the server reaches: its own
//! loopback, the machines beside it, the metadata service of a cloud (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses the server may connect to: those of the public internet, and what the operator allows besides.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    hosts: Vec<String>,
    networks: Vec<Network>,
    /// Whether the public internet is out of reach.
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Reach {
    /// The public internet and these: host names, addresses, and networks such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// Gives back the entry that is none of these.
    pub fn new<'a>(allowed: impl IntoIterator<Item = &'a str>) -> Result<Reach, String> {
        let mut reach = Reach::default();
        for entry in allowed {
            match Network::parse(entry) {
                Some(network) => reach.networks.push(network),
                None if is_host(entry) => reach.hosts.push(entry.to_ascii_lowercase()),
                None => return Err(entry.to_owned()),
            }
        }
        Ok(reach)
    }

    /// These and nothing else, the public internet neither.
    ///
    /// # Errors
    /// Gives back the entry that is none of these.
    pub fn only<'a>(allowed: impl IntoIterator<Item = &'a str>) -> Result<Reach, String> {
        Ok(Reach { is_closed: true, ..Reach::new(allowed)? })
    }

    /// Whether a connection to this address, to which the host name was resolved, is allowed.
    pub fn includes(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        (!self.is_closed && is_public(address))
            || self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
            || self.networks.iter().any(|network| network.holds(address))
    }
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(whole), |bits| bits.parse().ok())?;
        (bits <= whole).then_some(Network { address, bits })
    }

    fn holds(self, address: IpAddr) -> bool {
        let same =
            |a: u128, b: u128, length: u32| (a ^ b).checked_shr(length - self.bits.min(length)).unwrap_or(0) == 0;
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

fn is_host(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !text.is_empty() && text.len() <= 253 && text.bytes().all(is_plain)
}

/// Whether an address belongs to the public internet. Source: IANA's registries of special-purpose addresses,
/// RFC 6890.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 127 | 240..=255, ..] => true,
        // Shared by carriers, RFC 6598; protocol assignments; relays of 6to4; benchmarks.
        [100, 64..=127, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => true,
        _ => address.is_private() || address.is_link_local() || address.is_documentation() || address.is_multicast(),
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // Those that carry an address of version 4: NAT64, 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        // Protocol assignments, Teredo among them; documentation.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &[&str] = &[
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
    ];
    const OUTSIDE: &[&str] =
        &["1.1.1.1", "100.63.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1111", "2002:101:101::", "64:ff9b::101:101"];

    #[test]
    fn only_the_public_internet_is_reached_unless_more_is_allowed() {
        let reach = Reach::default();
        for address in INSIDE {
            assert!(!reach.includes("a.example", address.parse().unwrap()), "{address}");
        }
        for address in OUTSIDE {
            assert!(reach.includes("a.example", address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn allowed_networks_and_hosts_are_reached_and_nothing_beside_them() {
        let reach = Reach::new(["10.0.0.0/8", "192.168.1.7", "fd00::/8", "Camera.lan", "0.0.0.0/32"]).unwrap();
        let cases = [
            ("a", "10.200.0.1", true),
            ("a", "11.0.0.1", true),
            ("a", "192.168.1.7", true),
            ("a", "192.168.1.8", false),
            ("a", "::ffff:10.0.0.1", true),
            ("a", "fd12::1", true),
            ("a", "fe80::1", false),
            ("camera.lan", "192.168.1.8", true),
            ("evil.camera.lan", "192.168.1.8", false),
            ("a", "127.0.0.1", false),
        ];
        for (host, address, included) in cases {
            assert_eq!(reach.includes(host, address.parse().unwrap()), included, "{host} {address}");
        }
        let all = Reach::new(["0.0.0.0/0", "::/0"]).unwrap();
        assert!(INSIDE.iter().all(|address| all.includes("a", address.parse().unwrap())));
    }

    #[test]
    fn a_closed_reach_holds_nothing_but_what_is_allowed() {
        let reach = Reach::only(["127.0.0.0/8", "server.example"]).unwrap();
        let cases = [
            ("a", "127.0.0.1", true),
            ("a", "1.1.1.1", false),
            ("a", "2606:4700::1111", false),
            ("a", "10.0.0.1", false),
            ("server.example", "1.1.1.1", true),
        ];
        for (host, address, included) in cases {
            assert_eq!(reach.includes(host, address.parse().unwrap()), included, "{host} {address}");
        }
        assert!(OUTSIDE.iter().all(|address| !Reach::only([]).unwrap().includes("a", address.parse().unwrap())));
    }

    #[test]
    fn what_is_no_host_and_no_network_is_named() {
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/x", "a b", "http://a", "*"] {
            assert_eq!(Reach::new(["ok.example", wrong]).unwrap_err(), wrong);
        }
    }
}
