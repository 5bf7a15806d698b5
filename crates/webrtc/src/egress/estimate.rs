//! What a network carries towards one peer, estimated from what the peer says of the packets' arrival.
//!
//! No socket and no clock: numbers for packets on their way out, feedback in, and bits per second to read.

use std::time::Instant;

/// What a network carries towards one peer, estimated from transport-wide feedback
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
#[derive(Debug)]
pub(crate) struct Estimator {
    next_sequence: u16,
    remb: Option<u64>,
    floor: u64,
    ceiling: u64,
}

impl Estimator {
    /// `start`, `floor` and `ceiling` in bits per second.
    pub(crate) fn new(_start: u64, floor: u64, ceiling: u64, _now: Instant) -> Estimator {
        Estimator { next_sequence: 0, remb: None, floor, ceiling: ceiling.max(floor) }
    }

    /// The number for the next packet's transport-wide sequence number extension; called once for each packet that is
    /// sent, with its bytes on the wire (UDP payload). `probe` when the packet belongs to a probe.
    pub(crate) fn sent(&mut self, _bytes: usize, _now: Instant, _probe: bool) -> u16 {
        let number = self.next_sequence;
        self.next_sequence = number.wrapping_add(1);
        number
    }

    /// Takes the body of an RTCP transport-layer feedback of format 15, from the sender's SSRC on. Malformed: `false`,
    /// and nothing changes.
    pub(crate) fn feedback(&mut self, _body: &[u8], _now: Instant) -> bool {
        false
    }

    /// Takes a REMB of a peer that sends it instead, in bits per second.
    pub(crate) fn remb(&mut self, bits_per_second: u64, _now: Instant) {
        self.remb = Some(bits_per_second.clamp(self.floor, self.ceiling));
    }

    /// Bits per second that may be sent. `None` until feedback has come.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.remb
    }

    /// Share of packets lost lately, 0.0 to 1.0.
    pub(crate) fn loss(&self) -> f32 {
        0.0
    }

    /// How many bytes to send now, besides the media, so that it is found out whether `wanted` bits per second would be
    /// carried; 0 when no probe is due.
    pub(crate) fn probe(&mut self, _wanted: u64, _now: Instant) -> usize {
        0
    }

    /// When [`Estimator::probe`] or a time-out is to be looked at again.
    pub(crate) fn due(&self) -> Option<Instant> {
        None
    }
}
