//! Four-character codec names of enhanced RTMP.

use std::fmt;

use headwater_media::Codec;

/// A codec by four characters, as enhanced RTMP names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

/// The names this crate reads and writes. The first one of a codec is the one written.
const NAMES: &[(&[u8; 4], Codec)] = &[
    (b"avc1", Codec::H264),
    (b"hvc1", Codec::H265),
    (b"hev1", Codec::H265),
    (b"av01", Codec::Av1),
    (b"vp09", Codec::Vp9),
    (b"vp08", Codec::Vp8),
    (b"Opus", Codec::Opus),
    (b"mp4a", Codec::Aac),
    (b".mp3", Codec::Mp3),
];

impl FourCc {
    /// All names that a peer may announce to us, for the connect command.
    pub fn supported() -> impl Iterator<Item = FourCc> {
        NAMES.iter().map(|(name, _)| FourCc(**name)).filter(|name| name.0 != *b"hev1")
    }

    /// The codec of this name, if it is supported.
    pub fn codec(self) -> Option<Codec> {
        NAMES.iter().find(|(name, _)| **name == self.0).map(|(_, codec)| *codec)
    }

    /// The name of a codec, if enhanced RTMP has one.
    pub fn of(codec: Codec) -> Option<FourCc> {
        NAMES.iter().find(|(_, other)| *other == codec).map(|(name, _)| FourCc(**name))
    }

    /// The name as the number that metadata carries: its four characters, big endian.
    pub fn number(self) -> u32 {
        u32::from_be_bytes(self.0)
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
