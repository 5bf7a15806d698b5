//! From order of arrival to order of sending.

use std::collections::BTreeMap;

use headwater_media::{ClockRate, Packet, Ticks, limits};

/// A window over the packets of a lane that puts them back into the order of their numbers.
///
/// It has no clock. It waits for a missing packet until [`limits::JITTER_PACKETS`] later ones have come or
/// [`limits::JITTER_MS`] of media time have gone by in them, then goes on behind the gap; the reader sees the gap
/// in the numbers. Packets that come twice, or after they were given up, are dropped and counted.
/// While nothing is missing, nothing is held, copied or delayed.
#[derive(Debug)]
pub struct Reorder {
    next: Option<u64>,
    passed: Ticks,
    held: BTreeMap<u64, Packet>,
    patience: Ticks,
    late_in_a_row: u32,
    dropped: u64,
}

impl Reorder {
    /// After this many late packets in a row the source is taken to have begun counting anew.
    const LATE_IN_A_ROW_MAX: u32 = 64;

    /// A window for packets with this clock.
    pub fn new(clock_rate: ClockRate) -> Reorder {
        Reorder {
            next: None,
            passed: 0,
            held: BTreeMap::new(),
            patience: clock_rate.ticks(limits::JITTER_MS.get_duration()),
            late_in_a_row: 0,
            dropped: 0,
        }
    }

    /// Takes the next packet to arrive, and delivers those whose turn has come.
    pub fn push(&mut self, packet: &Packet, mut deliver: impl FnMut(&Packet)) {
        let next = *self.next.get_or_insert(packet.sequence);
        if packet.sequence < next {
            return self.late(packet, deliver);
        }
        self.late_in_a_row = 0;
        if packet.sequence == next {
            self.pass(packet, &mut deliver);
        } else if self.held.insert(packet.sequence, packet.clone()).is_some() {
            self.dropped += 1;
        }
        self.deliver_in_order(&mut deliver);
        while self.is_impatient() {
            self.skip_gap(&mut deliver);
        }
    }

    /// Packets that came twice or too late.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets everything: what comes next does not continue what came before.
    pub fn reset(&mut self) {
        self.next = None;
        self.held.clear();
        self.late_in_a_row = 0;
    }

    fn late(&mut self, packet: &Packet, mut deliver: impl FnMut(&Packet)) {
        self.dropped += 1;
        self.late_in_a_row += 1;
        if self.late_in_a_row > Self::LATE_IN_A_ROW_MAX {
            self.reset();
            self.pass(packet, &mut deliver);
        }
    }

    fn pass(&mut self, packet: &Packet, deliver: &mut impl FnMut(&Packet)) {
        self.next = packet.sequence.checked_add(1);
        self.passed = packet.timestamp;
        deliver(packet);
    }

    fn deliver_in_order(&mut self, deliver: &mut impl FnMut(&Packet)) {
        while let Some(entry) = self.held.first_entry() {
            if Some(*entry.key()) != self.next {
                return;
            }
            let packet = entry.remove();
            self.pass(&packet, deliver);
        }
    }

    fn is_impatient(&self) -> bool {
        let waited = |newest: &Packet| newest.timestamp.saturating_sub(self.passed);
        self.held.len() > limits::JITTER_PACKETS.get_usize()
            || self.held.last_key_value().is_some_and(|(_, newest)| waited(newest) > self.patience)
    }

    fn skip_gap(&mut self, deliver: &mut impl FnMut(&Packet)) {
        if let Some((_, packet)) = self.held.pop_first() {
            self.pass(&packet, deliver);
        }
        self.deliver_in_order(deliver);
    }
}
