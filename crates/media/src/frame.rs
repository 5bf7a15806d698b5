//! A coded access unit.

use bytes::Bytes;

use crate::Ticks;

/// One coded access unit: one picture, or one packet of an audio coder.
///
/// How `data` is laid out depends on the codec:
///
/// | codec | layout |
/// |---|---|
/// | H.264, H.265 | NAL units, each behind its length in four bytes, big endian (ISO/IEC 14496-15 §5.3.2 with `lengthSizeMinusOne` 3) |
/// | AV1 | OBUs with size fields, without temporal delimiters (AV1 in ISOBMFF §2.4) |
/// | VP8, VP9 | one frame (VP9: or one superframe) |
/// | AAC | one raw data block without ADTS header |
/// | Opus | one packet (RFC 6716 §3) |
/// | G.711, G.722 | the octets of any number of samples |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it is to be decoded. Never runs backwards within a lane, except across a discontinuity.
    pub dts: Ticks,
    /// When it is to be shown. At least `dts` but for sources that do not keep to it.
    pub pts: Ticks,
    /// Whether a decoder can start here. Always true for audio.
    pub random_access: bool,
    /// The coded bytes, shared by everyone who reads them.
    pub data: Bytes,
}
