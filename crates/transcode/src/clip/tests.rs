use std::{io::Cursor, sync::Arc};

use bytes::Bytes;
use headwater_codec::aac::AudioSpecificConfig;
use headwater_media::{AudioFormat, ClockRate, Codec, Format, Frame, TrackParameters, limits};
use hound::{SampleFormat, WavSpec, WavWriter};

use super::{Clip, ClipEncoder};
use crate::testing::{Noise, listen, signal_to_noise};

/// 440 Hz, of which a second holds whole periods at any rate.
fn tone(time: f64, channel: usize) -> f32 {
    let level = if channel == 1 { 0.25 } else { 0.5 };
    level * (time * 440.0 * std::f64::consts::TAU).sin() as f32
}

fn wav(rate: u32, channels: u16, format: (SampleFormat, u16), seconds: f64) -> Vec<u8> {
    let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: format.1, sample_format: format.0 };
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    for n in 0..(seconds * f64::from(rate)) as i64 {
        for channel in 0..usize::from(channels) {
            let sample = tone(n as f64 / f64::from(rate), channel);
            match format.0 {
                SampleFormat::Float => writer.write_sample(sample).unwrap(),
                SampleFormat::Int => {
                    let full = (1_u64 << (format.1 - 1)) as f32 - 1.0;
                    writer.write_sample((sample * full) as i32).unwrap();
                }
            }
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn track(codec: Codec, sample_rate: u32, channels: u8) -> TrackParameters {
    let config = match codec {
        Codec::Aac => AudioSpecificConfig::low_complexity(sample_rate, channels).write(),
        _ => Bytes::new(),
    };
    let format = Format::Audio(AudioFormat { sample_rate, channels });
    TrackParameters { codec, clock_rate: ClockRate::new(sample_rate).unwrap(), format, config }
}

/// What a player of the track hears of so many frames, or of all.
fn play(clip: &Arc<Clip>, track: &TrackParameters, is_looped: bool, count: usize) -> (crate::Pcm, f64) {
    let mut encoder = ClipEncoder::new(clip.clone(), track, is_looped, 0).unwrap();
    let length = encoder.frame_length() as i64;
    let mut frames = Vec::new();
    while frames.len() < count
        && let Some(data) = encoder.next_frame().unwrap()
    {
        let time = frames.len() as i64 * length;
        frames.push(Frame { dts: time, pts: time, random_access: true, data });
    }
    listen(track, &frames)
}

const S16: (SampleFormat, u16) = (SampleFormat::Int, 16);

#[test]
fn a_file_is_heard_the_same_in_every_kind_of_track_and_without_a_seam_where_it_repeats() {
    let files = [(8_000, 1, (SampleFormat::Int, 8)), (44_100, 2, S16), (48_000, 1, (SampleFormat::Float, 32))];
    let rates = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
    let aac = rates.into_iter().flat_map(|rate| [track(Codec::Aac, rate, 1), track(Codec::Aac, rate, 2)]);
    let tracks: Vec<_> = aac.chain([track(Codec::Pcma, 8_000, 1), track(Codec::Pcmu, 8_000, 1)]).collect();
    for (rate, channels, format) in files {
        let clip = Arc::new(Clip::read_wav(&wav(rate, channels, format, 1.0)).unwrap());
        for track in &tracks {
            let seconds = 4 * track.clock_rate.hertz() as usize / 160;
            let (pcm, start) =
                play(&clip, track, true, if track.codec == Codec::Aac { seconds * 160 / 1_024 } else { seconds });
            let heard: fn(f64, usize) -> f32 = match (channels, pcm.channels) {
                (2, 1) => |time, _| tone(time, 0) * 0.75,
                (1, _) => |time, _| tone(time, 0),
                _ => tone,
            };
            let noise = signal_to_noise(&pcm, start, heard);
            let least = if format.1 == 8 || track.codec != Codec::Aac { 30.0 } else { 43.0 };
            assert!(noise > least, "{rate} Hz, {channels} channels -> {track:?}: {noise} dB");
            assert!(pcm.len() as f64 / f64::from(pcm.rate) > 3.9, "{track:?}: {}", pcm.len());
        }
    }
}

#[test]
fn a_file_that_is_not_repeated_ends_and_one_that_was_interrupted_goes_on() {
    let clip = Arc::new(Clip::read_wav(&wav(44_100, 2, S16, 1.5)).unwrap());
    assert_eq!(clip.duration().as_millis(), 1_500);
    let track = track(Codec::Aac, 48_000, 2);
    let (pcm, _) = play(&clip, &track, false, usize::MAX);
    assert_eq!(pcm.len().div_ceil(1_024), 72_000_usize.div_ceil(1_024));

    let mut encoder = ClipEncoder::new(clip.clone(), &track, false, 0).unwrap();
    for _ in 0..30 {
        assert!(encoder.next_frame().unwrap().is_some());
    }
    let rest = ClipEncoder::new(clip.clone(), &track, false, encoder.position());
    let mut rest = rest.unwrap();
    let mut count = 0;
    while rest.next_frame().unwrap().is_some() {
        count += 1;
    }
    assert!((36..=41).contains(&count), "{count} frames of 71 were left after 30");
    assert!(rest.next_frame().unwrap().is_none(), "it is over for good");
}

#[test]
fn samples_of_every_width_are_read() {
    let forms = [8, 16, 24, 32].map(|bits| (SampleFormat::Int, bits)).into_iter().chain([(SampleFormat::Float, 32)]);
    for format in forms {
        for channels in [1, 2, 6] {
            let clip = Clip::read_wav(&wav(48_000, channels, format, 0.1)).unwrap();
            assert_eq!((clip.len(), clip.channels), (4_800, usize::from(channels).min(2)));
            let loudest = clip.samples.iter().max().copied().unwrap();
            assert!(channels == 6 || (16_000..=16_500).contains(&loudest), "{format:?}, {channels}: {loudest}");
        }
    }
}

#[test]
fn what_is_no_usable_file_is_refused_with_the_reason() {
    let long = limits::SOUND_MS.get() as f64 / 1_000.0 + 1.0;
    let mut alaw = wav(8_000, 1, S16, 0.1);
    alaw[20] = 6;
    for (file, reason) in [
        (Vec::new(), "early"),
        (b"ID3\x04 not a wave file at all".to_vec(), "no whole WAV file"),
        (wav(8_000, 1, S16, 0.0), "no sound"),
        (wav(8_000, 1, (SampleFormat::Int, 8), long), "at most 600"),
        (wav(4_000, 1, S16, 0.1), "4000 Hz"),
        (wav(8_000, 9, S16, 0.1), "9 channels"),
        (alaw, "not read"),
    ] {
        let error = Clip::read_wav(&file).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn a_file_that_is_cut_or_bent_does_no_harm() {
    let whole = wav(8_000, 2, S16, 0.02);
    for length in 0..whole.len() {
        assert!(Clip::read_wav(&whole[..length]).is_err(), "cut after {length} bytes");
    }
    let mut noise = Noise(7);
    for _ in 0..20_000 {
        let _ = Clip::read_wav(&noise.bend(&whole));
    }
}

#[test]
fn tracks_that_cannot_be_coded_are_refused() {
    let clip = Arc::new(Clip::read_wav(&wav(8_000, 1, S16, 0.1)).unwrap());
    let he = AudioSpecificConfig { sbr_sample_rate: Some(44_100), ..AudioSpecificConfig::low_complexity(22_050, 2) };
    let he = TrackParameters { config: he.write(), ..track(Codec::Aac, 44_100, 2) };
    for track in [he, track(Codec::Aac, 48_000, 6), track(Codec::Mp3, 44_100, 2)] {
        assert!(ClipEncoder::new(clip.clone(), &track, true, 0).is_err(), "{track:?}");
    }
}
