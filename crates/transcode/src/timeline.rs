//! When decoded sound is to be heard: by counting samples, steered by the timestamps of the source.
//!
//! Timestamps alone do not do: RTMP rounds them to milliseconds, some encoders stamp by the wall clock, and a sound
//! card's clock is never quite the one of the picture. Counting alone does not do either: it drifts away from the
//! picture, and does not know of losses. So samples are counted, and the difference to the timestamps decides:
//!
//! | difference | what is done |
//! |---|---|
//! | as large as the usual jitter | nothing |
//! | small and lasting | the sound is stretched, too little to be heard |
//! | larger than jitter explains | silence is put in, or sound left out |
//! | half a second and more | the time line starts afresh |

use headwater_media::{ClockRate, Ticks};

/// What is to be done before a piece of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: it follows the one before.
    Follows,
    /// So many samples are missing before it.
    Gap(usize),
    /// So many samples come too late, in it and, if they are more than it has, in those after it.
    Overlap(usize),
    /// It belongs to another time, by so many samples: start afresh.
    Jump(Ticks),
}

/// The time line of one input format, in samples.
#[derive(Debug)]
pub(crate) struct Timeline {
    rate: ClockRate,
    next: Ticks,
    /// The lasting part of the difference, in samples.
    drift: f64,
    /// How far timestamps usually are from what is counted, in samples.
    jitter: f64,
    stretching: bool,
}

/// Differences from here on are a new time line.
const JUMP_MS: f64 = 500.0;
/// Differences of this size may be jitter, if it is usually large, ...
const STEP_MAX_MS: f64 = 60.0;
/// ... and of this size always may.
const STEP_MIN_MS: f64 = 8.0;
/// A difference that is so many times the usual one is not jitter.
const STEP_JITTER: f64 = 8.0;
/// What jitter is taken to be at first.
const JITTER_START_MS: f64 = 1.5;
/// How many pieces the averages look back.
const AVERAGE: f64 = 32.0;
/// A lasting difference is corrected from here ...
const DRIFT_START_MS: f64 = 1.25;
/// ... to here.
const DRIFT_STOP_MS: f64 = 0.25;
/// From here on it is corrected faster.
const DRIFT_LARGE_MS: f64 = 8.0;
/// Stretching changes at most one sample in so many: 7 hundredths of a semitone.
const STRETCH_FAST: usize = 256;
/// The same where the difference is small: 2 hundredths of a semitone.
const STRETCH_GENTLE: usize = 1_024;

impl Timeline {
    /// A time line whose next sample is that of time `next`, in samples.
    pub(crate) fn new(rate: ClockRate, next: Ticks) -> Timeline {
        let mut timeline = Timeline { rate, next, drift: 0.0, jitter: 0.0, stretching: false };
        timeline.jitter = timeline.samples(JITTER_START_MS);
        timeline
    }

    /// Samples in a second.
    pub(crate) fn rate(&self) -> ClockRate {
        self.rate
    }

    /// Goes on counting samples of another rate.
    pub(crate) fn set_rate(&mut self, rate: ClockRate) {
        *self = Timeline::new(rate, self.rate.rescale(self.next, rate));
    }

    /// Compares the time that the next piece is stamped with, in samples, with what is counted.
    ///
    /// A gap counts as filled afterwards.
    pub(crate) fn judge(&mut self, stamp: Ticks) -> Verdict {
        let difference = stamp.saturating_sub(self.next);
        let size = (difference as f64).abs();
        if size >= self.samples(JUMP_MS) {
            return Verdict::Jump(difference);
        }
        let step = (self.jitter * STEP_JITTER).clamp(self.samples(STEP_MIN_MS), self.samples(STEP_MAX_MS));
        self.jitter += (size.min(step) - self.jitter) / AVERAGE;
        if size <= step {
            self.drift += (difference as f64 - self.drift) / AVERAGE;
            return Verdict::Follows;
        }
        self.drift = 0.0;
        self.stretching = false;
        let samples = usize::try_from(difference.unsigned_abs()).unwrap_or(usize::MAX);
        if difference < 0 { Verdict::Overlap(samples) } else { Verdict::Gap(samples) }
    }

    /// Counts a piece; says by how many samples it is to be made longer (or shorter) to follow the timestamps.
    pub(crate) fn advance(&mut self, length: usize) -> Ticks {
        let by = self.stretching_by(length);
        self.drift -= by as f64;
        self.next = self.next.saturating_add(length as Ticks).saturating_add(by);
        by
    }

    fn stretching_by(&mut self, length: usize) -> Ticks {
        let limit = if self.stretching { DRIFT_STOP_MS } else { DRIFT_START_MS };
        self.stretching = self.drift.abs() > self.samples(limit);
        if !self.stretching || length == 0 {
            return 0;
        }
        let large = self.drift.abs() > self.samples(DRIFT_LARGE_MS);
        let most = (length / if large { STRETCH_FAST } else { STRETCH_GENTLE }).max(1) as Ticks;
        (self.drift as Ticks).clamp(-most, most)
    }

    fn samples(&self, milliseconds: f64) -> f64 {
        milliseconds * f64::from(self.rate.hertz()) / 1_000.0
    }
}

#[cfg(test)]
mod tests;
