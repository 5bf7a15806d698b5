//! RTMP timestamps -> stream time.
//!
//! RTMP counts milliseconds in 32 bits, from wherever the encoder likes. Here they become 64 bits that do not
//! wrap, count from where the publisher begins, and go on evenly where the encoder's clock jumps.

/// A step of more than this, either way, is no pause but another clock.
const JUMP_MS: i64 = 10_000;
/// How far apart the two sides of a bridged jump are put: about a frame.
const BRIDGE_MS: i64 = 20;

/// Maps the timestamps of one publisher, audio and video together, to milliseconds from its beginning.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    timestamp: u32,
    /// What `timestamp` was mapped to.
    mapped: i64,
    /// The latest time mapped so far.
    latest: i64,
}

/// A mapped timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// Milliseconds from the publisher's first frame.
    pub(crate) ms: i64,
    /// The encoder's clock has jumped right before this.
    pub(crate) jumped: bool,
}

impl Timeline {
    pub(crate) fn map(&mut self, timestamp: u32) -> Mapped {
        let Some(last) = self.last else {
            self.last = Some(Last { timestamp, mapped: 0, latest: 0 });
            return Mapped { ms: 0, jumped: false };
        };
        // The nearest way round, so that a wrap is a small step.
        let step = i64::from(timestamp.wrapping_sub(last.timestamp) as i32);
        let jumped = step.abs() > JUMP_MS;
        let ms = if jumped { last.latest.saturating_add(BRIDGE_MS) } else { last.mapped.saturating_add(step) };
        self.last = Some(Last { timestamp, mapped: ms, latest: last.latest.max(ms) });
        Mapped { ms, jumped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(timestamps: &[u32]) -> Vec<i64> {
        let mut timeline = Timeline::default();
        timestamps.iter().map(|timestamp| timeline.map(*timestamp).ms).collect()
    }

    #[test]
    fn time_counts_from_the_first_frame_and_passes_every_wrap() {
        assert_eq!(map(&[1_000, 1_040, 1_020, 1_080]), [0, 40, 20, 80]);
        assert_eq!(map(&[0xff_fff0, 0x100_0010]), [0, 32]);
        assert_eq!(map(&[u32::MAX - 9, 10, 30]), [0, 20, 40]);
        assert_eq!(map(&[40, 0, 80]), [0, -40, 40]);
    }

    #[test]
    fn a_jump_of_the_encoders_clock_is_bridged() {
        assert_eq!(map(&[0, 40, 3_600_000, 3_600_040]), [0, 40, 60, 100]);
        assert_eq!(map(&[3_600_000, 3_600_040, 0, 40]), [0, 40, 60, 100]);
        let mut timeline = Timeline::default();
        assert!(!timeline.map(0).jumped);
        assert!(timeline.map(20_000).jumped);
    }

    #[test]
    fn a_pause_shorter_than_the_limit_stays_a_pause() {
        assert_eq!(map(&[0, 9_000]), [0, 9_000]);
    }
}
