//! The addresses at which a peer may reach a socket of this machine.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
};

/// The addresses at which a peer may reach a socket bound to `bound`.
///
/// A wildcard address stands for those of all interfaces, IPv4 first: neither loopback nor link-local ones, as a
/// peer elsewhere cannot use them; loopback only where the machine has nothing else.
///
/// # Errors
/// The interfaces could not be listed.
pub fn candidate_addresses(bound: IpAddr) -> io::Result<Vec<IpAddr>> {
    if !bound.is_unspecified() {
        return Ok(vec![bound]);
    }
    let all = if_addrs::get_if_addrs()?.into_iter().map(|interface| interface.ip()).collect();
    Ok(reachable(bound, all))
}

fn reachable(bound: IpAddr, all: Vec<IpAddr>) -> Vec<IpAddr> {
    let both_families = bound == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let of_family = |ip: &IpAddr| both_families || ip.is_ipv4();
    let mut addresses: Vec<IpAddr> = all.into_iter().filter(of_family).filter(|ip| !is_link_local(*ip)).collect();
    addresses.sort_by_key(|ip| ip.is_ipv6());
    addresses.dedup();
    if addresses.iter().any(|ip| !ip.is_loopback()) {
        addresses.retain(|ip| !ip.is_loopback());
    }
    addresses
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bound: &str, all: &[&str], expected: &[&str]) {
        let all = all.iter().map(|ip| ip.parse().unwrap()).collect();
        let expected: Vec<IpAddr> = expected.iter().map(|ip| ip.parse().unwrap()).collect();
        assert_eq!(reachable(bound.parse().unwrap(), all), expected);
    }

    #[test]
    fn a_wildcard_stands_for_what_others_can_reach() {
        let all = ["127.0.0.1", "::1", "fe80::1", "2001:db8::5", "169.254.3.4", "192.0.2.7"];
        check("0.0.0.0", &all, &["192.0.2.7"]);
        check("::", &all, &["192.0.2.7", "2001:db8::5"]);
        check("0.0.0.0", &["127.0.0.1", "::1"], &["127.0.0.1"]);
        check("::", &["127.0.0.1", "::1"], &["127.0.0.1", "::1"]);
    }

    #[test]
    fn a_bound_address_stands_for_itself() {
        let ip: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(candidate_addresses(ip).unwrap(), [ip]);
    }
}
