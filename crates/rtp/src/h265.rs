//! H.265 (RFC 7798), without decoding order numbers (`sprop-max-don-diff` 0).

use bytes::Bytes;
use headwater_codec::h265::{self, HevcConfig, nal_type};
use headwater_codec::parameters::from_config;
use headwater_media::{Codec, TrackParameters};
use smallvec::smallvec;

use crate::nal::{NalBuilder, NalFormat, NalPacketizer, ParameterSets, Prefix, Role, Unit};
use crate::{PacketizerOptions, RtpError};

pub(crate) fn packetizer(options: PacketizerOptions) -> NalPacketizer<H265> {
    NalPacketizer::new(options)
}

pub(crate) fn builder(parameters: TrackParameters) -> NalBuilder<H265> {
    NalBuilder::new(parameters)
}

/// The payload format of H.265.
pub(crate) struct H265;

/// Packet types beyond the NAL unit types (RFC 7798 §4.4).
const AGGREGATE: u8 = 48;
const FRAGMENT: u8 = 49;
/// Bits of the fragment header (RFC 7798 §4.4.3).
const START: u8 = 0x80;
const END: u8 = 0x40;
/// The type within the first byte of a header.
const TYPE_BITS: u8 = 0x7e;

impl NalFormat for H265 {
    const NAME: &'static str = "H.265";
    const HEADER_BYTES: usize = 2;

    fn role(nal: &[u8]) -> Role {
        match h265::unit_type(nal) {
            kind if kind < nal_type::VCL_END => Role::Slice,
            nal_type::VPS..=nal_type::PPS => Role::ParameterSet,
            nal_type::AUD | nal_type::FILLER => Role::Padding,
            _ => Role::Other,
        }
    }

    fn is_random_access(frame: &[u8]) -> bool {
        h265::is_random_access(frame)
    }

    fn aggregate_prefix(nals: &[&[u8]]) -> Prefix {
        // RFC 7798 §4.4.2: the lowest layer and the lowest temporal id of all, and forbidden if one is.
        let headers = nals.iter().filter_map(|nal| nal.first_chunk::<2>()).map(|header| u16::from_be_bytes(*header));
        let mut forbidden = 0;
        let (mut layer, mut temporal) = (0x3f, 7);
        for header in headers {
            forbidden |= header & 0x8000;
            layer = layer.min((header >> 3) & 0x3f);
            temporal = temporal.min(header & 7);
        }
        let header = forbidden | (u16::from(AGGREGATE) << 9) | (layer << 3) | temporal;
        header.to_be_bytes().into_iter().collect()
    }

    fn fragment_prefix(nal: &[u8], is_first: bool, is_last: bool) -> Prefix {
        let [first, second] = nal.first_chunk::<2>().copied().unwrap_or_default();
        let flags = if is_first { START } else { 0 } | if is_last { END } else { 0 };
        smallvec![(first & !TYPE_BITS) | (FRAGMENT << 1), second, flags | ((first & TYPE_BITS) >> 1)]
    }

    fn read(payload: &[u8]) -> Result<Unit<'_>, RtpError> {
        let (&[first, second], rest) =
            payload.split_first_chunk::<2>().ok_or(RtpError::payload(Self::NAME, "it has no header"))?;
        match (first & TYPE_BITS) >> 1 {
            0..48 => Ok(Unit::Whole(payload)),
            AGGREGATE => Ok(Unit::Aggregate(rest)),
            FRAGMENT => {
                let (&fragment, data) =
                    rest.split_first().ok_or(RtpError::payload(Self::NAME, "a fragment has no header"))?;
                let header = smallvec![(first & !TYPE_BITS) | ((fragment & 0x3f) << 1), second];
                Ok(Unit::Fragment { is_first: fragment & START != 0, is_last: fragment & END != 0, header, data })
            }
            _ => Err(RtpError::payload(Self::NAME, "its packet type is not known")),
        }
    }

    fn set_key(nal: &[u8]) -> Option<(u8, u8)> {
        Some((h265::unit_type(nal), h265::parameter_set_id(nal)?))
    }

    fn sets_of(parameters: &TrackParameters) -> Vec<Bytes> {
        let Ok(record) = HevcConfig::parse(&parameters.config) else {
            return Vec::new();
        };
        let kinds = [nal_type::VPS, nal_type::SPS, nal_type::PPS];
        kinds.into_iter().flat_map(|kind| record.nals(kind).cloned()).collect()
    }

    fn parameters(sets: &ParameterSets) -> Result<TrackParameters, RtpError> {
        let [vps, sps, pps] = [nal_type::VPS, nal_type::SPS, nal_type::PPS].map(|kind| sets.of_type(kind));
        let record = HevcConfig::from_parameter_sets(vps, sps, pps)?;
        Ok(from_config(Codec::H265, record.write())?)
    }

    fn without_reordering(_: &[u8]) -> Option<Bytes> {
        None
    }
}
