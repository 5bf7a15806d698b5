//! VP8, VP9 and AV1.

use headwater_codec::av1::{self, Av1Config, Obus, SequenceHeader, obu_type};
use headwater_codec::vp9::VpConfig;
use headwater_codec::{CodecError, Reader, codec_string, parameters, vp8, vp9};
use headwater_media::{Codec, Format, VideoFormat};

use crate::fixtures::{AV1, VP8, VP9, hex, ivf_frames};

const AV1C: &str = "81000c000a0a000000032c1c4daf9004";
const VPCC: &str = "01000000000a820202020000";

#[test]
fn key_frames_of_vp8_and_vp9_tell_their_size() {
    let vp8: Vec<_> = ivf_frames(VP8).iter().map(|f| vp8::FrameHeader::parse(f).unwrap().key_frame_size).collect();
    let vp9: Vec<_> = ivf_frames(VP9).iter().map(|f| vp9::FrameHeader::parse(f).unwrap().key_frame_size).collect();
    for sizes in [vp8, vp9] {
        let expected: Vec<_> = (0..9).map(|index| (index % 5 == 0).then_some((66, 50))).collect();
        assert_eq!(sizes, expected);
    }
}

#[test]
fn a_vp9_record_survives_the_way_through() {
    assert_eq!(VpConfig::parse(&hex(VPCC)).unwrap().write(), hex(VPCC));
    let track = parameters::from_config(Codec::Vp9, hex(VPCC)).unwrap();
    assert_eq!(codec_string(&track).as_deref(), Some("vp09.00.10.08"));
}

#[test]
fn an_av1_record_is_the_one_that_ffmpeg_makes() {
    let unit = &ivf_frames(AV1)[0];
    let header = Obus::new(unit).flatten().find(|obu| obu.obu_type() == obu_type::SEQUENCE_HEADER).unwrap();
    let record = Av1Config::from_sequence_header(&header).unwrap();
    assert_eq!(record.write(), hex(AV1C));
    assert_eq!(Av1Config::parse(&hex(AV1C)).unwrap(), record);
    let track = parameters::from_config(Codec::Av1, hex(AV1C)).unwrap();
    let expected = VideoFormat { width: 66, height: 50, frame_rate: None };
    assert_eq!(track.format, Format::Video(expected));
    assert_eq!(codec_string(&track).as_deref(), Some("av01.0.00M.08"));
}

#[test]
fn the_first_av1_unit_is_the_key_frame() {
    let marks: Vec<_> = ivf_frames(AV1).iter().map(|f| (av1::is_key_frame(f), av1::has_sequence_header(f))).collect();
    assert_eq!(marks, [(true, true), (false, false), (false, false), (false, false)]);
}

#[test]
fn leb128_goes_both_ways_and_refuses_overflow() {
    for value in [0, 1, 127, 128, 16_383, 16_384, u32::MAX as usize] {
        let mut bytes = Vec::new();
        av1::write_leb128(value, &mut bytes);
        assert_eq!(bytes.len(), av1::leb128_bytes(value));
        assert_eq!(av1::read_leb128(&mut Reader::new("test", &bytes)), Ok(value));
    }
    for bad in ["ffffffff1f", "ffffffffffffffffff", "ff", "8080808080808080", "80808080 80808080 01"] {
        assert!(av1::read_leb128(&mut Reader::new("test", &hex(bad))).is_err(), "{bad}");
    }
    // More bytes than needed are allowed.
    assert_eq!(av1::read_leb128(&mut Reader::new("test", &hex("858000"))), Ok(5));
}

#[test]
fn an_av1_picture_beyond_the_limit_is_refused() {
    // Reduced still picture; 16 bits each for width and height, all ones.
    let payload = hex("18 3f ff ff ff ff ff ff 00 00");
    assert!(matches!(SequenceHeader::parse(&payload), Err(CodecError::TooLarge { .. })));
}

#[test]
fn a_vp8_picture_beyond_the_limit_is_refused() {
    let frame = hex("100000 9d012a ff3f ff3f");
    assert!(matches!(vp8::FrameHeader::parse(&frame), Err(CodecError::TooLarge { value: 16_383, .. })));
}
