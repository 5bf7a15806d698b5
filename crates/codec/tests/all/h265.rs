//! H.265.

use bytes::Bytes;
use headwater_codec::h265::{self, HevcConfig, Sps, nal_type, unit_type};
use headwater_codec::nal::AnnexB;
use headwater_codec::{codec_string, parameters};
use headwater_media::{Codec, Format, VideoFormat};

use crate::fixtures::{HEVC, annexb_frames, hex};

/// The record that ffmpeg's muxer makes, but for the fields about segmentation, which it fills in differently.
const HVCC: &str = "0101600000009000000000001ef000fcfdf8f800000f03\
    200001001840010c01ffff01600000030090000003000003001e959009\
    210001002942010101600000030090000003000003001ea024839c92659592e4caf0168080000003008000000504\
    22000100064401c173d189";

fn first(kind: u8) -> Bytes {
    AnnexB::new(HEVC).find(|nal| unit_type(nal) == kind).map(Bytes::copy_from_slice).unwrap()
}

#[test]
fn records_are_the_ones_that_ffmpeg_makes() {
    let [vps, sps, pps] = [nal_type::VPS, nal_type::SPS, nal_type::PPS].map(|kind| vec![first(kind)]);
    let ours = HevcConfig::from_parameter_sets(vps, sps, pps).unwrap();
    let ffmpeg = HevcConfig::parse(&ours.write()).unwrap();
    assert_eq!(ffmpeg, ours);
    let expected = hex(HVCC);
    assert_eq!(ours.write()[..22], expected[..22]);
    let parsed = HevcConfig::parse(&expected).map(|record| record.write());
    assert_eq!(parsed.as_ref(), Ok(&expected));
}

#[test]
fn records_tell_size_and_codec_string() {
    let track = parameters::from_config(Codec::H265, hex(HVCC)).unwrap();
    let expected = VideoFormat { width: 66, height: 50, frame_rate: None };
    assert_eq!(track.format, Format::Video(expected));
    assert_eq!(codec_string(&track).as_deref(), Some("hvc1.1.6.L30.90"));
}

#[test]
fn records_with_short_lengths_come_back_with_four_bytes() {
    let mut record = HevcConfig::parse(&hex(HVCC)).unwrap();
    record.set_length_size(1);
    let short = record.write();
    assert_eq!(parameters::nal_length_size(Codec::H265, &short), Some(1));
    assert_eq!(parameters::from_config(Codec::H265, short).unwrap().config, hex(HVCC));
}

#[test]
fn random_access_frames_are_told_apart() {
    let frames = annexb_frames(HEVC, |nal| unit_type(nal) == nal_type::AUD);
    let marks: String = frames.iter().map(|f| if h265::is_random_access(f) { 'R' } else { '.' }).collect();
    assert_eq!(marks, "R....R...");
    assert!(h265::has_parameter_sets(&frames[0]) && !h265::has_parameter_sets(&frames[1]));
}

#[test]
fn a_parameter_set_of_another_type_is_refused() {
    assert!(Sps::parse(&first(nal_type::PPS)).is_err());
    assert_eq!(Sps::parse(&first(nal_type::SPS)).unwrap().temporal_layers, 1);
}
