//! What a network carries towards one peer, estimated from what the peer says of the packets' arrival.
//!
//! No socket and no clock: numbers for packets on their way out, feedback in, and bits per second to read. The parts:
//!
//! | file | what |
//! |---|---|
//! | `feedback` | which packets have arrived, and when |
//! | `history` | what was sent |
//! | `groups`, `trend`, `queue` | whether the delay grows, and stays |
//! | `delivered`, `loss` | how much arrives, and how much does not |
//! | `probe` | whether more would arrive |
//! | `control` | the rate that follows |
//!
//! How, and why so, stands in `docs/design/webrtc-egress.md`.

mod control;
mod delivered;
pub(crate) mod feedback;
mod groups;
mod history;
mod loss;
mod probe;
mod queue;
#[cfg(test)]
mod tests;
mod trend;

use std::time::Instant;

use self::{
    control::Control,
    delivered::Delivered,
    feedback::{REFERENCE_BITS, REFERENCE_MICROS, Report, Status},
    groups::Groups,
    history::{History, Packet},
    loss::Loss,
    probe::Prober,
    queue::Queue,
    trend::{Signal, Trend},
};

/// No probe so soon after the first feedback, in microseconds: it comes with the pictures of a join.
const SETTLE_MICROS: i64 = 500_000;
/// Until a probe that may not be made now is looked at again.
const RETRY_MICROS: i64 = 500_000;
/// The peer's clock starts anew when it has gone so far, in steps of the reference time.
const REFERENCE_MAX: i64 = 1 << 40;

/// What a network carries towards one peer, estimated from transport-wide feedback
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
#[derive(Debug)]
pub(crate) struct Estimator {
    began: Instant,
    history: History,
    groups: Groups,
    trend: Trend,
    queue: Queue,
    delivered: Delivered,
    loss: Loss,
    prober: Prober,
    control: Control,
    /// The last reference time, without wraps.
    reference: Option<i64>,
    /// Microseconds from a packet to its feedback, smoothed.
    response: Option<i64>,
    /// What the peer reckons itself.
    remb: Option<u64>,
}

impl Estimator {
    /// `start`, `floor` and `ceiling` in bits per second.
    pub(crate) fn new(start: u64, floor: u64, ceiling: u64, now: Instant) -> Estimator {
        Estimator {
            began: now,
            history: History::new(),
            groups: Groups::default(),
            trend: Trend::new(),
            queue: Queue::new(),
            delivered: Delivered::default(),
            loss: Loss::default(),
            prober: Prober::new(0),
            control: Control::new(start, floor, ceiling, 0),
            reference: None,
            response: None,
            remb: None,
        }
    }

    /// The number for the next packet's transport-wide sequence number extension; called once for each packet that is
    /// sent, with its bytes on the wire (UDP payload). `probe` when the packet belongs to a probe.
    #[inline]
    pub(crate) fn sent(&mut self, bytes: usize, now: Instant, probe: bool) -> u16 {
        let now = self.micros(now);
        self.control.sent(now);
        let probe = if probe { self.prober.sent(bytes, now) } else { 0 };
        self.history.push(bytes, now, probe)
    }

    /// Takes the body of an RTCP transport-layer feedback of format 15, from the sender's SSRC on. Malformed: `false`,
    /// and nothing changes.
    pub(crate) fn feedback(&mut self, body: &[u8], now: Instant) -> bool {
        let Some(report) = Report::parse(body) else {
            return false;
        };
        let now = self.micros(now);
        let steps = self.extend(report.reference);
        let reference = steps.saturating_mul(REFERENCE_MICROS);
        let mut newest = None;
        for status in report.statuses() {
            match status {
                Status::Missing { first, count } => self.missing(first, count, now),
                Status::Arrived { number, micros } => {
                    if let Some(packet) = self.history.arrived(number, now) {
                        self.arrived(&packet, reference.saturating_add(micros));
                        newest = newest.max(Some(packet.sent));
                    }
                }
            }
        }
        if let Some(newest) = newest {
            self.reference = Some(steps);
            self.respond(now - newest, now);
        }
        true
    }

    /// Takes a REMB of a peer that sends it instead, in bits per second. From the first feedback on it counts no more:
    /// browsers that send both reckon by those packets alone that have no transport-wide number, as sound, and say the
    /// least that there is.
    pub(crate) fn remb(&mut self, bits_per_second: u64) {
        self.remb = Some(self.control.clamp(bits_per_second as f64) as u64);
    }

    /// Bits per second that may be sent. `None` until feedback has come of a fifth of a second.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.response.map(|_| self.control.rate() as u64).or(self.remb)
    }

    /// Share of packets lost lately, 0.0 to 1.0.
    pub(crate) fn loss(&self) -> f32 {
        self.loss.share() as f32
    }

    /// How many bytes to send now, besides the media, so that it is found out whether `wanted` bits per second would be
    /// carried; 0 when no probe is due. The caller sends that much as packets sent again, and calls
    /// [`Estimator::sent`] with `probe` for each.
    ///
    /// To be asked again and again for as long as that much is wanted.
    pub(crate) fn probe(&mut self, wanted: u64, now: Instant) -> usize {
        let now = self.micros(now);
        let wanted = self.control.clamp(wanted as f64);
        self.conclude(now);
        if self.response.is_none() || wanted <= self.control.rate() {
            return 0;
        }
        if self.signal() != Signal::Calm || !self.loss.allows_probe() {
            self.prober.postpone(now + RETRY_MICROS);
        }
        self.prober.begin(wanted, now)
    }

    /// What the delay does. One that grows for as long as a large picture takes is left to shrink again.
    fn signal(&self) -> Signal {
        match self.trend.signal() {
            Signal::Over if !self.queue.is_standing() => Signal::Under,
            signal => signal,
        }
    }

    fn arrived(&mut self, packet: &Packet, arrival: i64) {
        let is_probe = packet.probe != 0;
        self.delivered.push(packet.bytes, is_probe, arrival);
        if is_probe {
            self.prober.arrived(packet, arrival);
            return;
        }
        self.loss.arrived(packet.was_lost);
        if self.prober.disturbs(packet) {
            return;
        }
        self.queue.push(packet.sent, arrival);
        if let Some(variation) = self.groups.push(packet.sent, arrival) {
            self.trend.push(variation);
        }
    }

    fn missing(&mut self, first: u16, count: u16, now: i64) {
        let Estimator { history, loss, prober, .. } = self;
        history.missing(first, count, now, |packet| match packet.probe {
            0 => loss.lost(),
            _ => prober.lost(&packet),
        });
    }

    /// Sets the rate by what has become known, `response` microseconds after the packets left.
    fn respond(&mut self, response: i64, now: i64) {
        let smoothed = match self.response {
            Some(smoothed) => smoothed + (response - smoothed) / 8,
            // Of a few packets nothing can be said yet.
            None if self.delivered.short().is_none() => return,
            None => {
                self.prober.postpone(now + SETTLE_MICROS);
                response
            }
        };
        self.response = Some(smoothed);
        let signal = self.signal();
        if self.control.update(signal, &self.delivered, &mut self.loss, smoothed, now) {
            self.prober.overused(now);
        }
        self.conclude(now);
    }

    fn conclude(&mut self, now: i64) {
        let is_calm = self.signal() != Signal::Over;
        if let Some(finding) = self.prober.end(is_calm, now) {
            self.control.prove(finding.carried);
        }
    }

    /// The reference time without wraps: the nearest to the one before.
    fn extend(&self, reference: u32) -> i64 {
        const UNUSED_BITS: u32 = u32::BITS - REFERENCE_BITS;
        let extended = match self.reference {
            Some(last) => {
                let ahead = reference.wrapping_sub(last as u32) << UNUSED_BITS;
                last.saturating_add(i64::from(ahead as i32 >> UNUSED_BITS))
            }
            None => i64::from(reference),
        };
        if extended.abs() < REFERENCE_MAX { extended } else { i64::from(reference) }
    }

    /// Microseconds since this began.
    fn micros(&self, now: Instant) -> i64 {
        let elapsed = now.saturating_duration_since(self.began);
        elapsed.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(elapsed.subsec_micros())) as i64
    }
}
