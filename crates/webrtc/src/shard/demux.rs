//! Which viewer a datagram is for.
//!
//! A STUN message names its session, and proves by its checksum that its sender knows the session's password. From
//! then on the sender's address stands for the session. Anything from an address that has not proved itself is
//! dropped without an answer: neither DTLS nor SRTP reaches a session that way (RFC 8445 §7.3).

use std::{net::IpAddr, time::Instant};

use headwater_net::Datagram;
use is::stun::StunMessage;
use smallvec::SmallVec;

use crate::{
    egress::{Carrier, Remote},
    prefetch::prefetch,
};

use super::core::{Core, Seat};

/// Datagrams that are looked at together.
const BATCH: usize = 64;

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
    pub(super) fn receive_datagrams<'a>(&mut self, mut datagrams: impl Iterator<Item = Datagram<'a>>, now: Instant) {
        loop {
            let batch: SmallVec<[Datagram<'a>; BATCH]> = datagrams.by_ref().take(BATCH).collect();
            self.receive_batch(&batch, now);
            if batch.len() < BATCH {
                break;
            }
        }
        self.settle(now);
    }

    /// Takes datagrams one after the other, and has the sessions of the next ones fetched meanwhile: what is heard of a
    /// viewer once in a second is in no cache by then.
    fn receive_batch(&mut self, batch: &[Datagram<'_>], now: Instant) {
        let remote = |datagram: &Datagram<'_>| Remote { carrier: Carrier::Udp, address: datagram.source };
        // Whom they are from may change on the way, so it is looked up again by then. One alone has nobody to wait for.
        let several = if batch.len() > 1 { batch } else { &[] };
        let expected: SmallVec<[Option<usize>; BATCH]> =
            several.iter().map(|datagram| self.by_remote.get(&remote(datagram)).copied()).collect();
        fn seat<'a>(core: &'a Core, expected: &[Option<usize>], place: usize) -> Option<&'a Seat> {
            core.seats.get((*expected.get(place)?)?)
        }
        // Where each part lies is read from the one before, which has to be there by then.
        for place in 0..batch.len().min(2) {
            if let Some(first) = seat(self, &expected, place + 1) {
                prefetch(first);
            }
        }
        for (place, datagram) in batch.iter().enumerate() {
            if let Some(third) = seat(self, &expected, place + 3) {
                prefetch(third);
            }
            if let Some(second) = seat(self, &expected, place + 2) {
                second.participant.prefetch_session();
            }
            if let Some(next) = seat(self, &expected, place + 1) {
                next.participant.prefetch_opener();
            }
            self.receive(remote(datagram), datagram.destination, datagram.bytes, now);
        }
    }

    /// Takes one datagram; [`Core::settle`] is to follow. Says whether it belonged to a session.
    pub(super) fn receive(&mut self, from: Remote, local: Option<IpAddr>, datagram: &[u8], now: Instant) -> bool {
        self.counters.datagrams_received.add(1);
        let index = match content(datagram) {
            Content::Stun => self.receive_stun(from, local, datagram, now),
            Content::Session => self.by_remote.get(&from).copied().inspect(|index| {
                self.with(*index, now, |participant, around| Some(participant.receive(from, datagram, around)));
            }),
            Content::Unknown => None,
        };
        let Some(index) = index else {
            self.counters.datagrams_ignored.add(1);
            return false;
        };
        self.note_arrival(index);
        true
    }

    /// Takes a STUN message. Yields the session that it comes from, whose address is remembered from then on.
    fn receive_stun(&mut self, from: Remote, local: Option<IpAddr>, datagram: &[u8], now: Instant) -> Option<usize> {
        let message = StunMessage::parse(datagram).ok()?;
        let (fragment, _) = message.split_username()?;
        let index = *self.by_fragment.get(fragment)?;
        let participant = &mut self.seats.get_mut(index)?.participant;
        let proof = participant.prove(from, &message, datagram, now)?;
        let forgotten = participant.learn(from, local);
        // The address may have belonged to an earlier session of the same peer.
        let known = self.by_remote.insert(from, index);
        if known.is_none() && from.carrier == Carrier::Udp {
            self.sorting.learn(from.address);
        }
        if let Some(forgotten) = forgotten {
            self.forget_remote(forgotten, index);
        }
        self.with(index, now, |participant, around| Some(participant.receive_proof(from, &proof, around)));
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
