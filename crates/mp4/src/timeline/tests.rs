use bytes::Bytes;
use headwater_codec::{aac::AudioSpecificConfig, parameters};
use headwater_media::{ClockRate, Codec, Frame, Ticks, TrackParameters};
use proptest::prelude::*;

use super::{Break, Timeline};
use crate::Sample;

const VIDEO: ClockRate = ClockRate::VIDEO;

fn video() -> TrackParameters {
    parameters::from_config(Codec::Vp8, Bytes::new()).unwrap()
}

fn aac(sample_rate: u32) -> TrackParameters {
    parameters::from_config(Codec::Aac, AudioSpecificConfig::low_complexity(sample_rate, 2).write()).unwrap()
}

fn opus() -> TrackParameters {
    parameters::from_config(Codec::Opus, Bytes::new()).unwrap()
}

fn frame(dts: Ticks, pts: Ticks) -> Frame {
    Frame { dts, pts, random_access: true, data: Bytes::from_static(&[0xfc]) }
}

/// Samples of frames at these times, each closed when the next comes.
fn samples(parameters: &TrackParameters, times: impl IntoIterator<Item = Ticks>) -> Vec<Sample> {
    let mut timeline = Timeline::new(parameters, 0);
    let mut samples: Vec<Sample> = times.into_iter().filter_map(|t| timeline.push(frame(t, t)).sample).collect();
    samples.extend(timeline.close());
    samples
}

/// The same, each closed at once.
fn samples_at_once(parameters: &TrackParameters, frames: impl IntoIterator<Item = Frame>) -> Vec<Sample> {
    let mut timeline = Timeline::new(parameters, 0);
    let mut samples = Vec::new();
    for frame in frames {
        assert_eq!(timeline.push(frame).sample, None, "it was closed");
        samples.extend(timeline.close());
    }
    samples
}

fn assert_joined(samples: &[Sample]) {
    for pair in samples.windows(2) {
        assert_eq!(pair[0].end(), pair[1].decode_time);
    }
}

/// Stamps of a source with a perfect clock that rounds to milliseconds, as RTMP does, in ticks of the track.
fn rounded(rate: ClockRate, count: u64, seconds: impl Fn(u64) -> f64) -> Vec<Ticks> {
    (0..count).map(|n| ClockRate::MILLISECONDS.rescale((seconds(n) * 1_000.0).round() as i64, rate)).collect()
}

#[test]
fn three_hours_of_rounded_stamps_of_pictures_do_not_drift() {
    let times = rounded(VIDEO, 3 * 3_600 * 30, |n| n as f64 * 1_001.0 / 30_000.0);
    let samples = samples(&video(), times.clone());
    assert_joined(&samples);
    for (sample, time) in samples.iter().zip(times) {
        assert_eq!(sample.decode_time, time as u64);
        assert_eq!(sample.composition_offset, 0);
    }
}

#[test]
fn three_hours_of_rounded_stamps_of_sound_are_packets_of_equal_length() {
    for rate in [44_100, 48_000, 22_050] {
        let parameters = aac(rate);
        let count = u64::from(rate) * 3 * 3_600 / 1_024;
        let times = rounded(parameters.clock_rate, count, |n| n as f64 * 1_024.0 / f64::from(rate));
        let samples = samples(&parameters, times);
        assert_joined(&samples);
        assert!(samples.iter().all(|sample| sample.duration == 1_024), "at {rate} Hz");
        assert_eq!(samples.last().unwrap().end(), count * 1_024);
    }
}

#[test]
fn sound_of_a_clock_that_is_not_the_stamps_stays_with_them() {
    for wrong in [0.999_7, 1.000_3] {
        let parameters = aac(48_000);
        let times = rounded(parameters.clock_rate, 500_000, |n| n as f64 * 1_024.0 / 48_000.0 * wrong);
        let samples = samples(&parameters, times.clone());
        assert_joined(&samples);
        let off = samples.iter().zip(times).map(|(sample, time)| time.abs_diff(sample.decode_time as i64)).max();
        assert!(off.unwrap() < 48_000 * 4 / 1_000, "{off:?} ticks at {wrong}");
    }
}

#[test]
fn lost_sound_leaves_no_hole() {
    let packet = 960;
    let times = (0..50).chain(60..100).map(|n| n * packet);
    let samples = samples(&opus(), times);
    assert_joined(&samples);
    let long: Vec<_> = samples.iter().filter(|sample| sample.duration != 960).collect();
    // The packet is 0xfc: one of 20 ms.
    assert_eq!(long.iter().map(|sample| sample.duration).collect::<Vec<_>>(), [11 * 960]);
    assert_eq!(samples.last().unwrap().end(), 100 * 960);
}

#[test]
fn pictures_closed_at_once_are_shown_when_the_source_says() {
    // 25 a second with stamps that jitter, three of them lost, and two that are reordered.
    let times = [0, 40, 81, 119, 160, 320, 359, 401, 440, 480, 521, 560];
    let frames: Vec<Frame> = times.map(|ms| frame(ms * 90, (ms + 40) * 90)).into();
    let samples = samples_at_once(&video(), frames.clone());
    assert_joined(&samples);
    for (sample, frame) in samples.iter().zip(&frames) {
        assert_eq!(sample.presentation_time(), frame.pts as u64);
    }
    let last = samples.last().unwrap();
    assert!(last.decode_time.abs_diff(560 * 90) <= 2 * 90, "it has caught up: {last:?}");
    assert!(samples.iter().all(|sample| sample.duration <= 2 * 160 * 90), "{samples:?}");
}

#[test]
fn pictures_closed_at_once_do_not_drift_in_three_hours() {
    let times = rounded(VIDEO, 3 * 3_600 * 30, |n| n as f64 * 1_001.0 / 30_000.0);
    let samples = samples_at_once(&video(), times.iter().map(|&time| frame(time, time)));
    assert_joined(&samples);
    for (sample, time) in samples.iter().zip(times) {
        assert_eq!(sample.presentation_time(), time as u64);
        assert!(sample.decode_time.abs_diff(time as u64) <= 2 * 90);
    }
}

#[test]
fn an_early_presentation_has_a_negative_offset() {
    let mut timeline = Timeline::new(&video(), 0);
    timeline.push(frame(9_000, 6_000));
    assert_eq!(timeline.close().unwrap().composition_offset, -3_000);
}

#[test]
fn an_hours_gap_and_a_return_are_told_and_time_goes_on_where_the_source_does() {
    let mut timeline = Timeline::new(&video(), 0);
    let hour = 3_600 * 90_000;
    assert_eq!(timeline.push(frame(0, 0)), super::Pushed::default());
    assert_eq!(timeline.push(frame(3_600, 3_600)).sample.unwrap().duration, 3_600);
    let after_gap = timeline.push(frame(hour, hour));
    assert_eq!(after_gap.discontinuity, Some(Break::Gap(hour as u64 - 3_600)));
    // Its end is foretold by the last step.
    assert_eq!(after_gap.sample.unwrap().end(), 7_200);
    assert_eq!(timeline.next_decode_time(), hour as u64);
    let after_return = timeline.push(frame(90_000, 90_000));
    assert_eq!(after_return.discontinuity, Some(Break::Return(hour as u64 - 90_000)));
    assert_eq!(after_return.sample.unwrap().decode_time, hour as u64);
    assert_eq!(timeline.close().unwrap().decode_time, 90_000);
}

#[test]
fn an_interruption_gives_the_last_frame_and_begins_anew() {
    let mut timeline = Timeline::new(&video(), 90_000);
    timeline.push(frame(90_000, 90_000));
    let told = timeline.interrupt();
    assert_eq!((told.sample.unwrap().decode_time, told.discontinuity), (0, Some(Break::Told)));
    assert_eq!(timeline.interrupt(), super::Pushed::default());
    assert_eq!(timeline.push(frame(99_000, 99_000)), super::Pushed::default());
    assert_eq!(timeline.close().unwrap().decode_time, 9_000);
}

#[test]
fn another_sample_rate_counts_on_from_the_same_point() {
    let mut timeline = Timeline::new(&aac(44_100), 44_100);
    timeline.push(frame(2 * 44_100, 2 * 44_100));
    let last = timeline.change(&aac(48_000)).unwrap();
    assert_eq!(last.end(), 44_100 + 1_024);
    let time = 2 * 48_000 + 1_115;
    assert_eq!(timeline.push(frame(time, time)), super::Pushed::default());
    let next = timeline.close().unwrap();
    assert!(next.decode_time.abs_diff(48_000 + 1_114) <= 1, "{next:?}");
}

proptest! {
    #[test]
    fn whatever_the_times_samples_follow_each_other_or_a_break_is_told(
        steps in proptest::collection::vec((prop_oneof![0_i64..6_000, -90_000_i64..2_000_000, any::<i64>()], any::<bool>()), 1..100),
        kind in 0..3,
    ) {
        let parameters = match kind { 0 => video(), 1 => aac(48_000), _ => opus() };
        let mut timeline = Timeline::new(&parameters, 1_000);
        let (mut time, mut end, mut frames, mut out) = (0_i64, None, 0, 0);
        for (step, close) in steps {
            time = time.saturating_add(step);
            let pushed = timeline.push(frame(time, time.saturating_add(step)));
            frames += 1;
            for sample in pushed.sample.into_iter() {
                prop_assert!(end.is_none_or(|end| end == sample.decode_time));
                prop_assert!(sample.duration > 0);
                (end, out) = (Some(sample.end()), out + 1);
            }
            if pushed.discontinuity.is_some() {
                end = None;
            }
            if close && let Some(sample) = timeline.close() {
                prop_assert!(end.is_none_or(|end| end == sample.decode_time));
                prop_assert!(sample.duration > 0);
                (end, out) = (Some(sample.end()), out + 1);
            }
        }
        out += u32::from(timeline.close().is_some());
        prop_assert_eq!(frames, out);
    }
}
