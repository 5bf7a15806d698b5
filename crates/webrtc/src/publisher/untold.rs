//! What was written to a lane and its readers have not been told of.

use std::time::{Duration, Instant};

/// How long packets may wait for the rest of their picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) length: Duration,
    /// Whether the sender has waited already, as a server does that hands on a stream: what comes from it is told at
    /// once, and only what comes within a window of that has to wait. So a line that draws bursts out costs few calls,
    /// and others no time.
    pub(crate) is_gathered: bool,
}

/// Packets that wait for the rest of their picture, so that all of it leaves in few calls.
///
/// Invariant: none waits longer than the window, and none at all once its picture is complete.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    since: Option<Instant>,
    is_complete: bool,
    /// When readers were told last.
    told: Option<Instant>,
}

impl Untold {
    /// A packet has been written; `ends` says whether nothing of its picture is to follow.
    pub(crate) fn add(&mut self, ends: bool, now: Instant) {
        self.since.get_or_insert(now);
        self.is_complete |= ends;
    }

    /// Whether readers are to be told now; if so, they count as told.
    pub(crate) fn take(&mut self, window: Window, now: Instant) -> bool {
        let is_due = self.is_complete || self.due(window).is_some_and(|due| due <= now);
        let told = self.since.is_some() && is_due;
        if told {
            *self = Untold { told: Some(now), ..Untold::default() };
        }
        told
    }

    /// When they are to be told at the latest; `None` if nothing waits for more.
    pub(crate) fn due(&self, window: Window) -> Option<Instant> {
        let since = self.since.filter(|_| !self.is_complete)?;
        Some(match (window.is_gathered, self.told) {
            (false, _) => since + window.length,
            (true, told) => told.map_or(since, |told| since.max(told + window.length)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, tenths: u64) -> Instant {
        start + Duration::from_micros(100 * tenths)
    }

    #[test]
    fn packets_wait_for_the_end_of_their_picture_and_no_longer_than_the_window() {
        let window = Window { length: Duration::from_millis(2), is_gathered: false };
        let start = Instant::now();
        let at = |tenths| at(start, tenths);
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
        assert!(untold.take(Window { length: Duration::ZERO, ..window }, at(41)), "without a window nothing waits");
    }

    #[test]
    fn what_a_server_has_gathered_waits_only_for_what_was_told_just_before() {
        let window = Window { length: Duration::from_millis(2), is_gathered: true };
        let start = Instant::now();
        let at = |tenths| at(start, tenths);
        let mut untold = Untold::default();
        untold.add(false, at(0));
        assert!(untold.take(window, at(0)), "nothing was told before");
        untold.add(false, at(2));
        assert!(!untold.take(window, at(2)), "the line draws a burst out");
        untold.add(false, at(4));
        assert_eq!(untold.due(window), Some(at(20)));
        assert!(untold.take(window, at(20)));
        untold.add(false, at(25));
        untold.add(true, at(26));
        assert!(untold.take(window, at(26)), "the picture is complete");
        untold.add(false, at(46));
        assert!(untold.take(window, at(46)), "a window has passed since");
    }
}
