//! A second copy of what is sent again, on lines that lose a little.
//!
//! A viewer that only receives does not know its round trip, and asks a second time only after a tenth of a second
//! (libwebrtc, str0m). What is lost twice then comes too late for its picture. Where few packets are lost, a second copy
//! costs as few, and is seldom lost as well. Where many are, the line is likely to be too thin, and must not get more.

use std::{
    collections::VecDeque,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// From the first copy to the second: what loses one seldom lasts that long.
const AFTER: Duration = Duration::from_millis(10);
/// Of a thousand packets, so many are asked for where a second copy is sent.
const ASKED_PER_MILLE: RangeInclusive<u32> = 4..=50;
/// Packets over which that is looked at.
const WINDOW: u32 = 512;
/// Copies that wait at a time.
const WAITING_MAX: usize = 64;

/// Second copies that wait for their time.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    waiting: VecDeque<Echo>,
}

/// A second copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Echo {
    at: Instant,
    pub(super) stream: usize,
    pub(super) sequence: u64,
}

impl Echoes {
    /// A packet is sent again now, and once more in a while.
    pub(super) fn add(&mut self, stream: usize, sequence: u64, now: Instant) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(Echo { at: now + AFTER, stream, sequence });
        }
    }

    /// When [`Echoes::next`] has something.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|echo| echo.at)
    }

    /// One that is due.
    pub(super) fn next(&mut self, now: Instant) -> Option<Echo> {
        self.waiting.pop_front_if(|echo| echo.at <= now)
    }
}

/// How many of a stream's packets are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Packets that had been sent when the window began.
    begin: u32,
    count: u32,
    /// Of the window before.
    per_mille: u32,
}

impl Asked {
    /// One more is asked for, for the first time, when so many have been sent.
    pub(super) fn add(&mut self, sent: u32) {
        let since = sent.wrapping_sub(self.begin);
        if since >= WINDOW {
            self.per_mille = self.count.saturating_mul(1_000) / since;
            (self.begin, self.count) = (sent, 0);
        }
        self.count += 1;
    }

    /// Whether few are.
    pub(super) fn are_few(&self) -> bool {
        // Of a window that has hardly begun, so many are too many whatever follows.
        ASKED_PER_MILLE.contains(&self.per_mille) && self.count <= WINDOW * ASKED_PER_MILLE.end() / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_of(every: u32, packets: u32) -> Asked {
        let mut asked = Asked::default();
        (1..=packets).filter(|sent| sent % every == 0).for_each(|sent| asked.add(sent));
        asked
    }

    #[test]
    fn few_are_neither_hardly_any_nor_many() {
        for (every, expected) in [(1_000, false), (200, true), (50, true), (25, true), (10, false), (2, false)] {
            assert_eq!(asked_of(every, 5_000).are_few(), expected, "one of {every}");
        }
        assert!(!asked_of(50, 400).are_few(), "nothing is known yet");
        let mut asked = asked_of(50, 5_000);
        (0..30).for_each(|more| asked.add(5_000 + more));
        assert!(!asked.are_few(), "a line that has broken down is not waited for to be known");
    }

    #[test]
    fn copies_come_in_their_time_and_are_bounded() {
        let start = Instant::now();
        let mut echoes = Echoes::default();
        assert_eq!(echoes.due(), None);
        (0..1_000).for_each(|sequence| echoes.add(0, sequence, start));
        assert_eq!(echoes.due(), Some(start + AFTER));
        assert_eq!(echoes.next(start), None);
        let all = std::iter::from_fn(|| echoes.next(start + AFTER)).map(|echo| echo.sequence);
        assert!(all.eq(0..WAITING_MAX as u64));
    }
}
