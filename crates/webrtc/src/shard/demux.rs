//! Which viewer a datagram is for.
//!
//! A STUN message names its session, and proves by its checksum that its sender knows the session's password. From
//! then on the sender's address stands for the session. Anything from an address that has not proved itself is
//! dropped without an answer: neither DTLS nor SRTP reaches a session that way (RFC 8445 §7.3).

use std::{net::IpAddr, time::Instant};

use headwater_net::Datagram;
use str0m::ice::StunMessage;

use crate::egress::{Carrier, Remote};

use super::core::Core;

/// What a datagram is, by its first byte (RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Stun,
    Session,
    Unknown,
}

pub(super) fn content(datagram: &[u8]) -> Content {
    match datagram.first() {
        Some(0..=3) => Content::Stun,
        Some(20..=63 | 128..=191) => Content::Session,
        _ => Content::Unknown,
    }
}

impl Core {
    /// Takes datagrams that are for this shard.
    pub(super) fn receive_datagrams<'a>(&mut self, datagrams: impl Iterator<Item = Datagram<'a>>, now: Instant) {
        for datagram in datagrams {
            let remote = Remote { carrier: Carrier::Udp, address: datagram.source };
            self.receive(remote, datagram.destination, datagram.bytes, now);
        }
        self.settle(now);
    }

    /// Takes one datagram; [`Core::settle`] is to follow. Says whether it belonged to a session.
    pub(super) fn receive(&mut self, from: Remote, local: Option<IpAddr>, datagram: &[u8], now: Instant) -> bool {
        self.counters.datagrams_received.add(1);
        let index = match content(datagram) {
            Content::Stun => self.prove(from, local, datagram, now),
            Content::Session => self.by_remote.get(&from).copied(),
            Content::Unknown => None,
        };
        let Some(index) = index else {
            self.counters.datagrams_ignored.add(1);
            return false;
        };
        self.with(index, now, |participant, around| Some(participant.receive(from, datagram, around)));
        self.note_arrival(index);
        true
    }

    /// The viewer that a STUN message comes from, whose address is remembered then.
    fn prove(&mut self, from: Remote, local: Option<IpAddr>, datagram: &[u8], now: Instant) -> Option<usize> {
        let message = StunMessage::parse(datagram).ok()?;
        let (fragment, _) = message.split_username()?;
        let index = *self.by_fragment.get(fragment)?;
        let participant = &mut self.seats.get_mut(index)?.participant;
        if !participant.proves(from, datagram, now) {
            return None;
        }
        let forgotten = participant.learn(from, local);
        // The address may have belonged to an earlier session of the same peer.
        let known = self.by_remote.insert(from, index);
        if known.is_none() && from.carrier == Carrier::Udp {
            self.sorting.learn(from.address);
        }
        if let Some(forgotten) = forgotten {
            self.forget_remote(forgotten, index);
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_told_apart_by_their_first_byte() {
        let cases = [
            (0, Content::Stun),
            (1, Content::Stun),
            (4, Content::Unknown),
            (22, Content::Session),
            (64, Content::Unknown),
            (128, Content::Session),
            (191, Content::Session),
            (192, Content::Unknown),
        ];
        for (first, expected) in cases {
            assert_eq!(content(&[first, 0, 0]), expected, "{first}");
        }
        assert_eq!(content(&[]), Content::Unknown);
    }
}
