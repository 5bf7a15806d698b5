use bytes::Bytes;
use headwater_media::{AudioFormat, ClockRate, Codec, Format, TrackParameters, VideoFormat, limits};

use crate::{CodedFrame, FlvError, Media, MediaEvent, MediaReader, MediaWriter};

const AVCC: &[u8] = &[1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f, 1, 0, 2, 0x68, 0xee];
const NAL: &[u8] = &[0, 0, 0, 3, 0x65, 0xaa, 0xbb];

fn video(body: &[u8]) -> Result<Vec<MediaEvent>, FlvError> {
    Ok(MediaReader::new().video(Bytes::copy_from_slice(body))?.into_vec())
}

fn audio(body: &[u8]) -> Result<Vec<MediaEvent>, FlvError> {
    Ok(MediaReader::new().audio(Bytes::copy_from_slice(body))?.into_vec())
}

fn frame(key: bool, composition_ms: i32, data: &[u8]) -> Media {
    Media::Frame(CodedFrame { key, composition_ms, nanos: 0, data: Bytes::copy_from_slice(data) })
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn every_header_form_reads_as_its_codec_and_times() {
    let config = |data: &[u8]| Media::Config(Bytes::copy_from_slice(data));
    let hvcc: Vec<u8> = [&[1u8; 21][..], &[0x0f, 1, 0x20, 0, 0]].concat();
    let cases: Vec<(&str, Vec<u8>, Codec, u8, Media)> = vec![
        ("legacy AVC config", join(&[&[0x17, 0, 0, 0, 0], AVCC]), Codec::H264, 0, config(AVCC)),
        ("legacy AVC key frame", join(&[&[0x17, 1, 0, 0, 40], NAL]), Codec::H264, 0, frame(true, 40, NAL)),
        (
            "negative composition time",
            join(&[&[0x27, 1, 0xff, 0xff, 0xd8], NAL]),
            Codec::H264,
            0,
            frame(false, -40, NAL),
        ),
        ("legacy AVC end", vec![0x17, 2, 0, 0, 0], Codec::H264, 0, Media::End),
        ("legacy HEVC number 12", join(&[&[0x1c, 1, 0, 0, 0], NAL]), Codec::H265, 0, frame(true, 0, NAL)),
        ("HEVC hidden behind AVC", join(&[&[0x17, 0, 0, 0, 0], &hvcc]), Codec::H265, 0, config(&hvcc)),
        ("hvc1 config", join(&[b"\x90hvc1", &hvcc]), Codec::H265, 0, config(&hvcc)),
        ("hvc1 frame with time", join(&[b"\xa1hvc1\xff\xff\xff", NAL]), Codec::H265, 0, frame(false, -1, NAL)),
        ("hvc1 frame without time", join(&[b"\x93hvc1", NAL]), Codec::H265, 0, frame(true, 0, NAL)),
        ("avc1 frame", join(&[b"\x91avc1\x00\x00\x21", NAL]), Codec::H264, 0, frame(true, 33, NAL)),
        ("av01 frame", b"\x91av01\x0a\x01\x02".to_vec(), Codec::Av1, 0, frame(true, 0, b"\x0a\x01\x02")),
        ("av01 temporal delimiter", b"\x91av01\x12\x00\x0a\x01".to_vec(), Codec::Av1, 0, frame(true, 0, b"\x0a\x01")),
        ("vp09 frame", b"\xa1vp09\x01".to_vec(), Codec::Vp9, 0, frame(false, 0, b"\x01")),
        ("vp08 frame", b"\xa3vp08\x01".to_vec(), Codec::Vp8, 0, frame(false, 0, b"\x01")),
        ("enhanced end", b"\x92av01".to_vec(), Codec::Av1, 0, Media::End),
        (
            "colour metadata",
            b"\x94hvc1\x02\x00".to_vec(),
            Codec::H265,
            0,
            Media::Metadata(Bytes::from_static(b"\x02\x00")),
        ),
        ("one track of multitrack", b"\x96\x01vp09\x03\x07".to_vec(), Codec::Vp9, 3, frame(true, 0, b"\x07")),
    ];
    for (name, body, codec, track, media) in cases {
        assert_eq!(video(&body), Ok(vec![MediaEvent { track, codec, media }]), "{name}");
    }
    let cases: Vec<(&str, &[u8], Codec, Media)> = vec![
        ("AAC config", &[0xaf, 0, 0x12, 0x10], Codec::Aac, config(&[0x12, 0x10])),
        ("AAC frame", &[0xaf, 1, 9, 9], Codec::Aac, frame(true, 0, &[9, 9])),
        ("Opus config", b"\x90OpusOpusHead", Codec::Opus, config(b"OpusHead")),
        ("Opus frame", b"\x91Opus\xfc", Codec::Opus, frame(true, 0, b"\xfc")),
        ("AAC by FourCC", b"\x91mp4a\x01", Codec::Aac, frame(true, 0, b"\x01")),
        ("enhanced end", b"\x92Opus", Codec::Opus, Media::End),
    ];
    for (name, body, codec, media) in cases {
        assert_eq!(audio(body), Ok(vec![MediaEvent { track: 0, codec, media }]), "{name}");
    }
}

#[test]
fn sound_without_a_record_tells_its_format_once() {
    let mut reader = MediaReader::new();
    let mp3_48k_stereo: &[u8] = &[0x2f, 0xff, 0xfb, 0x94, 0x04];
    let cases: Vec<(&[u8], Codec, Option<AudioFormat>)> = vec![
        (&[0x82, 1], Codec::Pcmu, Some(AudioFormat { sample_rate: 8_000, channels: 1 })),
        (&[0x82, 2], Codec::Pcmu, None),
        (&[0x73, 1], Codec::Pcma, Some(AudioFormat { sample_rate: 8_000, channels: 2 })),
        (mp3_48k_stereo, Codec::Mp3, Some(AudioFormat { sample_rate: 48_000, channels: 2 })),
        (mp3_48k_stereo, Codec::Mp3, None),
        (&[0xe2, 1, 2], Codec::Mp3, Some(AudioFormat { sample_rate: 8_000, channels: 1 })),
    ];
    for (body, codec, expected) in cases {
        let events = reader.audio(Bytes::copy_from_slice(body)).unwrap();
        let format = events.iter().find_map(|event| match event.media {
            Media::Sound(format) => Some(format),
            _ => None,
        });
        assert_eq!((events.last().unwrap().codec, format), (codec, expected), "{body:x?}");
        assert!(matches!(events.last().unwrap().media, Media::Frame(_)));
    }
}

#[test]
fn shorter_nal_unit_lengths_come_out_as_four_bytes() {
    let mut record = AVCC.to_vec();
    record[4] = 0xfd;
    let mut reader = MediaReader::new();
    let events = reader.video(join(&[&[0x17, 0, 0, 0, 0], &record]).into()).unwrap();
    assert_eq!(events[0].media, Media::Config(Bytes::from_static(AVCC)));
    let body = [0x17, 1, 0, 0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41];
    let events = reader.video(Bytes::copy_from_slice(&body)).unwrap();
    assert_eq!(events[0].media, frame(true, 0, &[0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41]));
}

#[test]
fn a_frame_with_right_lengths_is_not_copied() {
    let body = Bytes::from(join(&[&[0x17, 1, 0, 0, 0], NAL]));
    let events = MediaReader::new().video(body.clone()).unwrap();
    let Media::Frame(frame) = &events[0].media else { panic!("a frame") };
    assert_eq!(frame.data.as_ptr(), body[5..].as_ptr());
}

#[test]
fn many_tracks_come_out_with_their_ids_and_an_unknown_codec_hides_only_its_own() {
    let body = b"\x96\x21av01\x00\x00\x00\x02\x0a\x0bxxxx\x01\x00\x00\x01\x00vp09\x02\x00\x00\x01\x09";
    let events = video(body).unwrap();
    let seen: Vec<_> = events.iter().map(|event| (event.track, event.codec)).collect();
    assert_eq!(seen, [(0, Codec::Av1), (2, Codec::Vp9)]);
    let same = b"\x96\x11av01\x00\x00\x00\x01\x0a\x05\x00\x00\x01\x0b";
    let seen: Vec<_> = video(same).unwrap().iter().map(|event| event.track).collect();
    assert_eq!(seen, [0, 5]);
    let sound = b"\x95\x11Opus\x00\x00\x00\x01\x0a\x05\x00\x00\x01\x0b";
    let seen: Vec<_> = audio(sound).unwrap().iter().map(|event| event.track).collect();
    assert_eq!(seen, [0, 5]);
}

#[test]
fn mod_ex_carries_nanoseconds_and_has_an_end() {
    let mut body = vec![0x97];
    body.extend([2, 0x01, 0x00, 0x00, 0x01]);
    body.extend(b"av01\x0a");
    let Media::Frame(seen) = &video(&body).unwrap()[0].media else { panic!("a frame") };
    assert_eq!(seen.nanos, 65_536);

    let chain = |headers: usize| {
        let mut body = vec![0x97];
        for left in (0..headers).rev() {
            body.extend([0, 0, if left == 0 { 1 } else { 7 }]);
        }
        body.extend(b"av01\x0a");
        video(&body)
    };
    assert!(chain(limits::FLV_MOD_EX.get_usize()).is_ok());
    let before = limits::FLV_MOD_EX.hits();
    assert!(matches!(chain(limits::FLV_MOD_EX.get_usize() + 1), Err(FlvError::Limit(_))));
    assert!(limits::FLV_MOD_EX.hits() > before);
}

#[test]
fn what_cannot_be_played_is_refused_with_its_name() {
    let cases: &[(&[u8], &str)] = &[
        (&[0x12, 1, 2], "video codec number 2 is not supported"),
        (b"\x91vvc1\x00", "codec vvc1 is not supported"),
        (b"\x91Opus\x00", "codec Opus is not supported"),
        (&[0x17, 9, 0, 0, 0, 1], "malformed: AVC packet type"),
        (&[0x17, 1, 0, 0, 0, 0, 0, 0, 9, 1], "the data ends in the middle of a NAL unit"),
        (b"\x96\x06av01", "malformed: multitrack within multitrack, or of an unknown kind"),
    ];
    for (body, expected) in cases {
        assert_eq!(video(body).unwrap_err().to_string(), *expected);
    }
    assert_eq!(audio(&[0x5f, 1]).unwrap_err().to_string(), "audio codec number 5 is not supported");
}

#[test]
fn player_commands_silence_and_empty_frames_say_nothing() {
    for body in [&[][..], &[0x57, 0], &[0xd1, 0], &[0x17, 1, 0, 0, 0], b"\x93hvc1"] {
        assert_eq!(video(body), Ok(vec![]), "{body:x?}");
    }
    for body in [&[][..], &[0xaf, 1], &[0xaf, 0]] {
        assert_eq!(audio(body), Ok(vec![]), "{body:x?}");
    }
}

#[test]
fn written_bodies_read_back_as_what_was_written() {
    let sound = Format::Audio(AudioFormat { sample_rate: 48_000, channels: 2 });
    let picture = Format::Video(VideoFormat::default());
    let cases = [
        (Codec::H264, picture, AVCC, true),
        (Codec::H265, picture, &[1; 23], true),
        (Codec::Av1, picture, &[0x81, 0, 0, 0], false),
        (Codec::Vp9, picture, &[1, 2], false),
        (Codec::Vp8, picture, &[1, 2], false),
        (Codec::Aac, sound, &[0x11, 0x90], false),
        (Codec::Opus, sound, b"OpusHead", false),
        (Codec::Mp3, sound, &[], false),
        (Codec::Pcma, sound, &[], false),
        (Codec::Pcmu, sound, &[], false),
    ];
    for (codec, format, config, composed) in cases {
        let config = if codec == Codec::H265 { [&[1; 21][..], &[0xff, 0]].concat() } else { config.to_vec() };
        let clock_rate = ClockRate::VIDEO;
        let parameters = TrackParameters { codec, clock_rate, format, config: config.clone().into() };
        let writer = MediaWriter::new(&parameters).unwrap();
        let mut reader = MediaReader::new();
        let mut read = |body: Vec<u8>| {
            let body = Bytes::from(body);
            let video = codec.kind() == headwater_media::TrackKind::Video;
            let events = if video { reader.video(body) } else { reader.audio(body) }.unwrap();
            events.last().cloned().unwrap()
        };
        if let Some((prefix, record)) = writer.config() {
            let event = read([&prefix[..], &record].concat());
            assert_eq!((event.codec, event.media), (codec, Media::Config(config.into())));
        }
        for (key, composition) in [(true, 0), (codec.kind() == headwater_media::TrackKind::Audio, -40)] {
            let event = read([&writer.frame(key, composition)[..], NAL].concat());
            let expected = frame(key, if composed { composition as i32 } else { 0 }, NAL);
            assert_eq!((event.codec, event.media), (codec, expected), "{codec}");
        }
        if let Some(prefix) = writer.end() {
            assert_eq!(read(prefix.to_vec()).media, Media::End);
        }
    }
}

#[test]
fn g722_has_no_form_in_flv() {
    let format = Format::Audio(AudioFormat { sample_rate: 16_000, channels: 1 });
    let clock_rate = ClockRate::new(8_000).unwrap();
    let parameters = TrackParameters { codec: Codec::G722, clock_rate, format, config: Bytes::new() };
    assert!(MediaWriter::new(&parameters).is_none());
}

#[test]
fn no_body_of_any_length_or_value_does_harm() {
    let seeds: &[&[u8]] = &[
        &join(&[&[0x17, 0, 0, 0, 0], AVCC]),
        &join(&[&[0x17, 1, 0, 0, 0], NAL]),
        b"\x97\x02\x01\x00\x00\x06\x21av01\x00\x00\x00\x02\x0a\x0bvp09\x02\x00\x00\x01\x09",
        b"\x95\x11Opus\x00\x00\x00\x01\x0a\x05\x00\x00\x01\x0b",
        &[0x2f, 0xff, 0xfb, 0x94, 0x04],
    ];
    for seed in seeds {
        for length in 0..=seed.len() {
            for at in 0..length {
                for value in [0, 0x7f, 0x80, 0xff] {
                    let mut body = seed[..length].to_vec();
                    body[at] = value;
                    let mut reader = MediaReader::new();
                    let _ = reader.video(body.clone().into());
                    let _ = reader.audio(body.into());
                }
            }
        }
    }
}
