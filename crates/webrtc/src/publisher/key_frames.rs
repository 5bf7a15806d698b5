//! When a source is asked for a key frame.

use std::time::{Duration, Instant};

use headwater_media::limits;

/// The wish for a key frame of one source, whoever has it: sent at once, again while none comes, and never more often
/// than `KEY_FRAME_INTERVAL_MS` permits.
#[derive(Debug)]
pub(crate) struct KeyFrames {
    wanted: bool,
    asked: Option<Instant>,
    /// The wait before the wish is said again: it grows while nothing comes.
    patience: Duration,
}

/// The longest wait before a wish is repeated.
const PATIENCE_MAX: Duration = Duration::from_secs(8);

impl KeyFrames {
    pub(crate) fn new() -> KeyFrames {
        KeyFrames { wanted: false, asked: None, patience: interval() }
    }

    /// Someone cannot decode without one.
    pub(crate) fn want(&mut self) {
        if !self.wanted {
            self.wanted = true;
            self.patience = interval();
        }
    }

    /// One has come.
    pub(crate) fn came(&mut self) {
        self.wanted = false;
    }

    /// When the source is to be asked, if it is.
    pub(crate) fn due(&self) -> Option<Instant> {
        let asked = self.wanted.then_some(self.asked)?;
        asked.map(|asked| asked + self.patience)
    }

    /// Whether the source is to be asked now; if so, it counts as asked.
    pub(crate) fn ask(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_none_or(|due| due <= now);
        if !self.wanted || !is_due {
            return false;
        }
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < PATIENCE_MAX) {
            self.patience = (self.patience * 2).min(PATIENCE_MAX);
        }
        self.asked = Some(now);
        true
    }
}

fn interval() -> Duration {
    limits::KEY_FRAME_INTERVAL_MS.get_duration()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The milliseconds at which the source is asked, when `wants` and `comes` happen at theirs.
    fn asked(until: u64, wants: impl Fn(u64) -> bool, comes: impl Fn(u64) -> bool) -> Vec<u64> {
        let (mut frames, start) = (KeyFrames::new(), Instant::now());
        let mut asked = Vec::new();
        for ms in 0..until {
            if comes(ms) {
                frames.came();
            }
            if wants(ms) {
                frames.want();
            }
            if frames.ask(start + Duration::from_millis(ms)) {
                asked.push(ms);
            }
        }
        asked
    }

    #[test]
    fn the_first_wish_is_said_at_once_and_a_thousand_are_two_a_second() {
        assert_eq!(asked(2_000, |ms| ms == 7, |ms| ms == 60), [7]);
        let storm = asked(5_000, |_| true, |ms| ms % 10 == 5);
        assert_eq!(storm.first(), Some(&0));
        assert!(storm.windows(2).all(|pair| pair[1] - pair[0] >= 500), "{storm:?}");
        assert_eq!(storm.len(), 10);
    }

    #[test]
    fn a_wish_that_is_not_heard_is_said_again_less_and_less_often() {
        assert_eq!(asked(9_000, |ms| ms == 0, |_| false), [0, 500, 1_500, 3_500, 7_500]);
    }

    #[test]
    fn nothing_is_asked_for_when_nobody_wants_it() {
        assert!(asked(1_000, |_| false, |_| false).is_empty());
    }
}
