//! A media presentation description as data (ISO/IEC 23009-1 §5).

use std::time::Duration;

use headwater_media::TrackKind;

use crate::names::RenditionName;

/// A media presentation description.
#[derive(Clone, Debug, PartialEq)]
pub struct Mpd {
    /// `availabilityStartTime`, from the beginning of 1970; the times of Periods count from it.
    pub anchor: Duration,
    /// When it was made, from the beginning of 1970.
    pub published: Duration,
    /// How often something is added.
    pub update: Duration,
    /// How far back players can go.
    pub window: Duration,
    /// The longest segment.
    pub longest: Duration,
    /// There will be nothing more; without it there will.
    pub end: Option<Duration>,
    /// The oldest first.
    pub periods: Vec<PeriodElement>,
}

/// What is played with the same decoders and without a break (ISO/IEC 23009-1 §5.3.2).
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodElement {
    /// When it begins.
    pub start: Duration,
    /// Stream time at its beginning.
    pub offset: Duration,
    /// The picture, then the sound.
    pub sets: Vec<AdaptationSet>,
}

/// What is played in turn (ISO/IEC 23009-1 §5.3.3).
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptationSet {
    /// What it holds.
    pub kind: TrackKind,
    /// Whether a decoder can start at each segment.
    pub is_independent: bool,
    /// At least one.
    pub representations: Vec<Representation>,
}

/// One rendition (ISO/IEC 23009-1 §5.3.5).
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Its name in addresses, and what it is known by.
    pub name: RenditionName,
    /// RFC 6381 name of its codec.
    pub codec: Option<String>,
    /// The highest bitrate of its segments, in bits per second.
    pub bandwidth: u64,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// Pictures in a second.
    pub frame_rate: Option<f64>,
    /// Samples in a second, and channels.
    pub sound: Option<(u32, u8)>,
    /// Ticks in a second.
    pub timescale: u32,
    /// The key of its initialization section and of all its segments.
    pub key: u64,
    /// When segments begin and how long they last, in ticks of stream time.
    pub segments: Vec<(u64, u64)>,
}
