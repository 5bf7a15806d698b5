//! A viewer's own sequence numbers and timestamps.

use headwater_media::{ClockRate, Ticks};

/// Maps the numbers of a lane's packets to those of one viewer's RTP stream.
///
/// Invariant: what it yields never repeats a sequence number for another packet, has gaps only where the source has
/// lost packets, and after a [`jump`](Rewriter::jump) goes on without a gap and at a later time.
#[derive(Clone, Debug)]
pub(crate) struct Rewriter {
    clock_rate: ClockRate,
    /// The source's first number since the last jump, and the viewer's number for it.
    anchor: Option<(u64, u64)>,
    next_sequence: u64,
    offset: Ticks,
    /// The latest time sent, with the offset added.
    latest: Option<Ticks>,
    jumped: bool,
}

/// The shortest step in time over a jump: a frame at 50 per second.
const STEPS_PER_SECOND: i64 = 50;

impl Rewriter {
    /// A rewriter whose numbers begin at these. `first_sequence` has to stay well below 65,536: a receiver takes the
    /// first packet to be in the first cycle of numbers (RFC 3711 §3.3.1).
    pub(crate) fn new(clock_rate: ClockRate, first_sequence: u16, first_timestamp: u32) -> Rewriter {
        Rewriter {
            clock_rate,
            anchor: None,
            next_sequence: u64::from(first_sequence),
            offset: Ticks::from(first_timestamp),
            latest: None,
            jumped: false,
        }
    }

    /// The viewer's sequence number for a source's; `None` for a packet from before the place where the viewer came
    /// in.
    pub(crate) fn sequence(&mut self, source: u64) -> Option<u64> {
        let (first, own) = *self.anchor.get_or_insert((source, self.next_sequence));
        let sequence = own.checked_add(source.checked_sub(first)?)?;
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
        Some(sequence)
    }

    /// The viewer's timestamp for a time in the lane.
    pub(crate) fn timestamp(&mut self, ticks: Ticks) -> u32 {
        if std::mem::take(&mut self.jumped)
            && let Some(latest) = self.latest
        {
            let step = (i64::from(self.clock_rate.hertz()) / STEPS_PER_SECOND).max(1);
            let earliest = latest.saturating_add(step);
            self.offset = self.offset.max(earliest.saturating_sub(ticks));
        }
        let time = ticks.wrapping_add(self.offset);
        self.latest = Some(self.latest.map_or(time, |latest| latest.max(time)));
        // RTP counts in 32 bits and wraps (RFC 3550 §5.1).
        time as u32
    }

    /// What follows does not continue what came before: some of it was lost, skipped, or another source goes on.
    pub(crate) fn jump(&mut self) {
        self.anchor = None;
        self.jumped = true;
    }

    /// Another codec with another clock goes on from here.
    pub(crate) fn set_clock_rate(&mut self, clock_rate: ClockRate) {
        if clock_rate != self.clock_rate {
            self.clock_rate = clock_rate;
            self.jump();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewriter() -> Rewriter {
        Rewriter::new(ClockRate::VIDEO, 100, 5_000)
    }

    #[test]
    fn gaps_and_late_packets_of_the_source_are_kept() {
        let mut rewriter = rewriter();
        let sent: Vec<_> = [70_000, 70_001, 70_004, 70_003, 69_999].map(|n| rewriter.sequence(n)).into();
        assert_eq!(sent, [Some(100), Some(101), Some(104), Some(103), None]);
    }

    #[test]
    fn numbers_go_on_without_a_gap_after_a_jump() {
        let mut rewriter = rewriter();
        rewriter.sequence(10);
        rewriter.sequence(12);
        rewriter.jump();
        assert_eq!(rewriter.sequence(9_000), Some(103));
        assert_eq!(rewriter.sequence(9_001), Some(104));
        assert_eq!(rewriter.sequence(8_999), None, "the viewer never came there");
    }

    #[test]
    fn sequence_numbers_cross_the_wrap() {
        let mut rewriter = Rewriter::new(ClockRate::VIDEO, 32_767, 0);
        let last = (0..70_000).filter_map(|n| rewriter.sequence(n)).last().unwrap();
        assert_eq!(last, 32_767 + 69_999);
    }

    #[test]
    fn timestamps_never_run_backwards_over_a_jump() {
        let mut rewriter = rewriter();
        assert_eq!(rewriter.timestamp(90_000), 95_000);
        rewriter.jump();
        assert_eq!(rewriter.timestamp(180_000), 185_000, "a later time stays in its place");
        rewriter.jump();
        assert_eq!(rewriter.timestamp(0), 185_000 + 1_800, "an earlier one goes on from here");
        assert_eq!(rewriter.timestamp(3_000), 185_000 + 4_800);
    }

    #[test]
    fn timestamps_wrap_at_32_bits() {
        let mut rewriter = Rewriter::new(ClockRate::VIDEO, 1, u32::MAX - 10);
        assert_eq!(rewriter.timestamp(0), u32::MAX - 10);
        assert_eq!(rewriter.timestamp(20), 9);
    }
}
