//! Where a decoder can start, and with what, seen in packets without putting frames together.

use bytes::Bytes;
use headwater_codec::{
    Reader,
    h264::{self, AvcConfig, nal_type},
    h265,
    parameters::from_config,
    vp8,
};
use headwater_media::{Codec, Format, Ticks, TrackKind, TrackParameters, VideoFormat};

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
    /// The newest sequence and picture parameter set of H.264.
    sets: [Bytes; 2],
}

impl EntryFinder {
    /// For packets of this codec.
    pub fn new(codec: Codec) -> EntryFinder {
        EntryFinder { codec, found: None, sets: Default::default() }
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

    /// What this packet says of the track, if it says something new: the parameter sets of H.264, where there is one
    /// of each, and the picture size of VP8. Other codecs are left to those who put frames together.
    pub fn parameters(&mut self, payload: &[u8]) -> Option<TrackParameters> {
        match self.codec {
            Codec::H264 => self.h264_parameters(payload),
            Codec::Vp8 => vp8_parameters(payload),
            _ => None,
        }
    }

    fn h264_parameters(&mut self, payload: &[u8]) -> Option<TrackParameters> {
        let before = self.sets.clone();
        let take = |sets: &mut [Bytes; 2], nal: &[u8]| {
            let [sequence, picture] = sets;
            let place = match h264::unit_type(nal) {
                nal_type::SPS => sequence,
                nal_type::PPS => picture,
                _ => return,
            };
            if **place != *nal {
                *place = Bytes::copy_from_slice(nal);
            }
        };
        match H264::read(payload) {
            Ok(Unit::Whole(nal)) => take(&mut self.sets, nal),
            Ok(Unit::Aggregate(units)) => each_unit(H264::NAME, units).for_each(|nal| take(&mut self.sets, nal)),
            _ => return None,
        }
        let [sequence, picture] = &self.sets;
        if self.sets == before || sequence.is_empty() || picture.is_empty() {
            return None;
        }
        let record = AvcConfig::from_parameter_sets(vec![sequence.clone()], vec![picture.clone()]).ok()?;
        from_config(Codec::H264, record.write()).ok()
    }
}

fn vp8_parameters(payload: &[u8]) -> Option<TrackParameters> {
    let (width, height) = vp8_key_frame_size(payload)?;
    let parameters = from_config(Codec::Vp8, Bytes::new()).ok()?;
    Some(TrackParameters { format: Format::Video(VideoFormat { width, height, frame_rate: None }), ..parameters })
}

fn begins_key_frame(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::H264 => {
            has_unit::<H264>(payload, |header| matches!(h264::unit_type(header), nal_type::IDR | nal_type::SPS))
        }
        // Recommendation H.265 §7.4.2.2: types 16 to 21 are intra random access points.
        Codec::H265 => has_unit::<H265>(payload, |header| {
            h265::is_parameter_set(header) || (16..=21).contains(&h265::unit_type(header))
        }),
        Codec::Vp8 => vp8_key_frame_size(payload).is_some(),
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
        Ok(Unit::Aggregate(units)) => each_unit(F::NAME, units).any(is),
        Err(_) => false,
    }
}

/// The units of an aggregate, each behind its length in two bytes.
fn each_unit<'a>(name: &'static str, units: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut reader = Reader::new(name, units);
    std::iter::from_fn(move || {
        let length = usize::from(reader.u16().ok()?);
        reader.take(length).ok()
    })
}

/// Width and height, if a key frame begins in this payload.
fn vp8_key_frame_size(payload: &[u8]) -> Option<(u32, u32)> {
    let descriptor = Vp8Descriptor::parse(payload).ok()?;
    let begins = descriptor.starts_partition && descriptor.partition == 0;
    let frame = vp8::FrameHeader::parse(payload.get(descriptor.bytes..)?).ok()?;
    frame.key_frame_size.filter(|_| begins)
}

fn begins_vp9(payload: &[u8]) -> Option<bool> {
    let descriptor = Vp9Descriptor::parse(payload).ok()?;
    let is_base = descriptor.spatial_layer.unwrap_or(0) == 0;
    Some(descriptor.begins_frame && !descriptor.is_predicted && is_base)
}
