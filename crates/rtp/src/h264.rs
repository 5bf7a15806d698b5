//! H.264 (RFC 6184): packetization mode 1 written; modes 0 and 1 read.

use bytes::Bytes;
use headwater_codec::h264::{self, AvcConfig, nal_type};
use headwater_codec::parameters::from_config;
use headwater_media::{Codec, TrackParameters};
use smallvec::smallvec;

use crate::nal::{NalBuilder, NalFormat, NalPacketizer, ParameterSets, Prefix, Role, Unit};
use crate::{PacketizerOptions, RtpError};

pub(crate) fn packetizer(options: PacketizerOptions) -> NalPacketizer<H264> {
    NalPacketizer::new(options)
}

pub(crate) fn builder(parameters: TrackParameters) -> NalBuilder<H264> {
    NalBuilder::new(parameters)
}

/// The payload format of H.264.
pub(crate) struct H264;

/// Packet types beyond the NAL unit types (RFC 6184 §5.2).
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// Bits of the fragment header (RFC 6184 §5.8).
const START: u8 = 0x80;
const END: u8 = 0x40;

impl NalFormat for H264 {
    const NAME: &'static str = "H.264";
    const HEADER_BYTES: usize = 1;

    fn role(nal: &[u8]) -> Role {
        match h264::unit_type(nal) {
            nal_type::SLICE..=nal_type::IDR => Role::Slice,
            nal_type::SPS | nal_type::PPS => Role::ParameterSet,
            nal_type::AUD | nal_type::FILLER => Role::Padding,
            _ => Role::Other,
        }
    }

    fn is_random_access(frame: &[u8]) -> bool {
        h264::is_random_access(frame)
    }

    fn aggregate_prefix(nals: &[&[u8]]) -> Prefix {
        // RFC 6184 §5.7: the highest importance of all, and forbidden if one is.
        let importance = nals.iter().map(|nal| h264::ref_idc(nal)).max().unwrap_or(0);
        let forbidden = nals.iter().filter_map(|nal| nal.first()).fold(0, |bits, byte| bits | (byte & 0x80));
        smallvec![forbidden | (importance << 5) | STAP_A]
    }

    fn fragment_prefix(nal: &[u8], is_first: bool, is_last: bool) -> Prefix {
        let header = nal.first().copied().unwrap_or(0);
        let flags = if is_first { START } else { 0 } | if is_last { END } else { 0 };
        smallvec![(header & 0xe0) | FU_A, flags | (header & 0x1f)]
    }

    fn read(payload: &[u8]) -> Result<Unit<'_>, RtpError> {
        let (&first, rest) = payload.split_first().ok_or(RtpError::payload(Self::NAME, "it is empty"))?;
        match first & 0x1f {
            1..=23 => Ok(Unit::Whole(payload)),
            STAP_A => Ok(Unit::Aggregate(rest)),
            FU_A => {
                let (&fragment, data) =
                    rest.split_first().ok_or(RtpError::payload(Self::NAME, "a fragment has no header"))?;
                Ok(Unit::Fragment {
                    is_first: fragment & START != 0,
                    is_last: fragment & END != 0,
                    header: smallvec![(first & 0xe0) | (fragment & 0x1f)],
                    data,
                })
            }
            _ => Err(RtpError::payload(Self::NAME, "its packet type belongs to interleaved mode")),
        }
    }

    fn set_key(nal: &[u8]) -> Option<(u8, u8)> {
        Some((h264::unit_type(nal), h264::parameter_set_id(nal)?))
    }

    fn sets_of(parameters: &TrackParameters) -> Vec<Bytes> {
        let record = AvcConfig::parse(&parameters.config);
        record.map(|record| record.sps.into_iter().chain(record.pps).collect()).unwrap_or_default()
    }

    fn parameters(sets: &ParameterSets) -> Result<TrackParameters, RtpError> {
        let record = AvcConfig::from_parameter_sets(sets.of_type(nal_type::SPS), sets.of_type(nal_type::PPS))?;
        Ok(from_config(Codec::H264, record.write())?)
    }

    fn without_reordering(nal: &[u8]) -> Option<Bytes> {
        if h264::unit_type(nal) != nal_type::SPS {
            return None;
        }
        h264::without_reordering(nal).ok()
    }
}
