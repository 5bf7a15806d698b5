//! What was written to a lane and its readers have not been told of.

use std::time::{Duration, Instant};

/// Packets that wait for the rest of their picture, so that all of it leaves in few calls.
///
/// Invariant: none waits longer than the window, and none at all once its picture is complete.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    since: Option<Instant>,
    is_complete: bool,
}

impl Untold {
    /// A packet has been written; `ends` says whether nothing of its picture is to follow.
    pub(crate) fn add(&mut self, ends: bool, now: Instant) {
        self.since.get_or_insert(now);
        self.is_complete |= ends;
    }

    /// Whether readers are to be told now; if so, they count as told.
    pub(crate) fn take(&mut self, window: Duration, now: Instant) -> bool {
        let is_due = self.is_complete || self.due(window).is_some_and(|due| due <= now);
        let told = self.since.is_some() && is_due;
        if told {
            *self = Untold::default();
        }
        told
    }

    /// When they are to be told at the latest; `None` if nothing waits for more.
    pub(crate) fn due(&self, window: Duration) -> Option<Instant> {
        let since = self.since.filter(|_| !self.is_complete)?;
        Some(since + window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_wait_for_the_end_of_their_picture_and_no_longer_than_the_window() {
        let (start, window) = (Instant::now(), Duration::from_millis(2));
        let at = |tenths: u64| start + Duration::from_micros(100 * tenths);
        let mut untold = Untold::default();
        assert!(!untold.take(window, at(0)), "there is nothing");
        untold.add(false, at(0));
        untold.add(false, at(5));
        assert!(!untold.take(window, at(19)));
        assert_eq!(untold.due(window), Some(at(20)));
        assert!(untold.take(window, at(20)), "the window is over");
        assert_eq!(untold.due(window), None);
        untold.add(false, at(30));
        untold.add(true, at(31));
        assert!(untold.take(window, at(31)), "the picture is complete");
        untold.add(false, at(40));
        assert!(!untold.take(window, at(41)), "the next one is not");
        assert!(untold.take(Duration::ZERO, at(41)), "without a window nothing waits");
    }
}
