//! What the body of an audio or video tag says.

use bytes::Bytes;
use headwater_media::{AudioFormat, Codec};
use smallvec::SmallVec;

/// All that one tag body says: mostly one event, more with multitrack.
pub type Events = SmallVec<[MediaEvent; 2]>;

/// What a tag body says about one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaEvent {
    /// Which track of its kind: zero but for multitrack.
    pub track: u8,
    /// The coding format.
    pub codec: Codec,
    /// What is said.
    pub media: Media,
}

/// What a tag body carries for a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// A decoder configuration record, as `headwater_media::TrackParameters::config` describes it. Records that
    /// announce NAL unit lengths of other than four bytes come out rewritten, as do the frames after them.
    Config(Bytes),
    /// The sound format of a codec that has no configuration record; comes before its first frame and at changes.
    Sound(AudioFormat),
    /// One access unit.
    Frame(CodedFrame),
    /// The source says that no more frames follow for now.
    End,
    /// AMF-coded metadata of the picture, such as `colorInfo`.
    Metadata(Bytes),
}

/// One access unit, with its times relative to the timestamp of its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodedFrame {
    /// Whether a decoder can start here; always true for audio.
    pub key: bool,
    /// Presentation time minus decoding time, in milliseconds.
    pub composition_ms: i32,
    /// To be added to both times, in nanoseconds, below one million (ModEx TimestampOffsetNano).
    pub nanos: u32,
    /// The coded bytes, in the layout of `headwater_media::Frame`; shares the memory of the tag where it can.
    pub data: Bytes,
}
