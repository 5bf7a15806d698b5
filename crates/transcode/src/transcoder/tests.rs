use super::*;
use crate::testing::*;

mod mishaps;
mod sources;

/// Every pair of codecs, rates and channels that a source and a viewer bring together.
const PAIRS: &[(Codec, u32, usize, Codec)] = &[
    (Codec::Aac, 48_000, 2, Codec::Opus),
    (Codec::Aac, 48_000, 1, Codec::Opus),
    (Codec::Aac, 44_100, 2, Codec::Opus),
    (Codec::Aac, 44_100, 1, Codec::Opus),
    (Codec::Aac, 22_050, 1, Codec::Opus),
    (Codec::Aac, 32_000, 2, Codec::Opus),
    (Codec::Opus, 48_000, 2, Codec::Aac),
    (Codec::Opus, 48_000, 1, Codec::Aac),
    (Codec::Pcmu, 8_000, 1, Codec::Opus),
    (Codec::Pcma, 8_000, 1, Codec::Opus),
    (Codec::Pcmu, 8_000, 1, Codec::Aac),
    (Codec::Opus, 48_000, 2, Codec::Pcmu),
    (Codec::Opus, 48_000, 1, Codec::Pcma),
    (Codec::Aac, 44_100, 1, Codec::Pcma),
    (Codec::Pcmu, 8_000, 1, Codec::Pcma),
];

#[test]
fn what_is_seen_together_is_heard_together() {
    for &(from, rate, channels, to) in PAIRS {
        for start in [0, i64::from(rate) * 100_000 + 77] {
            let encoder = source(from, rate, channels);
            let parameters = encoder.parameters();
            let input = encode(encoder, start, 6.0, bursts);
            let mut transcoder = AudioTranscoder::new(&parameters, to).unwrap();
            let output = frames(&transcode(&mut transcoder, &input));
            let first = output[0].pts as f64 / f64::from(transcoder.parameters().clock_rate.hertz());
            assert!((first - start as f64 / f64::from(rate)).abs() < 0.000_13, "{from} -> {to} starts at {first}");
            let (pcm, from_time) = listen(transcoder.parameters(), &output);
            let late = lateness(&pcm, from_time);
            assert!(late.len() >= 20, "{from} -> {to}: {} bursts", late.len());
            let worst = late.iter().fold(0.0, |worst: f64, late| worst.max(late.abs()));
            assert!(worst < 0.001, "{from} {rate} {channels} -> {to}: off by {worst}");
        }
    }
}

/// How a source stamps its frames: what it would say, what it says.
type Stamps = fn(usize, Ticks, ClockRate) -> Ticks;

fn restamp(frames: &mut [Frame], clock: ClockRate, stamps: Stamps) {
    for (n, frame) in frames.iter_mut().enumerate() {
        frame.pts = stamps(n, frame.pts, clock);
        frame.dts = frame.pts;
    }
}

fn in_milliseconds(_: usize, pts: Ticks, clock: ClockRate) -> Ticks {
    ClockRate::MILLISECONDS.rescale(clock.rescale(pts, ClockRate::MILLISECONDS), clock)
}

/// By the wall clock, which is read up to 20 ms too late.
fn by_arrival(n: usize, pts: Ticks, clock: ClockRate) -> Ticks {
    let late = (n as i64).wrapping_mul(6_364_136_223_846_793_005).wrapping_shr(33).rem_euclid(20);
    in_milliseconds(n, pts, clock) + ClockRate::MILLISECONDS.rescale(late, clock)
}

/// By the clock of the picture, against which the sound card's is 100 millionths too slow.
fn by_another_clock(n: usize, pts: Ticks, clock: ClockRate) -> Ticks {
    in_milliseconds(n, pts + pts / 10_000, clock)
}

fn largest(late: &[f64]) -> f64 {
    late.iter().fold(0.0, |worst, late| worst.max(late.abs()))
}

fn aac_to_opus(seconds: f64, rate: u32, stamps: Stamps) -> (Vec<f64>, f64) {
    let encoder = source(Codec::Aac, rate, 1);
    let parameters = encoder.parameters();
    let mut input = encode(encoder, 0, seconds, bursts);
    restamp(&mut input, parameters.clock_rate, stamps);
    let mut transcoder = AudioTranscoder::new(&parameters, Codec::Opus).unwrap();
    let output = frames(&transcode(&mut transcoder, &input));
    let (pcm, start) = listen(transcoder.parameters(), &output);
    (lateness(&pcm, start), signal_to_noise(&pcm, start, bursts))
}

#[test]
fn ten_minutes_stay_together_whatever_the_source_rounds() {
    let (late, noise) = aac_to_opus(600.0, 44_100, in_milliseconds);
    assert!(late.len() > 2_390);
    assert!(largest(&late) < 0.001);
    assert!(noise > 25.0);
}

#[test]
fn sound_that_is_stamped_on_arrival_is_smooth() {
    let (late, _) = aac_to_opus(60.0, 44_100, by_arrival);
    assert!(late.len() > 230);
    assert!(late.iter().all(|late| (0.0..0.02).contains(late)), "{late:?}");
}

#[test]
fn a_sound_card_that_runs_slow_stays_with_the_picture() {
    let (late, _) = aac_to_opus(300.0, 48_000, by_another_clock);
    let drift: Vec<f64> = late.iter().enumerate().map(|(n, late)| late - (n + 1) as f64 * PERIOD / 10_000.0).collect();
    assert!(largest(&drift) < 0.002);
}

#[test]
fn sound_is_not_held_back() {
    for rate in [44_100, 48_000] {
        let encoder = source(Codec::Aac, rate, 2);
        let parameters = encoder.parameters();
        let input = encode(encoder, 0, 6.0, bursts);
        let mut transcoder = AudioTranscoder::new(&parameters, Codec::Opus).unwrap();
        for frame in &input {
            let complete = ClockRate::OPUS.duration(parameters.clock_rate.rescale(frame.pts + 1_024, ClockRate::OPUS));
            for out in frames(&transcode(&mut transcoder, std::slice::from_ref(frame))) {
                let held = complete.saturating_sub(ClockRate::OPUS.duration(out.pts + 960));
                assert!(held.as_millis() < 40, "{rate} Hz: {held:?} at {complete:?}");
            }
        }
    }
}
