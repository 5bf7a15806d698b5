use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig};
use openh264::formats::YUVSource as _;

use super::*;
use crate::testing::listen;

fn small(sound: Codec) -> TestPattern {
    let options = PatternOptions { width: 640, height: 360, bitrate: 800_000, sound, ..PatternOptions::default() };
    TestPattern::new(options).unwrap()
}

fn decoder() -> Decoder {
    Decoder::with_api_config(OpenH264API::from_source(), DecoderConfig::new()).unwrap()
}

/// What a viewer's decoder is given: the parameter sets, then the frame, with start codes.
fn stream(pattern: &TestPattern, frame: &Frame) -> Vec<u8> {
    let config = headwater_codec::h264::AvcConfig::parse(&pattern.video_parameters().config).unwrap();
    let mut stream = Vec::new();
    for set in config.sps.iter().chain(&config.pps) {
        stream.extend([0, 0, 0, 1]);
        stream.extend_from_slice(set);
    }
    headwater_codec::nal::to_annexb(&frame.data, &mut stream).unwrap();
    stream
}

#[test]
fn the_time_of_capture_is_read_from_every_decoded_picture() {
    let mut pattern = small(Codec::Opus);
    let mut decoder = decoder();
    for index in 0..90 {
        let wall = 1_767_225_600_000 + index * 33;
        let frame = pattern.next_picture(index, wall, false).unwrap().unwrap();
        assert_eq!(frame.pts, index as i64 * 3_000);
        let stream = stream(&pattern, &frame);
        let picture = decoder.decode(&stream).unwrap().unwrap();
        let (stride, _, _) = picture.strides();
        let luma: Vec<u8> = picture.y().chunks(stride).flat_map(|row| &row[..640]).copied().collect();
        assert_eq!(strip::read(&luma, 640, 360), Some((wall % 65_536) as u16), "picture {index}");
    }
}

#[test]
fn a_key_frame_comes_each_second_and_when_asked_for() {
    let mut pattern = small(Codec::Opus);
    let keys: Vec<u64> = (0..100)
        .filter(|&index| pattern.next_picture(index, index * 33, index == 45).unwrap().unwrap().random_access)
        .collect();
    assert_eq!(keys[..3], [0, 30, 45]);
    assert!(keys.windows(2).all(|pair| pair[1] - pair[0] <= 30), "{keys:?}");
}

#[test]
fn every_browser_decodes_the_profile() {
    let pattern = small(Codec::Opus);
    let parameters = pattern.video_parameters();
    let config = headwater_codec::h264::AvcConfig::parse(&parameters.config).unwrap();
    assert_eq!(config.profile_level[0], 66);
    assert_eq!(config.profile_level[1] & 0x40, 0x40, "constrained");
    let sps = headwater_codec::h264::Sps::parse(&config.sps[0]).unwrap();
    assert!(!sps.may_reorder());
    assert_eq!(parameters.video().map(|video| (video.width, video.height)), Some((640, 360)));
}

#[test]
fn the_beep_sounds_at_the_full_second() {
    for sound in [Codec::Opus, Codec::Aac] {
        for phase in [0, 400] {
            let mut pattern = small(sound);
            pattern.set_phase(phase);
            let frames: Vec<Frame> = (0..250).filter_map(|index| pattern.next_sound(index).unwrap()).collect();
            assert_eq!(frames[0].pts, 0);
            let (pcm, start) = listen(&pattern.audio_parameters(), &frames);
            let loud = |n: usize| pcm.samples[2 * n].abs() > 0.1;
            let first_loud = |from: f64| (((from - start) * 48_000.0) as usize..pcm.len()).find(|n| loud(*n));
            for second in 1..4 {
                let due = f64::from(second) - phase as f64 / 1_000.0;
                let heard = first_loud(due - 0.2).unwrap() as f64 / 48_000.0 + start;
                assert!((heard - due).abs() < 0.003, "{sound}, second {second}: {heard} instead of {due}");
            }
        }
    }
}

#[test]
fn sound_that_was_left_out_leaves_its_time_empty() {
    let mut pattern = small(Codec::Opus);
    let indices = (0..50).chain(100..150);
    let frames: Vec<Frame> = indices.filter_map(|index| pattern.next_sound(index).unwrap()).collect();
    let times: Vec<i64> = frames.iter().map(|frame| frame.pts / 960).collect();
    assert_eq!(times, (0..49).chain(100..149).collect::<Vec<_>>());
}

#[test]
fn any_size_can_be_painted() {
    for (width, height) in [(320, 180), (160, 90), (2, 2), (853, 481), (480, 854), (1_920, 1_080)] {
        let scene = Scene::new(width, height, 25, true);
        let mut picture = scene.canvas();
        scene.paint(&mut picture, Moment { index: u64::MAX, elapsed: u64::MAX, phase: 0.999, wall: u64::MAX });
        assert_eq!((picture.width, picture.height), (width & !1, height & !1));
    }
}
