//! What can be wrong with FLV and AMF data; all of it is the doing of the peer.

use headwater_media::TrackKind;

use crate::FourCc;

/// Why FLV or AMF data was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
    /// The data ends too early.
    #[error("the data ends in the middle of {0}")]
    Truncated(&'static str),
    /// The data breaks the format.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// More than a limit of `headwater_media::limits` allows.
    #[error("over the limit: {0}")]
    Limit(&'static str),
    /// A codec number of the old header that is not supported.
    #[error("{kind} codec number {id} is not supported")]
    UnsupportedCodec {
        /// Sound or picture.
        kind: TrackKind,
        /// The number in the tag header.
        id: u8,
    },
    /// A codec of the enhanced header that is not supported.
    #[error("codec {0} is not supported")]
    UnsupportedFourCc(FourCc),
    /// An AMF type that is not read: XML, externalizable objects, dictionaries and unknown markers.
    #[error("AMF type {0:#04x} is refused")]
    RefusedAmfType(u8),
}
