//! When a player would show each picture, and when it would run dry: the clock of a player that is sent whole pictures.
//!
//! ```text
//!  media time   ──●────●────●────●─ ─ ─ ─ ─ ─●────●──►   loaded
//!                      │ shown           │ dry: waits, and goes on late
//! ```

use std::time::{Duration, Instant};

use crate::seen::{FREEZE_MARGIN, is_freeze};

/// Times that differ by more than this do not continue each other, whatever was said of them.
const JUMP_MAX: Duration = Duration::from_secs(10);
/// Times may run back by so much without being a jump: pictures that are in the wrong order.
const BACK_MAX: Duration = Duration::from_millis(500);
/// What is usual follows by this share of each new distance.
const USUAL_SHARE: u32 = 16;

/// The clock of a player. It begins with the first picture and shows each when it is due, at once where it comes late;
/// then all that follow are late by as much.
#[derive(Debug)]
pub(crate) struct Player {
    buffer_max: Option<Duration>,
    clock: Option<Clock>,
    /// The usual distance between two pictures.
    usual: Option<Duration>,
    has_break: bool,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    /// When a picture of the time `from` is due.
    since: Instant,
    from: Duration,
    /// The time of the newest picture.
    last: Duration,
}

/// What becomes of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// How long after it has come it is shown.
    pub(crate) wait: Duration,
    /// How long the one before it stood for longer than a person would not notice; zero if it did not.
    pub(crate) frozen: Duration,
    /// Pictures that are missing before it, by its time.
    pub(crate) missing: u64,
}

impl Player {
    /// A player that keeps what it is sent for as long as that lasts, as those of HLS do.
    pub(crate) fn patient() -> Player {
        Player { buffer_max: None, clock: None, usual: None, has_break: false }
    }

    /// A player that skips what it has more than this of, to keep near to the source.
    pub(crate) fn live(buffer_max: Duration) -> Player {
        Player { buffer_max: Some(buffer_max), ..Player::patient() }
    }

    /// Whether it keeps behind the source, and shows each picture as late as the others.
    pub(crate) fn is_patient(&self) -> bool {
        self.buffer_max.is_none()
    }

    /// The time of the next picture does not continue that of the one before; it is shown after that all the same.
    pub(crate) fn break_off(&mut self) {
        self.has_break = true;
    }

    /// A picture with this decoding time has come.
    pub(crate) fn show(&mut self, time: Duration, now: Instant) -> Shown {
        let Some(clock) = &mut self.clock else {
            self.has_break = false;
            self.clock = Some(Clock { since: now, from: time, last: time });
            return Shown::default();
        };
        let is_jump = time > clock.last + JUMP_MAX || time + BACK_MAX < clock.last;
        if is_jump || std::mem::take(&mut self.has_break) {
            let since = clock.due(clock.last + self.usual.unwrap_or_default());
            *clock = Clock { since, from: time, last: time };
        }
        let gap = time.saturating_sub(clock.last);
        clock.last = clock.last.max(time);
        let due = clock.due(time);
        let late = now.saturating_duration_since(due);
        clock.since += late;
        let mut wait = due.saturating_duration_since(now);
        if let Some(too_much) = self.buffer_max.and_then(|max| wait.checked_sub(max)) {
            clock.since = clock.since.checked_sub(too_much).unwrap_or(clock.since);
            wait -= too_much;
        }
        let late = if late > FREEZE_MARGIN { late } else { Duration::ZERO };
        let (hole, missing) = self.hole(gap);
        Shown { wait, frozen: late.max(hole), missing }
    }

    /// How long a gap between two pictures is, if it is one that a person would notice, and how many are missing in it.
    fn hole(&mut self, gap: Duration) -> (Duration, u64) {
        let Some(usual) = self.usual.filter(|usual| !usual.is_zero()) else {
            self.usual = (!gap.is_zero()).then_some(gap);
            return Default::default();
        };
        if is_freeze(gap, usual) {
            let missing = (gap.as_secs_f64() / usual.as_secs_f64()).round() - 1.0;
            return (gap, missing.max(0.0) as u64);
        }
        self.usual = Some(usual - usual / USUAL_SHARE + gap / USUAL_SHARE);
        Default::default()
    }
}

impl Clock {
    fn due(&self, time: Duration) -> Instant {
        let early = self.from.saturating_sub(time);
        let due = self.since + time.saturating_sub(self.from);
        due.checked_sub(early).unwrap_or(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(40);

    /// Has a second of pictures come on time, and yields what comes next and when.
    fn playing(player: &mut Player) -> (Duration, Instant) {
        let start = Instant::now();
        for index in 0..25 {
            let shown = player.show(Duration::from_secs(1_000) + STEP * index, start + STEP * index);
            assert_eq!(shown, Shown::default(), "{index}");
        }
        (Duration::from_secs(1_001), start + STEP * 25)
    }

    #[test]
    fn a_picture_that_comes_late_is_a_freeze_and_those_after_it_are_not() {
        for (late_ms, frozen_ms) in [(0, 0), (150, 0), (151, 151), (3_000, 3_000)] {
            let mut player = Player::patient();
            let (time, now) = playing(&mut player);
            let late = now + Duration::from_millis(late_ms);
            let shown = player.show(time, late);
            assert_eq!((shown.frozen, shown.missing), (Duration::from_millis(frozen_ms), 0), "{late_ms}");
            assert_eq!(player.show(time + STEP, late + STEP), Shown::default());
            // What comes at once after a stall is shown one after the other.
            let shown = player.show(time + 3 * STEP, late + STEP);
            assert_eq!((shown.wait, shown.frozen), (2 * STEP, Duration::ZERO));
        }
    }

    #[test]
    fn a_hole_in_the_times_is_pictures_that_are_missing() {
        let mut player = Player::patient();
        let (time, now) = playing(&mut player);
        let hole = Duration::from_millis(400);
        let shown = player.show(time + hole, now + hole);
        assert_eq!((shown.frozen, shown.missing), (hole + STEP, 10));
        assert_eq!(player.show(time + hole + STEP, now + hole + STEP), Shown::default());
    }

    #[test]
    fn a_segment_is_loaded_at_once_and_shown_over_its_time() {
        let mut player = Player::patient();
        let start = Instant::now();
        for segment in 0..5 {
            // Each comes as the one before is half shown.
            let now = start + (Duration::from_secs(2) * segment).saturating_sub(Duration::from_secs(1));
            for index in 0..50 {
                let time = STEP * (segment * 50 + index);
                let shown = player.show(time, now);
                assert_eq!((shown.frozen, shown.missing), Default::default());
                assert_eq!(now + shown.wait, start + time);
            }
        }
        // The sixth comes a second too late.
        let shown = player.show(STEP * 250, start + Duration::from_secs(11));
        assert_eq!((shown.wait, shown.frozen), (Duration::ZERO, Duration::from_secs(1)));
    }

    #[test]
    fn a_live_player_is_never_further_behind_than_its_buffer() {
        let buffer = Duration::from_millis(200);
        let mut player = Player::live(buffer);
        let now = Instant::now();
        let waits: Vec<Duration> = (0..25).map(|index| player.show(STEP * index, now).wait).collect();
        assert!(waits.iter().all(|wait| *wait <= buffer) && waits[24] == buffer, "{waits:?}");
        let shown = player.show(STEP * 25, now + buffer + STEP + Duration::from_millis(200));
        assert_eq!(shown.frozen, Duration::from_millis(200));
    }

    #[test]
    fn other_times_go_on_after_those_before() {
        for (next, is_told) in [(Duration::from_secs(5), false), (Duration::from_secs(9_000), false), (STEP, true)] {
            let mut player = Player::patient();
            let (_, now) = playing(&mut player);
            if is_told {
                player.break_off();
            }
            assert_eq!(player.show(next, now), Shown::default());
            assert_eq!(player.show(next + STEP, now + STEP), Shown::default());
        }
    }
}
