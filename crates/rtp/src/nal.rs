//! What the payload formats of H.264 and H.265 have in common: whole units, aggregates, fragments.

mod builder;
mod packetizer;
mod parameter_sets;

use headwater_media::TrackParameters;
use smallvec::SmallVec;

use crate::RtpError;

pub(crate) use builder::NalBuilder;
pub(crate) use packetizer::NalPacketizer;
pub(crate) use parameter_sets::ParameterSets;

/// The few bytes before the media in a payload.
pub(crate) type Prefix = SmallVec<[u8; 4]>;

/// What differs between H.264 and H.265.
pub(crate) trait NalFormat: Send {
    /// Its name in errors.
    const NAME: &'static str;
    /// Bytes of a NAL unit header.
    const HEADER_BYTES: usize;

    /// What a unit is for.
    fn role(nal: &[u8]) -> Role;
    /// Whether a decoder can start at this frame.
    fn is_random_access(frame: &[u8]) -> bool;

    /// The header of an aggregate of these units.
    fn aggregate_prefix(nals: &[&[u8]]) -> Prefix;
    /// The header of a fragment of this unit.
    fn fragment_prefix(nal: &[u8], is_first: bool, is_last: bool) -> Prefix;
    /// What a payload holds.
    fn read(payload: &[u8]) -> Result<Unit<'_>, RtpError>;

    /// Type and id of a parameter set.
    fn set_key(nal: &[u8]) -> Option<(u8, u8)>;
    /// The parameter sets in the configuration record.
    fn sets_of(parameters: &TrackParameters) -> Vec<bytes::Bytes>;
    /// The parameters of a track with these parameter sets.
    fn parameters(sets: &ParameterSets) -> Result<TrackParameters, RtpError>;
    /// The same parameter set with the promise that nothing is reordered; `None` if it cannot be made or is none.
    fn without_reordering(nal: &[u8]) -> Option<bytes::Bytes>;
}

/// What a NAL unit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A slice of the picture.
    Slice,
    /// A parameter set: kept in the configuration record of the track and sent in band before key frames.
    ParameterSet,
    /// A delimiter or filler: RTP needs none, so none is sent.
    Padding,
    /// Anything else.
    Other,
}

/// What a payload holds.
pub(crate) enum Unit<'a> {
    /// One whole NAL unit.
    Whole(&'a [u8]),
    /// Several whole units, each behind its length in two bytes.
    Aggregate(&'a [u8]),
    /// A part of one.
    Fragment {
        /// Its first part.
        is_first: bool,
        /// Its last part.
        is_last: bool,
        /// The unit's header.
        header: Prefix,
        /// The part, without header.
        data: &'a [u8],
    },
}
