//! What a viewer has seen of its media.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use str0m::rtp::RtpPacket;

use crate::{
    camera::{self, Position},
    source,
};

/// A packet that arrived: when, in which frame, and how much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(super) after: Duration,
    pub(super) payload_type: u8,
    pub(super) timestamp: u32,
    pub(super) bytes: usize,
}

/// How old a packet of a camera was when the kernel had it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) position: Position,
    /// When it was sent, which tells packets of one publisher apart.
    pub(crate) sent: Duration,
    pub(crate) age: Duration,
}

/// The sequence numbers of one source.
#[derive(Default)]
struct Count {
    first: Option<u64>,
    last: u64,
    received: u64,
}

/// What a viewer has seen since it was told to look.
#[derive(Default)]
pub(super) struct Seen {
    begun: Option<Instant>,
    counts: HashMap<u32, Count>,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) ages: Vec<Duration>,
    pub(super) timings: Vec<Timing>,
}

impl Seen {
    /// Counts anew from here on.
    pub(super) fn begin(&mut self) {
        *self = Seen { begun: Some(Instant::now()), ..Seen::default() };
    }

    /// Takes a packet; `waited` says how long it has been in the kernel, where that is known.
    pub(super) fn take(&mut self, packet: &RtpPacket, waited: Option<Duration>) {
        let Some(begun) = self.begun else { return };
        let sequence = *packet.seq_no;
        let count = self.counts.entry(*packet.header.ssrc).or_default();
        let first = *count.first.get_or_insert(sequence);
        if sequence >= first {
            count.received += 1;
            count.last = count.last.max(sequence);
        }
        self.arrivals.push(Arrival {
            after: begun.elapsed(),
            payload_type: *packet.header.payload_type,
            timestamp: packet.header.timestamp,
            bytes: packet.payload.len(),
        });
        let (sent, age) = (source::sent(&packet.payload), source::age(&packet.payload));
        self.ages.extend(age);
        if let Some(waited) = waited {
            let position = camera::position(&packet.payload, packet.header.marker);
            let age = age.and_then(|age| age.checked_sub(waited));
            self.timings.extend(sent.zip(age).map(|(sent, age)| Timing { position, sent, age }));
        }
    }

    /// Packets received, and those that should have been.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.counts.values().fold((0, 0), |sum, count| {
            let expected = count.last + 1 - count.first.unwrap_or(0);
            (sum.0 + count.received, sum.1 + expected)
        })
    }
}
