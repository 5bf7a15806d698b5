//! A second of sound, made by a real encoder so that a server can decode it.

use std::f32::consts::TAU;

use anyhow::{Result, ensure};
use bytes::Bytes;
use clap::ValueEnum;
use headwater_media::{Codec, TrackParameters};
use headwater_transcode::encoder;

/// Of two channels, at 48 kHz.
const CHANNELS: usize = 2;
const SAMPLE_RATE: usize = 48_000;
/// Frames that come out first and are the encoder's run-up.
const RUN_UP: usize = 4;

/// What sound a stream has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sound {
    /// As most encoders send it; the server makes Opus of it for viewers by WebRTC.
    #[default]
    Aac,
    /// As viewers by WebRTC take it.
    Opus,
    /// None: all packets come in bursts of a frame.
    None,
}

/// A second of sound, frame by frame.
pub(super) struct Frames {
    pub(super) track: TrackParameters,
    /// Of each channel in a frame.
    pub(super) samples: usize,
    pub(super) frames: Vec<Bytes>,
}

impl Sound {
    /// The frames of a chord of two tones with some noise.
    pub(super) fn encode(self) -> Result<Option<Frames>> {
        let codec = match self {
            Sound::Aac => Codec::Aac,
            Sound::Opus => Codec::Opus,
            Sound::None => return Ok(None),
        };
        let mut encoder = encoder(codec, CHANNELS)?;
        let samples = encoder.frame_length();
        let count = SAMPLE_RATE.div_ceil(samples);
        let mut frames = Vec::new();
        for frame in 0..count + RUN_UP {
            let made = encoder.encode(&chord(frame * samples, samples))?;
            if frame >= RUN_UP && !made.is_empty() {
                frames.push(made);
            }
        }
        ensure!(!frames.is_empty(), "the encoder yields no sound");
        Ok(Some(Frames { track: encoder.parameters(), samples, frames }))
    }

    /// How a label goes on that tells of a stream without saying of its sound.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Sound::Aac => "",
            Sound::Opus => ", Opus from the publisher",
            Sound::None => " without sound",
        }
    }
}

/// So many samples of each channel from one on, between -1 and 1.
fn chord(from: usize, count: usize) -> Vec<f32> {
    let mut noise = 0x2545_f491_u32 ^ from as u32;
    (from..from + count)
        .flat_map(|sample| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (noise >> 16) as f32 / 65_536.0 - 0.5;
            let time = sample as f32 / SAMPLE_RATE as f32;
            [440.0, 554.4].map(|pitch| (time * pitch * TAU).sin() * 0.25 + hiss * 0.06)
        })
        .collect()
}
