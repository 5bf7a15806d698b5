//! Media time: ticks of a clock rate, counted from the epoch of their stream.

use std::{fmt, num::NonZeroU32, time::Duration};

/// A point on a stream's time line, in ticks of the track's clock rate.
///
/// All tracks of a stream count from one common epoch, so `ticks / rate` of an audio and of a video item
/// captured together is the same: this is what keeps sound and picture in sync across every conversion.
/// Extended to 64 bits, so it does not wrap.
pub type Ticks = i64;

/// How many ticks a track's clock makes in a second.
///
/// Source: RFC 3551 §2, clock rate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockRate(NonZeroU32);

impl ClockRate {
    /// Milliseconds, the clock of RTMP and FLV.
    pub const MILLISECONDS: ClockRate = ClockRate(NonZeroU32::new(1_000).unwrap());
    /// 90 kHz, the clock of all video over RTP.
    pub const VIDEO: ClockRate = ClockRate(NonZeroU32::new(90_000).unwrap());
    /// 48 kHz, the clock of Opus over RTP whatever the sample rate (RFC 7587 §4.1).
    pub const OPUS: ClockRate = ClockRate(NonZeroU32::new(48_000).unwrap());

    /// A clock rate in hertz, or `None` for zero.
    pub const fn new(hertz: u32) -> Option<ClockRate> {
        match NonZeroU32::new(hertz) {
            Some(rate) => Some(ClockRate(rate)),
            None => None,
        }
    }

    /// Ticks in a second.
    pub const fn hertz(self) -> u32 {
        self.0.get()
    }

    /// The same point in time in ticks of another rate, rounded down.
    ///
    /// Saturates at the ends of [`Ticks`].
    pub fn rescale(self, ticks: Ticks, to: ClockRate) -> Ticks {
        if self == to {
            return ticks;
        }
        let scaled = (i128::from(ticks) * i128::from(to.hertz())).div_euclid(i128::from(self.hertz()));
        scaled.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// The length of this many ticks; negative spans count as zero.
    pub fn duration(self, ticks: Ticks) -> Duration {
        let nanos = u128::from(ticks.max(0).unsigned_abs()) * 1_000_000_000 / u128::from(self.hertz());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many whole ticks fit into a duration.
    pub fn ticks(self, duration: Duration) -> Ticks {
        let ticks = duration.as_nanos() * u128::from(self.hertz()) / 1_000_000_000;
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for ClockRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaling_rounds_down_on_both_sides_of_zero() {
        let ms = ClockRate::MILLISECONDS;
        let cases = [(1, 90), (-1, -90), (33, 2_970), (i64::MAX, i64::MAX)];
        for (input, expected) in cases {
            assert_eq!(ms.rescale(input, ClockRate::VIDEO), expected);
        }
        assert_eq!(ClockRate::VIDEO.rescale(-1, ms), -1);
        assert_eq!(ClockRate::VIDEO.rescale(89, ms), 0);
    }

    #[test]
    fn ticks_and_durations_agree() {
        assert_eq!(ClockRate::VIDEO.duration(90_000), Duration::from_secs(1));
        assert_eq!(ClockRate::OPUS.ticks(Duration::from_millis(20)), 960);
        assert_eq!(ClockRate::OPUS.duration(-5), Duration::ZERO);
        assert!(ClockRate::new(0).is_none());
    }
}
