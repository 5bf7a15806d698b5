//! A viewer's own sequence numbers and timestamps.

use std::collections::VecDeque;

use headwater_media::{ClockRate, Ticks};

/// Maps the numbers of a lane's packets to those of one viewer's RTP stream, and back again.
///
/// Invariant: what it yields never repeats a sequence number for another packet, has gaps only where the source has
/// lost packets, and after a [`jump`](Rewriter::jump) goes on without a gap and at a later time.
#[derive(Clone, Debug)]
pub(crate) struct Rewriter {
    clock_rate: ClockRate,
    next_sequence: u64,
    /// `None` until the first packet after a jump.
    run: Option<Run>,
    offset: Ticks,
    /// The latest time sent, with the offset added.
    latest: Option<Ticks>,
    /// The least step in time to what follows, after a jump.
    jumped: Option<Ticks>,
    /// The newest last.
    past: VecDeque<Run>,
}

/// Packets between two jumps.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The source's first number, and the viewer's number for it.
    source: u64,
    own: u64,
    offset: Ticks,
}

/// What the source calls a packet of the viewer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) sequence: u64,
    offset: Ticks,
}

impl Origin {
    /// The timestamp that the viewer got for a time in the lane.
    pub(crate) fn timestamp(&self, ticks: Ticks) -> u32 {
        ticks.wrapping_add(self.offset) as u32
    }
}

/// The shortest step in time over a jump: a frame at 50 per second.
const STEPS_PER_SECOND: i64 = 50;
/// The same where another rendition of the same picture goes on: as good as none, so that its time stays what it is.
const CLOSE_STEPS_PER_SECOND: i64 = 1_000;
/// Runs before the present one that are remembered.
const PAST_RUNS: usize = 3;

impl Rewriter {
    /// A rewriter whose numbers begin at these. `first_sequence` has to stay well below 65,536: a receiver takes the
    /// first packet to be in the first cycle of numbers (RFC 3711 §3.3.1).
    pub(crate) fn new(clock_rate: ClockRate, first_sequence: u16, first_timestamp: u32) -> Rewriter {
        Rewriter {
            clock_rate,
            next_sequence: u64::from(first_sequence),
            run: None,
            offset: Ticks::from(first_timestamp),
            latest: None,
            jumped: None,
            past: VecDeque::new(),
        }
    }

    /// The viewer's numbers for a source's number and a time in the lane; `None` for a packet from before the place
    /// where the viewer came in.
    #[inline]
    pub(crate) fn rewrite(&mut self, source: u64, ticks: Ticks) -> Option<(u64, u32)> {
        let run = match &self.run {
            Some(run) => *run,
            None => self.begin(source, ticks),
        };
        let sequence = run.own.checked_add(source.checked_sub(run.source)?)?;
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
        let time = ticks.wrapping_add(self.offset);
        self.latest = Some(self.latest.map_or(time, |latest| latest.max(time)));
        // RTP counts in 32 bits and wraps (RFC 3550 §5.1).
        Some((sequence, time as u32))
    }

    #[cold]
    fn begin(&mut self, source: u64, ticks: Ticks) -> Run {
        if let (Some(step), Some(latest)) = (self.jumped.take(), self.latest) {
            let earliest = latest.saturating_add(step);
            self.offset = self.offset.max(earliest.saturating_sub(ticks));
        }
        *self.run.insert(Run { source, own: self.next_sequence, offset: self.offset })
    }

    /// What the source calls a packet of the viewer's, if it was sent since one of the latest jumps.
    pub(crate) fn origin(&self, sequence: u64) -> Option<Origin> {
        let mut runs = self.run.iter().chain(self.past.iter().rev());
        let run = runs.find(|run| run.own <= sequence)?;
        let sequence = run.source.checked_add(sequence.checked_sub(run.own)?)?;
        Some(Origin { sequence, offset: run.offset })
    }

    /// What follows does not continue what came before: some of it was lost, skipped, or another source goes on.
    pub(crate) fn jump(&mut self) {
        self.jump_by(STEPS_PER_SECOND);
    }

    fn jump_by(&mut self, steps_per_second: i64) {
        self.past.extend(self.run.take());
        if self.past.len() > PAST_RUNS {
            self.past.pop_front();
        }
        self.jumped = Some((i64::from(self.clock_rate.hertz()) / steps_per_second).max(1));
    }

    /// Another rendition of the same source goes on, by the same clock and under numbers of its own.
    pub(crate) fn go_over(&mut self) {
        self.jump_by(CLOSE_STEPS_PER_SECOND);
        self.past.clear();
    }

    /// The source is another one: what it calls its packets says nothing of those before.
    pub(crate) fn forget_origins(&mut self) {
        self.jump();
        self.past.clear();
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

    fn sequence(rewriter: &mut Rewriter, source: u64) -> Option<u64> {
        rewriter.rewrite(source, 0).map(|(sequence, _)| sequence)
    }

    fn timestamp(rewriter: &mut Rewriter, ticks: Ticks) -> u32 {
        let source = rewriter.next_sequence + 1_000_000;
        rewriter.rewrite(source, ticks).unwrap().1
    }

    #[test]
    fn gaps_and_late_packets_of_the_source_are_kept() {
        let mut rewriter = rewriter();
        let sent: Vec<_> = [70_000, 70_001, 70_004, 70_003, 69_999].map(|n| sequence(&mut rewriter, n)).into();
        assert_eq!(sent, [Some(100), Some(101), Some(104), Some(103), None]);
    }

    #[test]
    fn numbers_go_on_without_a_gap_after_a_jump() {
        let mut rewriter = rewriter();
        sequence(&mut rewriter, 10);
        sequence(&mut rewriter, 12);
        rewriter.jump();
        assert_eq!(sequence(&mut rewriter, 9_000), Some(103));
        assert_eq!(sequence(&mut rewriter, 9_001), Some(104));
        assert_eq!(sequence(&mut rewriter, 8_999), None, "the viewer never came there");
    }

    #[test]
    fn sequence_numbers_cross_the_wrap() {
        let mut rewriter = Rewriter::new(ClockRate::VIDEO, 32_767, 0);
        let last = (0..70_000).filter_map(|n| sequence(&mut rewriter, n)).last().unwrap();
        assert_eq!(last, 32_767 + 69_999);
    }

    #[test]
    fn timestamps_never_run_backwards_over_a_jump() {
        let mut rewriter = rewriter();
        assert_eq!(timestamp(&mut rewriter, 90_000), 95_000);
        rewriter.jump();
        assert_eq!(timestamp(&mut rewriter, 180_000), 185_000, "a later time stays in its place");
        rewriter.jump();
        assert_eq!(timestamp(&mut rewriter, 0), 185_000 + 1_800, "an earlier one goes on from here");
        assert_eq!(timestamp(&mut rewriter, 3_000), 185_000 + 4_800);
    }

    #[test]
    fn another_rendition_keeps_the_time_but_for_a_step_that_nobody_sees() {
        let mut rewriter = rewriter();
        assert_eq!(timestamp(&mut rewriter, 90_000), 95_000);
        rewriter.go_over();
        assert_eq!(timestamp(&mut rewriter, 93_000), 98_000);
        rewriter.go_over();
        assert_eq!(timestamp(&mut rewriter, 93_000), 98_090, "the same picture once more");
        assert_eq!(timestamp(&mut rewriter, 96_000), 101_090);
    }

    #[test]
    fn timestamps_wrap_at_32_bits() {
        let mut rewriter = Rewriter::new(ClockRate::VIDEO, 1, u32::MAX - 10);
        assert_eq!(timestamp(&mut rewriter, 0), u32::MAX - 10);
        assert_eq!(timestamp(&mut rewriter, 20), 9);
    }

    #[test]
    fn a_packet_is_found_again_by_the_viewers_number_over_a_few_jumps() {
        let mut rewriter = rewriter();
        let mut sent = Vec::new();
        for run in 0..6u64 {
            for n in 0..10 {
                let (source, ticks) = (run * 1_000 - run * run * 90 + n, (n * 3_000) as Ticks);
                let (own, timestamp) = rewriter.rewrite(source, ticks).unwrap();
                sent.push((run, source, ticks, own, timestamp));
            }
            rewriter.jump();
        }
        for (run, source, ticks, own, timestamp) in sent {
            let origin = rewriter.origin(own);
            match run {
                0..=2 => assert_eq!(origin, None, "run {run} is forgotten"),
                _ => {
                    assert_eq!(origin.unwrap().sequence, source);
                    assert_eq!(origin.unwrap().timestamp(ticks), timestamp);
                }
            }
        }
        rewriter.forget_origins();
        assert_eq!(rewriter.origin(150), None);
    }
}
