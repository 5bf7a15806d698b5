//! Another server's answer to an offer of ours.

use std::net::{IpAddr, SocketAddr};

use crate::Transport;

use super::offer::{Offer, OfferError};

/// Another server's answer, read and checked within the limits of an offer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// An answer says the same things as an offer, in the same words.
    pub(crate) description: Offer,
    /// Where the other server can be reached by UDP.
    pub(crate) candidates: Vec<SocketAddr>,
    /// Where it takes connections (RFC 6544 §4.5: passive candidates).
    pub(crate) passive: Vec<SocketAddr>,
    /// Which of them are used.
    pub(crate) transport: Transport,
}

impl Answer {
    /// Reads an answer. Candidates with host names are passed over, as are those of other components, and those of TCP
    /// to which this side could not connect. Media goes by UDP unless [`Answer::over`] says otherwise.
    ///
    /// # Errors
    /// Says in a sentence what is wrong with it.
    pub fn parse(text: &str) -> Result<Answer, OfferError> {
        let description = Offer::parse(text)?;
        let (mut candidates, mut passive) = (Vec::new(), Vec::new());
        for candidate in text.lines().filter_map(|line| line.trim().strip_prefix("a=candidate:")) {
            let Some((transport, address)) = read(candidate) else { continue };
            let known = match transport {
                Transport::Udp => &mut candidates,
                Transport::Tcp => &mut passive,
            };
            if !known.contains(&address) {
                known.push(address);
            }
        }
        Ok(Answer { description, candidates, passive, transport: Transport::Udp })
    }

    /// Has media go over this.
    pub fn over(&mut self, transport: Transport) {
        self.transport = transport;
    }

    /// Leaves only candidates at addresses that this server may send to.
    pub fn keep_candidates(&mut self, may: impl Fn(IpAddr) -> bool) {
        self.candidates.retain(|address| may(address.ip()));
        self.passive.retain(|address| may(address.ip()));
    }
}

/// Source: RFC 8839 §5.1: foundation, component, transport, priority, address, port, "typ" and the type, and then
/// attributes; RFC 6544 §4.5: that of TCP says who connects.
fn read(text: &str) -> Option<(Transport, SocketAddr)> {
    let mut words = text.split_whitespace().skip(1);
    let (component, transport) = (words.next()?, words.next()?.parse().ok()?);
    let (ip, port) = (words.nth(1)?.parse::<IpAddr>().ok()?, words.next()?.parse::<u16>().ok()?);
    let mut is_passive = || words.any(|word| word == "tcptype") && words.next() == Some("passive");
    let is_usable = component == "1" && port != 0 && (transport == Transport::Udp || is_passive());
    let address = SocketAddr::new(ip.to_canonical(), port);
    (is_usable && !ip.is_unspecified() && !ip.is_multicast()).then_some((transport, address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::tests::CHROMIUM;

    #[test]
    fn candidates_are_those_with_an_address_that_this_side_can_send_or_connect_to() {
        let candidates = "a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host\r\n\
            a=candidate:1 2 udp 2130706430 192.0.2.1 8190 typ host\r\n\
            a=candidate:2 1 UDP 2130706175 2001:db8::1 8189 typ host\r\n\
            a=candidate:3 1 udp 1 ::ffff:192.0.2.1 8189 typ host\r\n\
            a=candidate:4 1 tcp 1 192.0.2.1 8189 typ host tcptype passive\r\n\
            a=candidate:4 1 TCP 1 2001:db8::1 8189 typ host tcptype passive generation 0\r\n\
            a=candidate:4 1 tcp 1 192.0.2.2 9 typ host tcptype active\r\n\
            a=candidate:4 1 tcp 1 192.0.2.3 8189 typ host tcptype\r\n\
            a=candidate:4 1 tcp 1 192.0.2.4 8189 typ host\r\n\
            a=candidate:4 1 sctp 1 192.0.2.5 8189 typ host\r\n\
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
        let passive = |answer: &Answer| -> Vec<String> { answer.passive.iter().map(SocketAddr::to_string).collect() };
        assert_eq!(added(&answer), ["192.0.2.1:8189", "[2001:db8::1]:8189"]);
        assert_eq!(passive(&answer), ["192.0.2.1:8189", "[2001:db8::1]:8189"]);
        answer.keep_candidates(|ip| ip.is_ipv6());
        assert_eq!(added(&answer), ["[2001:db8::1]:8189"]);
        assert_eq!(passive(&answer), ["[2001:db8::1]:8189"]);
    }
}
