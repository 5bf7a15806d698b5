//! The codecs that a track may carry.

use std::fmt;

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrackKind::Audio => "audio",
            TrackKind::Video => "video",
        })
    }
}

/// A coding format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// ITU-T H.264, ISO/IEC 14496-10.
    H264,
    /// ITU-T H.265, ISO/IEC 23008-2.
    H265,
    /// VP8, RFC 6386.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1.
    Av1,
    /// MPEG-4 AAC, ISO/IEC 14496-3.
    Aac,
    /// Opus, RFC 6716.
    Opus,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// MPEG-1/2 layer III.
    Mp3,
}

impl Codec {
    /// Whether it codes sound or picture.
    pub const fn kind(self) -> TrackKind {
        match self {
            Codec::H264 | Codec::H265 | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => TrackKind::Video,
            Codec::Aac | Codec::Opus | Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Mp3 => TrackKind::Audio,
        }
    }

    /// The name people use, as it stands in the API, the logs and the pages.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::H264 => "H264",
            Codec::H265 => "H265",
            Codec::Vp8 => "VP8",
            Codec::Vp9 => "VP9",
            Codec::Av1 => "AV1",
            Codec::Aac => "AAC",
            Codec::Opus => "opus",
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Mp3 => "MP3",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
