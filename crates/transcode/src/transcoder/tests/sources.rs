//! Sources whose decoded sound is not what their configuration says at first sight.

use super::*;

/// A file of `tests/data`: the parameters that a server reads from its configuration, and its frames.
fn recorded(file: &[u8], sample_rate: u32, channels: u8, delay: i64) -> (TrackParameters, Vec<Frame>) {
    let (config, mut rest) = file[1..].split_at(usize::from(file[0]));
    let clock_rate = ClockRate::new(sample_rate).unwrap();
    let format = headwater_media::AudioFormat { sample_rate, channels };
    let parameters = TrackParameters {
        codec: Codec::Aac,
        clock_rate,
        format: headwater_media::Format::Audio(format),
        config: bytes::Bytes::copy_from_slice(config),
    };
    let length = if channels == 6 { 1_024 } else { 2_048 };
    let mut frames = Vec::new();
    let mut pts = -delay;
    while let [high, low, tail @ ..] = rest {
        let (data, tail) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        frames.push(Frame { dts: pts, pts, random_access: true, data: bytes::Bytes::copy_from_slice(data) });
        pts += length;
        rest = tail;
    }
    (parameters, frames)
}

#[test]
fn he_aac_is_heard_at_its_full_rate_and_on_time() {
    let he = include_bytes!("../../../tests/data/he-aac.frames");
    let he_v2 = include_bytes!("../../../tests/data/he-aac-v2.frames");
    for (file, rate, channels, delay) in [(&he[..], 48_000, 2, 5_058), (&he_v2[..], 44_100, 1, 7_106)] {
        let (parameters, input) = recorded(file, rate, channels, delay);
        let mut transcoder = AudioTranscoder::new(&parameters, Codec::Opus).unwrap();
        let output = transcode(&mut transcoder, &input);
        let stereo = encoder(Codec::Opus, 2).unwrap().parameters();
        assert_eq!(*transcoder.parameters(), stereo);
        let (pcm, start) = listen(&stereo, &frames(&output));
        let late = lateness(&pcm, start);
        assert!(late.len() >= 4, "{}", late.len());
        assert!(largest(&late) < 0.002, "{late:?}");
    }
}

#[test]
fn surround_sound_is_mixed_down() {
    let file = include_bytes!("../../../tests/data/surround.frames");
    let (parameters, input) = recorded(file, 48_000, 6, 2_048);
    let mut transcoder = AudioTranscoder::new(&parameters, Codec::Opus).unwrap();
    assert_eq!(transcoder.parameters().audio().map(|audio| audio.channels), Some(2));
    let output = transcode(&mut transcoder, &input);
    let (pcm, _) = listen(transcoder.parameters(), &frames(&output));
    let level = |channel: usize, pitch: f64| {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (n, moment) in pcm.samples.chunks(2).enumerate().skip(4_800).take(4_800) {
            let angle = n as f64 / 48_000.0 * pitch * std::f64::consts::TAU;
            sine += angle.sin() * f64::from(moment[channel]);
            cosine += angle.cos() * f64::from(moment[channel]);
        }
        sine.hypot(cosine) / 2_400.0
    };
    // Front left, front right, centre, low frequency, rear left, rear right: what of it is heard left and right.
    let expected = [(1.0, 0.0), (0.0, 1.0), (0.707, 0.707), (0.0, 0.0), (0.707, 0.0), (0.0, 0.707)];
    for (pitch, (left, right)) in (300..).step_by(200).zip(expected) {
        let pitch = f64::from(pitch);
        assert!((level(0, pitch) - 0.2 * left).abs() < 0.01, "{pitch} Hz left: {}", level(0, pitch));
        assert!((level(1, pitch) - 0.2 * right).abs() < 0.01, "{pitch} Hz right: {}", level(1, pitch));
    }
}

#[test]
fn recorded_frames_and_configurations_do_no_harm_when_bent() {
    let he = include_bytes!("../../../tests/data/he-aac.frames");
    let he_v2 = include_bytes!("../../../tests/data/he-aac-v2.frames");
    let surround = include_bytes!("../../../tests/data/surround.frames");
    let mut noise = Noise(11);
    for round in 0..40 {
        for (file, rate, channels) in [(&he[..], 48_000, 2), (&he_v2[..], 44_100, 1), (&surround[..], 48_000, 6)] {
            let (mut parameters, mut input) = recorded(file, rate, channels, 0);
            if round % 4 == 0 {
                parameters.config = noise.bend(&parameters.config).into();
            }
            for frame in &mut input {
                frame.data = noise.bend(&frame.data).into();
            }
            let Ok(mut transcoder) = AudioTranscoder::new(&parameters, Codec::Opus) else { continue };
            let made = frames(&transcode(&mut transcoder, &input)).len();
            assert!(made < 1_000, "{made} frames of {}", input.len());
        }
    }
}
