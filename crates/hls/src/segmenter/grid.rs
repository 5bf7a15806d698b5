//! Where renditions that are played in turn are cut alike.

use std::time::Duration;

/// Segments that there may be, at the beginning, before the newest frame.
const SLOTS_BACK: u64 = 6;

/// So much of a slot before it belongs to it: key frames are asked for a little early.
const EARLY: f64 = 0.25;

/// Slots of the stream's time, one for each segment, that all renditions of a picture share: their segments begin with
/// the first key frame of the same slot, and have the same numbers, so that players find their place in another
/// rendition without a search.
///
/// ```text
///  slots     |         |         |         |
///  large     K    k    K    k     K    k    K        K begins a segment
///  small     K k  k    K    k k   K      k  K
/// ```
///
/// A key frame that comes earlier than a slot by up to a quarter of it belongs to that slot. No segment is shorter than
/// half a slot: ffmpeg's reader of DASH looks for its place by whole seconds (`refresh_manifest` of libavformat), and goes
/// back to a segment that began less than a second before the next one.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    segment: Duration,
    slot: u64,
    sequence: u64,
}

impl Grid {
    /// A grid of slots of this length. Numbers begin with `sequence`, some slots before the stream time `newest`.
    pub fn new(segment: Duration, newest: Duration, sequence: u64) -> Grid {
        let slot = slot_of(newest, segment).saturating_sub(SLOTS_BACK);
        Grid { segment, slot, sequence }
    }

    /// The number of a segment that begins at a stream time.
    pub(super) fn sequence(&self, start: Duration) -> u64 {
        self.sequence.saturating_add(slot_of(start, self.segment).saturating_sub(self.slot))
    }

    /// When the slot after that of a segment that begins then begins itself.
    pub(super) fn end(&self, start: Duration) -> Duration {
        let slot = u32::try_from(slot_of(start, self.segment).saturating_add(1)).unwrap_or(u32::MAX);
        self.segment.saturating_mul(slot)
    }

    /// Whether a time lies in a later slot than the beginning of a segment.
    pub(super) fn ends(&self, start: Duration, next: Duration) -> bool {
        slot_of(next, self.segment) > slot_of(start, self.segment)
    }

    /// Whether a segment is as long as one has to be.
    pub(super) fn is_long(&self, duration: Duration) -> bool {
        duration >= self.segment / 2
    }
}

fn slot_of(time: Duration, segment: Duration) -> u64 {
    // Times of streams are far from where an f64 loses milliseconds.
    (time.as_secs_f64() / segment.as_secs_f64().max(0.001) + EARLY) as u64
}
