//! What cannot be written as MP4, and why.

use headwater_codec::CodecError;
use headwater_media::Codec;

/// Why nothing could be written.
#[derive(Debug, thiserror::Error)]
pub enum Mp4Error {
    /// The codec has no place in MP4 that players know: another rendition has to be asked for.
    #[error("{codec} cannot be carried in MP4; ask for another codec")]
    Codec {
        /// The codec.
        codec: Codec,
    },
    /// The source has not said how its track is to be decoded.
    #[error("the source has sent no decoder configuration of its {codec} track")]
    NoConfiguration {
        /// The codec.
        codec: Codec,
    },
    /// The source's decoder configuration record cannot be read.
    #[error("the source's decoder configuration cannot be read: {0}")]
    Configuration(#[from] CodecError),
    /// A record that is well formed to us, and not to the library that writes it.
    #[error("the source's decoder configuration cannot be written as MP4: {0}")]
    Box(#[from] mp4_atom::Error),
    /// There is no track, or a run without samples.
    #[error("there is nothing to write: {what}")]
    Nothing {
        /// What is missing.
        what: &'static str,
    },
    /// The samples of a run do not follow each other: a fault of the caller.
    #[error("the samples of track {track} do not follow each other: one ends at {end} and the next begins at {begin}")]
    Hole {
        /// The track.
        track: u32,
        /// Where a sample ends, in ticks of the track.
        end: u64,
        /// Where the next one begins, in ticks of the track.
        begin: u64,
    },
    /// A fragment of more than 2 GiB.
    #[error("a fragment would be larger than 2 GiB")]
    TooLarge,
}
