//! H.264.

use bytes::Bytes;
use headwater_codec::h264::{self, AvcConfig, SliceType, Sps, nal_type, unit_type};
use headwater_codec::nal::{AnnexB, Nals};
use headwater_codec::{CodecError, codec_string, parameters};
use headwater_media::{Codec, Format, VideoFormat};

use crate::fixtures::{BASELINE, HIGH_422_INTERLACED, HIGH_B, MAIN_B, annexb_frames, hex};

/// Records that ffmpeg's muxer makes of the fixtures.
const BASELINE_AVCC: &str = "0142c00affe100186742c00ada149e2223011000000300100000030140f1226a01000568ce039c80";
const MAIN_AVCC: &str = "014d400affe10019674d400aeca293c4446022000003000200000300281e244b2c01000568ebe0e4b2";
const HIGH_AVCC: &str =
    "0164000affe1001a6764000aacd945278888c044000003000400000300503c48965801000668ebe0e4b22cfdf8f800";

fn first(stream: &[u8], kind: u8) -> Bytes {
    AnnexB::new(stream).find(|nal| unit_type(nal) == kind).map(Bytes::copy_from_slice).unwrap()
}

fn frames(stream: &[u8]) -> Vec<Bytes> {
    annexb_frames(stream, |nal| unit_type(nal) == nal_type::AUD)
}

#[test]
fn records_are_the_ones_that_ffmpeg_makes() {
    for (stream, expected) in [(BASELINE, BASELINE_AVCC), (MAIN_B, MAIN_AVCC), (HIGH_B, HIGH_AVCC)] {
        let sets = [nal_type::SPS, nal_type::PPS].map(|kind| vec![first(stream, kind)]);
        let [sps, pps] = sets;
        let record = AvcConfig::from_parameter_sets(sps, pps).unwrap().write();
        assert_eq!(record, hex(expected));
        assert_eq!(AvcConfig::parse(&record).unwrap().write(), record);
    }
}

#[test]
fn records_tell_size_rate_and_codec_string() {
    for (record, name) in [(BASELINE_AVCC, "avc1.42c00a"), (MAIN_AVCC, "avc1.4d400a"), (HIGH_AVCC, "avc1.64000a")] {
        let track = parameters::from_config(Codec::H264, hex(record)).unwrap();
        let expected = VideoFormat { width: 66, height: 50, frame_rate: Some(10.0) };
        assert_eq!(track.format, Format::Video(expected));
        assert_eq!(codec_string(&track).as_deref(), Some(name));
    }
}

#[test]
fn records_with_short_lengths_come_back_with_four_bytes() {
    let mut record = AvcConfig::parse(&hex(MAIN_AVCC)).unwrap();
    record.length_size = 2;
    let short = record.write();
    assert_eq!(parameters::nal_length_size(Codec::H264, &short), Some(2));
    let track = parameters::from_config(Codec::H264, short).unwrap();
    assert_eq!(track.config, hex(MAIN_AVCC));
}

#[test]
fn parameter_sets_agree_with_another_parser() {
    use h264_reader::nal::sps::SeqParameterSet;
    use h264_reader::rbsp::{BitReader, decode_nal};
    for stream in [BASELINE, MAIN_B, HIGH_B, HIGH_422_INTERLACED] {
        let nal = first(stream, nal_type::SPS);
        let ours = Sps::parse(&nal).unwrap();
        let rbsp = decode_nal(&nal).unwrap();
        let other = SeqParameterSet::from_bits(BitReader::new(&*rbsp)).unwrap();
        assert_eq!((ours.width, ours.height), other.pixel_dimensions().unwrap());
        assert_eq!(ours.frame_rate, other.fps());
        assert_eq!(ours.bit_depth_luma, other.chroma_info.bit_depth_luma_minus8 + 8);
        assert_eq!(ours.max_num_ref_frames, other.max_num_ref_frames);
        let restrictions = other.vui_parameters.unwrap().bitstream_restrictions.unwrap();
        assert_eq!(ours.max_num_reorder_frames, Some(restrictions.max_num_reorder_frames));
        assert_eq!(ours.max_dec_frame_buffering, Some(restrictions.max_dec_frame_buffering));
    }
}

#[test]
fn reordering_is_known_from_the_parameter_set() {
    for (stream, frames) in [(BASELINE, 0), (MAIN_B, 2), (HIGH_B, 2)] {
        let sps = Sps::parse(&first(stream, nal_type::SPS)).unwrap();
        assert_eq!(sps.max_num_reorder_frames, Some(frames));
        assert_eq!(sps.may_reorder(), frames > 0);
    }
}

#[test]
fn a_rewritten_parameter_set_differs_only_in_reordering() {
    for stream in [BASELINE, MAIN_B, HIGH_B, HIGH_422_INTERLACED] {
        let nal = first(stream, nal_type::SPS);
        let rewritten = h264::without_reordering(&nal).unwrap();
        let (before, after) = (Sps::parse(&nal).unwrap(), Sps::parse(&rewritten).unwrap());
        assert_eq!(after.max_num_reorder_frames, Some(0));
        assert!(!after.may_reorder());
        let mut expected = before;
        expected.max_num_reorder_frames = Some(0);
        expected.max_dec_frame_buffering = Some(expected.max_num_ref_frames.max(1));
        assert_eq!(after, expected);
        assert_eq!(h264::without_reordering(&rewritten).unwrap(), rewritten);
    }
}

#[test]
fn a_parameter_set_without_usability_information_can_be_rewritten() {
    // Baseline, 320x240, no VUI.
    let nal = hex("67 42c01e da 0507c4");
    let before = Sps::parse(&nal).unwrap();
    assert_eq!((before.width, before.height, before.max_num_reorder_frames), (320, 240, None));
    let after = Sps::parse(&h264::without_reordering(&nal).unwrap()).unwrap();
    assert_eq!((after.width, after.height, after.max_num_reorder_frames), (320, 240, Some(0)));
}

#[test]
fn random_access_and_disposable_frames_are_told_apart() {
    // Of each frame: can a decoder start, does nothing refer to it.
    let cases =
        [(BASELINE, "R....R...", "........."), (MAIN_B, "R........", "...x..x.x"), (HIGH_B, "R....R...", "...xx..xx")];
    for (stream, starts, disposable) in cases {
        let mark = |mark: char, f: fn(&[u8]) -> bool| -> String {
            frames(stream).iter().map(|frame| if f(frame) { mark } else { '.' }).collect()
        };
        assert_eq!(mark('R', h264::is_random_access), starts);
        assert_eq!(mark('x', h264::is_disposable), disposable);
    }
}

#[test]
fn slice_types_are_read() {
    let kinds = |stream| -> Vec<SliceType> {
        frames(stream).iter().filter_map(|frame| Nals::new(frame).flatten().find_map(h264::slice_type)).collect()
    };
    use SliceType::{B, I, P};
    assert_eq!(kinds(BASELINE), [I, P, P, P, P, I, P, P, P]);
    assert_eq!(kinds(MAIN_B), [I, P, B, B, P, B, B, P, B]);
    assert_eq!(kinds(HIGH_B), [I, P, B, B, B, I, B, B, B]);
}

#[test]
fn parameter_sets_in_band_are_seen() {
    let found: Vec<bool> = frames(BASELINE).iter().map(|frame| h264::has_parameter_sets(frame)).collect();
    assert_eq!(found, [true, false, false, false, false, true, false, false, false]);
}

#[test]
fn a_picture_of_a_million_pixels_a_side_is_refused() {
    // pic_width_in_mbs_minus1 = 65,535.
    let mut bits = String::from("01100111 01000010 11000000 00011110 1 1 1 1 1 0");
    bits.push_str("0000000000000000 1 0000000000000000");
    bits.push_str("0000000000000000 1 0000000000000000 1 1 0 0 1");
    let nal = from_bits(&bits);
    assert!(matches!(Sps::parse(&nal), Err(CodecError::TooLarge { limit: "PICTURE_SIDE", .. })));
}

#[test]
fn an_understated_level_and_broken_usability_information_do_not_matter() {
    // Level 1 and 1,920x1,088, then a VUI that ends in the middle.
    let mut bits = String::from("01100111 01000010 11000000 00001010 1 1 011 1 0");
    bits.push_str("0000001111000 000000 1000100 1 1 0 1 1 1111");
    let sps = Sps::parse(&from_bits(&bits)).unwrap();
    assert_eq!((sps.width, sps.height, sps.frame_rate), (1_920, 1_088, None));
    assert!(h264::without_reordering(&from_bits(&bits)).is_err());
}

fn from_bits(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b' ').map(|c| c - b'0').collect();
    digits.chunks(8).map(|byte| (0..8).fold(0, |sum, i| sum << 1 | byte.get(i).unwrap_or(&0))).collect()
}
