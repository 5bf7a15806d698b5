//! What sources do wrong, and what a listener still gets.

use super::*;

/// A low tone: any step in it is a click.
fn hum(time: f64, _: usize) -> f32 {
    (0.5 * (time * 100.0 * std::f64::consts::TAU).sin()) as f32
}

fn click(pcm: &Pcm) -> f32 {
    let mono: Vec<f32> = pcm.samples.chunks(pcm.channels).map(|moment| moment[0]).collect();
    mono.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

fn aac(seconds: f64, signal: fn(f64, usize) -> f32) -> (AudioTranscoder, Vec<Frame>) {
    let encoder = source(Codec::Aac, 48_000, 1);
    let transcoder = AudioTranscoder::new(&encoder.parameters(), Codec::Opus).unwrap();
    (transcoder, encode(encoder, 0, seconds, signal))
}

#[test]
fn a_gap_is_filled_and_what_follows_is_on_time() {
    for lost in [1, 2, 10, 20] {
        let (mut transcoder, mut input) = aac(6.0, bursts);
        input.drain(100..100 + lost);
        let output = transcode(&mut transcoder, &input);
        assert!(!output.contains(&Output::Discontinuity));
        let (pcm, start) = listen(transcoder.parameters(), &frames(&output));
        let late = lateness(&pcm, start);
        assert!(late.len() >= 19, "{} bursts", late.len());
        assert!(largest(&late) < 0.001, "{lost} lost: {late:?}");
    }
}

#[test]
fn a_gap_does_not_click() {
    let (mut transcoder, mut input) = aac(3.0, hum);
    input.drain(50..55);
    let output = transcode(&mut transcoder, &input);
    let (pcm, _) = listen(transcoder.parameters(), &frames(&output));
    assert!(click(&pcm) < 0.03, "{}", click(&pcm));
}

#[test]
fn overlapping_sound_is_heard_once() {
    let (mut transcoder, mut input) = aac(6.0, bursts);
    let again = input[100..110].to_vec();
    input.splice(110..110, again);
    let output = transcode(&mut transcoder, &input);
    let (pcm, start) = listen(transcoder.parameters(), &frames(&output));
    assert!(largest(&lateness(&pcm, start)) < 0.001);
}

#[test]
fn a_long_pause_stays_a_pause() {
    let (mut transcoder, mut input) = aac(6.0, bursts);
    input.drain(100..200);
    let output = transcode(&mut transcoder, &input);
    assert!(!output.contains(&Output::Discontinuity));
    let frames = frames(&output);
    let jump = frames.windows(2).position(|pair| pair[1].pts - pair[0].pts != 960).unwrap() + 1;
    assert!((frames[jump].pts - input[100].pts).abs() <= 1);
    for part in [&frames[..jump], &frames[jump..]] {
        let (pcm, start) = listen(transcoder.parameters(), part);
        assert!(largest(&lateness(&pcm, start)) < 0.001);
    }
}

#[test]
fn a_step_back_is_a_discontinuity() {
    let (mut transcoder, input) = aac(3.0, bursts);
    let mut output = transcode(&mut transcoder, &input);
    output.extend(transcode(&mut transcoder, &input));
    let breaks: Vec<usize> = (0..output.len()).filter(|n| output[*n] == Output::Discontinuity).collect();
    assert_eq!(breaks.len(), 1);
    for part in [&output[..breaks[0]], &output[breaks[0] + 1..]] {
        let (pcm, start) = listen(transcoder.parameters(), &frames(part));
        assert!(start.abs() < 0.001);
        assert!(largest(&lateness(&pcm, start)) < 0.001);
    }
}

#[test]
fn after_a_discontinuity_all_is_as_new() {
    let (mut transcoder, input) = aac(3.0, bursts);
    let mut output = transcode(&mut transcoder, &input);
    let before = frames(&output);
    output.clear();
    transcoder.discontinuity(&mut |out| output.push(out));
    assert_eq!(output.pop(), Some(Output::Discontinuity));
    let tail = frames(&output);
    let end = tail.last().unwrap().pts + 960;
    let played = input.last().unwrap().pts + 1_024 - 2_000;
    assert!(end > played, "the end of the sound is lost: {end} of {played}");
    let after = frames(&transcode(&mut transcoder, &input));
    assert_eq!(after, before);
}

#[test]
fn broken_frames_are_concealed_in_their_time() {
    for codec in [Codec::Aac, Codec::Opus] {
        let encoder = source(codec, 48_000, 2);
        let parameters = encoder.parameters();
        let mut input = encode(encoder, 0, 10.0, bursts);
        let mut noise = Noise(1);
        for frame in input.iter_mut().skip(20).step_by(37) {
            frame.data = noise.bytes(200).into();
        }
        let other = if codec == Codec::Aac { Codec::Opus } else { Codec::Aac };
        let mut transcoder = AudioTranscoder::new(&parameters, other).unwrap();
        let output = transcode(&mut transcoder, &input);
        let (pcm, start) = listen(transcoder.parameters(), &frames(&output));
        let end = start + pcm.len() as f64 / 48_000.0;
        assert!(end > 9.85, "{codec}: {end}");
        let mut late = lateness(&pcm, start);
        late.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        assert!(late[late.len() / 2].abs() < 0.001, "{codec}: {late:?}");
    }
}

#[test]
fn the_source_may_change_its_format() {
    let formats = [(44_100, 1), (48_000, 2), (44_100, 2), (48_000, 1), (32_000, 1)];
    let mut output = Vec::new();
    let mut transcoder: Option<AudioTranscoder> = None;
    for (part, (rate, channels)) in (0..).zip(formats) {
        let encoder = source(Codec::Aac, rate, channels);
        let parameters = encoder.parameters();
        let input = encode(encoder, i64::from(rate) * 3 * part, 3.0, bursts);
        let transcoder = transcoder.get_or_insert_with(|| AudioTranscoder::new(&parameters, Codec::Opus).unwrap());
        transcoder.set_input(&parameters);
        output.extend(transcode(transcoder, &input));
    }
    assert!(!output.contains(&Output::Discontinuity));
    let channels: Vec<u8> = output
        .iter()
        .filter_map(|output| match output {
            Output::Parameters(parameters) => parameters.audio().map(|audio| audio.channels),
            _ => None,
        })
        .collect();
    assert_eq!(channels, [2, 1]);
    let frames = frames(&output);
    assert!(frames.windows(2).all(|pair| pair[1].pts - pair[0].pts == 960));
    let stereo = encoder(Codec::Opus, 2).unwrap().parameters();
    let (pcm, start) = listen(&stereo, &frames);
    let late = lateness(&pcm, start);
    assert!(late.len() > 50, "{}", late.len());
    assert!(largest(&late) < 0.001, "{late:?}");
}

#[test]
fn parameters_of_no_use_stop_the_sound_until_better_ones_come() {
    let (mut transcoder, input) = aac(3.0, bursts);
    let good = source(Codec::Aac, 48_000, 1).parameters();
    transcoder.set_input(&TrackParameters { config: bytes::Bytes::from_static(&[0xff]), ..good.clone() });
    assert_eq!(transcode(&mut transcoder, &input), []);
    transcoder.set_input(&good);
    assert!(!transcode(&mut transcoder, &input).is_empty());
}

#[test]
fn noise_is_harmless_and_makes_no_more_sound_than_it_is_long() {
    let mut noise = Noise(7);
    for codec in [Codec::Aac, Codec::Opus, Codec::Pcmu, Codec::Pcma] {
        let parameters = source(codec, if codec == Codec::Aac { 44_100 } else { 48_000 }, 2).parameters();
        for to in [Codec::Opus, Codec::Aac, Codec::Pcma] {
            let mut transcoder = AudioTranscoder::new(&parameters, to).unwrap();
            let mut frames = 0;
            for n in 0..2_000 {
                let length = noise.below(if n % 10 == 0 { 10_000 } else { 400 });
                let pts = match n % 100 {
                    99 => noise.next() as i64,
                    50 => i64::MAX,
                    51 => i64::MIN,
                    _ => n * 1_024 + noise.below(3_000) as i64,
                };
                let data = noise.bytes(length).into();
                let frame = Frame { dts: pts, pts, random_access: true, data };
                transcoder.push(&frame, &mut |output| frames += usize::from(matches!(output, Output::Frame(_))));
            }
            assert!(frames < 40_000, "{codec} -> {to}: {frames} frames");
        }
    }
}
