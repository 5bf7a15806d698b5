//! Whether the delay grows: a line through the last groups, and a threshold that follows the network's own noise.
//!
//! Source: draft-ietf-rmcat-gcc-02 §5.3, §5.4; the line in place of the Kalman filter, and its gain, as libwebrtc has
//! them; Carlucci et al., "Analysis and Design of the Google Congestion Control for WebRTC", MMSys 2016, for the
//! threshold.

use super::groups::Variation;

/// Groups that the line goes through.
const GROUPS: usize = 20;
/// How much of the former delay stays in the smoothed one.
const SMOOTHING: f64 = 0.9;
/// The slope is weighed by the number of groups seen, up to this, and by the gain, to be compared with milliseconds.
const WEIGHT_MAX: f64 = 60.0;
const GAIN: f64 = 4.0;
/// The threshold at first, and its bounds, in milliseconds.
const THRESHOLD_FIRST: f64 = 12.5;
const THRESHOLD_MIN: f64 = 6.0;
const THRESHOLD_MAX: f64 = 600.0;
/// How fast it goes up and down, for each millisecond.
const UP: f64 = 0.0087;
const DOWN: f64 = 0.039;
/// A slope so far above the threshold is no noise to follow.
const OUTLIER: f64 = 15.0;
/// The most milliseconds that one group may move it for.
const STEP_MAX: f64 = 100.0;
/// For how many milliseconds the slope has to be above before it counts.
const OVER_MS: f64 = 10.0;

/// What the delay does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Signal {
    #[default]
    Calm,
    /// It grows: more is sent than the network carries.
    Over,
    /// It shrinks: a queue drains.
    Under,
}

/// The line and the threshold.
#[derive(Debug)]
pub(super) struct Trend {
    /// Times of arrival and smoothed delays, in milliseconds from the first group on.
    points: [(f64, f64); GROUPS],
    next: usize,
    /// Groups seen.
    count: u32,
    began: i64,
    delay: f64,
    smoothed: f64,
    slope: f64,
    threshold: f64,
    /// For how long the slope has been above the threshold, and in how many groups.
    over_ms: f64,
    over_groups: u32,
    signal: Signal,
}

impl Trend {
    pub(super) fn new() -> Trend {
        Trend {
            points: [(0.0, 0.0); GROUPS],
            next: 0,
            count: 0,
            began: 0,
            delay: 0.0,
            smoothed: 0.0,
            slope: 0.0,
            threshold: THRESHOLD_FIRST,
            over_ms: 0.0,
            over_groups: 0,
            signal: Signal::Calm,
        }
    }

    /// What the delay does, as of the last group.
    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    /// Takes another group.
    pub(super) fn push(&mut self, variation: Variation) {
        if self.count == 0 {
            self.began = variation.at;
        }
        self.count = self.count.saturating_add(1);
        let at = millis(variation.at.saturating_sub(self.began));
        self.delay += millis(variation.arrival.saturating_sub(variation.sent));
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.delay;
        if let Some(point) = self.points.get_mut(self.next) {
            *point = (at, self.smoothed);
        }
        self.next = (self.next + 1) % GROUPS;
        let former = self.slope;
        if self.count as usize >= GROUPS {
            self.slope = slope(&self.points).unwrap_or(self.slope);
        }
        self.judge(former, millis(variation.sent), millis(variation.arrival));
    }

    fn judge(&mut self, former: f64, sent_ms: f64, arrival_ms: f64) {
        let grade = f64::from(self.count).min(WEIGHT_MAX) * self.slope * GAIN;
        if grade > self.threshold {
            self.over_ms += if self.over_groups == 0 { sent_ms / 2.0 } else { sent_ms };
            self.over_groups = self.over_groups.saturating_add(1);
            if self.over_ms > OVER_MS && self.over_groups > 1 && self.slope >= former {
                (self.over_ms, self.over_groups) = (0.0, 0);
                self.signal = Signal::Over;
            }
        } else {
            (self.over_ms, self.over_groups) = (0.0, 0);
            self.signal = if grade < -self.threshold { Signal::Under } else { Signal::Calm };
        }
        self.follow(grade.abs(), arrival_ms);
    }

    /// Moves the threshold towards the noise.
    fn follow(&mut self, grade: f64, elapsed_ms: f64) {
        if grade > self.threshold + OUTLIER {
            return;
        }
        let pace = if grade < self.threshold { DOWN } else { UP };
        let step = pace * (grade - self.threshold) * elapsed_ms.clamp(0.0, STEP_MAX);
        self.threshold = (self.threshold + step).clamp(THRESHOLD_MIN, THRESHOLD_MAX);
    }
}

/// The slope of the line with the least squares; `None` if all points stand above each other.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let mean = (sum.0 / count, sum.1 / count);
    let (mut above, mut below) = (0.0, 0.0);
    for (at, delay) in points {
        above += (at - mean.0) * (delay - mean.1);
        below += (at - mean.0) * (at - mean.0);
    }
    (below > 0.0).then(|| above / below)
}

fn millis(micros: i64) -> f64 {
    micros as f64 / 1_000.0
}
