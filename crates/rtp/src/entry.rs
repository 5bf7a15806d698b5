//! Where a decoder can start, seen in packets without putting frames together.

use headwater_codec::{Reader, h264, h265, vp8};
use headwater_media::{Codec, Ticks, TrackKind};

use crate::{
    Vp8Descriptor, Vp9Descriptor,
    h264::H264,
    h265::H265,
    nal::{NalFormat, Unit},
};

/// Finds the first packet of each frame that a decoder can start at.
///
/// Packets come in order of arrival. Of each time only one packet is found, so a key frame of many slices, or one
/// whose parameter sets come in packets of their own, begins once.
#[derive(Debug)]
pub struct EntryFinder {
    codec: Codec,
    found: Option<Ticks>,
}

impl EntryFinder {
    /// For packets of this codec.
    pub fn new(codec: Codec) -> EntryFinder {
        EntryFinder { codec, found: None }
    }

    /// Whether the next packet to arrive is such a one. All packets of sound are, as WebRTC sends it: unfragmented.
    pub fn is_entry(&mut self, time: Ticks, payload: &[u8]) -> bool {
        if self.codec.kind() == TrackKind::Audio {
            return true;
        }
        if self.found == Some(time) || !begins_key_frame(self.codec, payload) {
            return false;
        }
        self.found = Some(time);
        true
    }
}

fn begins_key_frame(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::H264 => has_unit::<H264>(payload, |header| {
            matches!(h264::unit_type(header), h264::nal_type::IDR | h264::nal_type::SPS)
        }),
        // Recommendation H.265 §7.4.2.2: types 16 to 21 are intra random access points.
        Codec::H265 => has_unit::<H265>(payload, |header| {
            h265::is_parameter_set(header) || (16..=21).contains(&h265::unit_type(header))
        }),
        Codec::Vp8 => begins_vp8(payload).unwrap_or(false),
        Codec::Vp9 => begins_vp9(payload).unwrap_or(false),
        Codec::Av1 => payload.first().is_some_and(|first| first & (CONTINUES | NEW_SEQUENCE) == NEW_SEQUENCE),
        _ => false,
    }
}

/// Bits of the aggregation header of AV1 (RTP Payload Format for AV1 §4.4): Z and N.
const CONTINUES: u8 = 0x80;
const NEW_SEQUENCE: u8 = 0x08;

/// Whether a unit of a kind begins in this payload.
fn has_unit<F: NalFormat>(payload: &[u8], is: impl Fn(&[u8]) -> bool) -> bool {
    match F::read(payload) {
        Ok(Unit::Whole(nal)) => is(nal),
        Ok(Unit::Fragment { is_first, header, .. }) => is_first && is(&header),
        Ok(Unit::Aggregate(units)) => {
            let mut reader = Reader::new(F::NAME, units);
            std::iter::from_fn(|| {
                let length = usize::from(reader.u16().ok()?);
                reader.take(length).ok()
            })
            .any(is)
        }
        Err(_) => false,
    }
}

fn begins_vp8(payload: &[u8]) -> Option<bool> {
    let descriptor = Vp8Descriptor::parse(payload).ok()?;
    if !descriptor.starts_partition || descriptor.partition != 0 {
        return Some(false);
    }
    let frame = vp8::FrameHeader::parse(payload.get(descriptor.bytes..)?).ok()?;
    Some(frame.key_frame_size.is_some())
}

fn begins_vp9(payload: &[u8]) -> Option<bool> {
    let descriptor = Vp9Descriptor::parse(payload).ok()?;
    let is_base = descriptor.spatial_layer.unwrap_or(0) == 0;
    Some(descriptor.begins_frame && !descriptor.is_predicted && is_base)
}
