//! A frame with its place in a track.

use bytes::Bytes;

/// A frame with its place in a track, as a fragment carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it is decoded, in ticks of the track from the beginning of its time line: the sum of all durations
    /// before it since the last break.
    pub decode_time: u64,
    /// How long it lasts, in ticks of the track.
    pub duration: u32,
    /// How long after its decoding it is shown, in ticks of the track; negative where the source says so.
    pub composition_offset: i32,
    /// Whether a decoder can start here.
    pub sync: bool,
    /// The coded bytes, shared with the frame.
    pub data: Bytes,
}

impl Sample {
    /// When the next sample of the track begins, in ticks of the track.
    pub fn end(&self) -> u64 {
        self.decode_time.saturating_add(u64::from(self.duration))
    }

    /// When it is shown, in ticks of the track.
    pub fn presentation_time(&self) -> u64 {
        self.decode_time.saturating_add_signed(i64::from(self.composition_offset))
    }
}
