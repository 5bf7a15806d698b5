//! Another server's answer to an offer of ours.

use std::net::{IpAddr, SocketAddr};

use super::offer::{Offer, OfferError};

/// Another server's answer, read and checked within the limits of an offer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// An answer says the same things as an offer, in the same words.
    pub(crate) description: Offer,
    /// Where the other server can be reached by UDP.
    pub(crate) candidates: Vec<SocketAddr>,
}

impl Answer {
    /// Reads an answer. Candidates with host names are passed over, as are those of TCP and of other components.
    ///
    /// # Errors
    /// Says in a sentence what is wrong with it.
    pub fn parse(text: &str) -> Result<Answer, OfferError> {
        let description = Offer::parse(text)?;
        let mut candidates = Vec::new();
        for candidate in text.lines().filter_map(|line| line.trim().strip_prefix("a=candidate:")) {
            if let Some(address) = udp_candidate(candidate)
                && !candidates.contains(&address)
            {
                candidates.push(address);
            }
        }
        Ok(Answer { description, candidates })
    }

    /// Leaves only candidates at addresses that this server may send to.
    pub fn keep_candidates(&mut self, may: impl Fn(IpAddr) -> bool) {
        self.candidates.retain(|address| may(address.ip()));
    }
}

/// Source: RFC 8839 §5.1: foundation, component, transport, priority, address, port.
fn udp_candidate(text: &str) -> Option<SocketAddr> {
    let mut words = text.split_whitespace().skip(1);
    let (component, transport) = (words.next()?, words.next()?);
    let (ip, port) = (words.nth(1)?.parse::<IpAddr>().ok()?, words.next()?.parse::<u16>().ok()?);
    let is_usable = component == "1" && transport.eq_ignore_ascii_case("udp") && port != 0;
    (is_usable && !ip.is_unspecified() && !ip.is_multicast()).then(|| SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::tests::CHROMIUM;

    #[test]
    fn candidates_are_those_of_udp_with_an_address() {
        let candidates = "a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host\r\n\
            a=candidate:1 2 udp 2130706430 192.0.2.1 8190 typ host\r\n\
            a=candidate:2 1 UDP 2130706175 2001:db8::1 8189 typ host\r\n\
            a=candidate:3 1 udp 1 ::ffff:192.0.2.1 8189 typ host\r\n\
            a=candidate:4 1 tcp 1 192.0.2.1 8189 typ host tcptype passive\r\n\
            a=candidate:5 1 udp 1 0.0.0.0 8189 typ host\r\n\
            a=candidate:5 1 udp 1 239.0.0.1 8189 typ host\r\n\
            a=candidate:5 1 udp 1 192.0.2.1 0 typ host\r\n\
            a=candidate:6 1 udp 1 4c0e.local 8189 typ host\r\n\
            a=candidate:7 1 udp\r\n";
        let mut answer = Answer::parse(&format!("{CHROMIUM}{candidates}")).unwrap();
        let added = |answer: &Answer| -> Vec<String> {
            let known = Answer::parse(CHROMIUM).unwrap().candidates;
            let new = answer.candidates.iter().filter(|address| !known.contains(address));
            new.map(|address| address.to_string()).collect()
        };
        assert_eq!(added(&answer), ["192.0.2.1:8189", "[2001:db8::1]:8189"]);
        answer.keep_candidates(|ip| ip.is_ipv6());
        assert_eq!(added(&answer), ["[2001:db8::1]:8189"]);
    }
}
