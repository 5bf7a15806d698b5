//! Frames into parts of Low-Latency HLS, as the task of a rendition adds them for all its players.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Result, ensure};
use bytes::Bytes;
use headwater_codec::aac::AudioSpecificConfig;
use headwater_hls::{Container, Format, Numbers, Segmenter, Window, WindowOptions};
use headwater_media::{AudioFormat, ClockRate, Codec, Format as TrackFormat, Frame, TrackParameters};

use super::{rtp, work::counted};

const SAMPLE_RATE: u32 = 48_000;
/// A frame of AAC of 128 kbit/s.
const SOUND_BYTES: usize = 341;
const SOUND_SAMPLES: u64 = 1_024;

pub(super) fn run(rounds: u64) -> Result<u64> {
    let options = WindowOptions {
        segment: Duration::from_secs(2),
        part: Some(Duration::from_millis(200)),
        keep: Duration::from_secs(10),
        bytes_max: 64 << 20,
    };
    let tracks = vec![Arc::new(rtp::h264()?), Arc::new(aac())];
    let mut segmenter = Segmenter::new(options, Container::new(Format::Fmp4), tracks, SystemTime::UNIX_EPOCH)?;
    let mut window = Window::new(options, Numbers { sequence: 0, discontinuity: 0 });
    let mut sounds = 0;
    for number in 0..rounds {
        let picture = rtp::picture(number);
        let mut due = vec![(0, picture)];
        while sounds * SOUND_SAMPLES * 30 <= number * u64::from(SAMPLE_RATE) {
            due.push((1, sound(sounds)));
            sounds += 1;
        }
        let mut result = Ok(());
        counted(&mut || {
            for (track, frame) in due.drain(..) {
                result = segmenter.push(track, frame, &mut window);
            }
        });
        result?;
    }
    // Six pictures make a part of 200 ms; what is not full is not there yet.
    let parts = rounds / 6;
    ensure!(window.bytes() > 0 && parts > 0, "no part was made");
    Ok(parts)
}

fn aac() -> TrackParameters {
    TrackParameters {
        codec: Codec::Aac,
        clock_rate: ClockRate::OPUS,
        format: TrackFormat::Audio(AudioFormat { sample_rate: SAMPLE_RATE, channels: 2 }),
        config: AudioSpecificConfig::low_complexity(SAMPLE_RATE, 2).write(),
    }
}

fn sound(number: u64) -> Frame {
    let time = (number * SOUND_SAMPLES).cast_signed();
    Frame { dts: time, pts: time, random_access: true, data: Bytes::from(vec![7; SOUND_BYTES]) }
}
