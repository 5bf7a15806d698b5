//! How long a frame lasts, and what is no jitter any more.

use std::time::Duration;

use headwater_codec::aac::AudioSpecificConfig;
use headwater_media::{ClockRate, Codec, Frame, TrackKind, TrackParameters};

use super::{Break, samples_of};

/// A frame that comes later than this after the one before it does not continue it.
pub const GAP_MAX: Duration = Duration::from_secs(10);
/// A frame that is earlier than the one before it by more than this does not continue it.
pub const RETURN_MAX: Duration = Duration::from_millis(500);

/// Sound that is off by less is left as it is: stamps in milliseconds are.
const STILL: Duration = Duration::from_millis(2);
/// Sound that is off by more has a hole in it, or an overlap.
const JITTER: Duration = Duration::from_millis(60);
/// Sound that is off is brought back by this part of each packet, which nobody hears.
const SLEW: u64 = 64;
/// Steps from picture to picture that are learnt from.
const STEP_MIN: Duration = Duration::from_millis(4);
const STEP_MAX: Duration = Duration::from_secs(1);
/// Pictures in a second until something is known.
const FRAME_RATE: f64 = 30.0;

/// The rules for one track, in its own ticks.
#[derive(Debug)]
pub(super) struct Rules {
    codec: Codec,
    aac: Option<AudioSpecificConfig>,
    rate: ClockRate,
    /// How long the last frame lasted, or what is known before that.
    step: u64,
}

impl Rules {
    pub(super) fn new(parameters: &TrackParameters) -> Rules {
        let rate = parameters.clock_rate;
        let frame_rate = parameters.video().and_then(|video| video.frame_rate);
        let frame_rate = frame_rate.filter(|rate| (1.0..=1_000.0).contains(rate)).unwrap_or(FRAME_RATE);
        let aac = (parameters.codec == Codec::Aac).then(|| AudioSpecificConfig::parse(&parameters.config).ok());
        // Between 1 and 1,000 in a second, so it fits.
        let step = (f64::from(rate.hertz()) / frame_rate) as u64;
        Rules { codec: parameters.codec, aac: aac.flatten(), rate, step: step.max(1) }
    }

    pub(super) fn rate(&self) -> ClockRate {
        self.rate
    }

    pub(super) fn kind(&self) -> TrackKind {
        self.codec.kind()
    }

    /// Samples of a packet of sound.
    pub(super) fn samples(&self, frame: &Frame) -> Option<u32> {
        samples_of(self.codec, self.aac.as_ref(), frame)
    }

    /// What lies between two source times, if not a frame.
    pub(super) fn break_between(&self, before: u64, after: u64) -> Option<Break> {
        let (gap, back) = (after.saturating_sub(before), before.saturating_sub(after));
        if gap > self.ticks(GAP_MAX) {
            Some(Break::Gap(gap))
        } else if back > self.ticks(RETURN_MAX) {
            Some(Break::Return(back))
        } else {
            None
        }
    }

    /// Takes note of the step between two source times.
    pub(super) fn learn(&mut self, before: u64, after: u64) {
        let step = after.saturating_sub(before);
        if (self.ticks(STEP_MIN)..=self.ticks(STEP_MAX)).contains(&step) {
            self.step = step;
        }
    }

    /// How long a frame lasts that begins at `start` when the next one comes at `next`.
    pub(super) fn duration(&self, start: u64, next: u64, samples: Option<u32>) -> u32 {
        let until_next = next.saturating_sub(start).max(1);
        let Some(samples) = samples.map(u64::from) else { return fit(until_next) };
        let (late, early) = (until_next.saturating_sub(samples), start.saturating_add(samples).saturating_sub(next));
        if late.max(early) > self.ticks(JITTER) {
            return fit(until_next);
        }
        fit(self.slewed(samples, late, early))
    }

    /// The same for a frame whose source time is `time`, when the next one has not come.
    pub(super) fn foretold(&self, start: u64, time: u64, samples: Option<u32>) -> u32 {
        match samples.map(u64::from) {
            Some(samples) => fit(self.slewed(samples, time.saturating_sub(start), start.saturating_sub(time))),
            // Where it is behind, it catches up by at most a step with each frame.
            None => fit(time.saturating_add(self.step).saturating_sub(start).clamp(1, self.step.saturating_mul(2))),
        }
    }

    fn slewed(&self, samples: u64, late: u64, early: u64) -> u64 {
        let still = self.ticks(STILL);
        let slew = (samples / SLEW).max(1);
        if late > still {
            samples.saturating_add(late.min(slew))
        } else if early > still {
            samples.saturating_sub(early.min(slew)).max(1)
        } else {
            samples
        }
    }

    fn ticks(&self, duration: Duration) -> u64 {
        self.rate.ticks(duration).unsigned_abs()
    }
}

/// Breaks keep it below what 32 bits hold.
fn fit(duration: u64) -> u32 {
    u32::try_from(duration).unwrap_or(u32::MAX)
}
