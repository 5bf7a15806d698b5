//! Why something cannot be written.

use headwater_codec::CodecError;
use headwater_media::Codec;

/// Why something cannot be written as a transport stream.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TsError {
    /// There is no agreed way to carry it.
    #[error("{0} is not carried in transport streams; H.264, H.265 and AAC are")]
    Codec(Codec),
    /// The source's configuration record or frame cannot be read.
    #[error(transparent)]
    Malformed(#[from] CodecError),
    /// ADTS cannot say what the track is, or a frame of it is too long.
    #[error("ADTS has no header for this AAC")]
    Adts,
}
