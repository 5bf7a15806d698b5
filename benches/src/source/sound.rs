//! A second of sound in AAC, made by a real encoder so that a server can decode it.

use std::f32::consts::TAU;

use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use fdk_aac::enc::{AudioObjectType, BitRate, ChannelMode, Encoder, EncoderParams, Transport};

/// Samples of each channel in a frame (ISO/IEC 14496-3 §4.5.1.1).
const FRAME_SAMPLES: usize = 1_024;
const BITS_PER_SECOND: u32 = 128_000;
/// About a second.
const FRAMES: usize = 47;

/// The frames of a chord of two tones with some noise.
pub(super) fn encode(sample_rate: u32) -> Result<Vec<Bytes>> {
    let encoder = Encoder::new(EncoderParams {
        bit_rate: BitRate::Cbr(BITS_PER_SECOND),
        sample_rate,
        transport: Transport::Raw,
        channels: ChannelMode::Stereo,
        audio_object_type: AudioObjectType::Mpeg4LowComplexity,
    })
    .map_err(|error| anyhow!("no AAC encoder: {error}"))?;
    let mut frames = Vec::new();
    let mut output = [0; 2_048];
    // The first frames that come out are the encoder's run-up.
    for frame in 0..FRAMES + 4 {
        let input = samples(frame, sample_rate);
        let made = encoder.encode(&input, &mut output).map_err(|error| anyhow!("the AAC encoder fails: {error}"))?;
        if frame >= 4 && made.output_size > 0 {
            frames.push(Bytes::copy_from_slice(&output[..made.output_size]));
        }
    }
    ensure!(!frames.is_empty(), "the AAC encoder yields nothing");
    Ok(frames)
}

fn samples(frame: usize, sample_rate: u32) -> Vec<i16> {
    let mut noise = 0x2545_f491_u32 ^ frame as u32;
    (frame * FRAME_SAMPLES..(frame + 1) * FRAME_SAMPLES)
        .flat_map(|sample| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (noise >> 16) as f32 / 65_536.0 - 0.5;
            let time = sample as f32 / sample_rate as f32;
            [440.0, 554.4].map(|pitch| {
                let tone = (time * pitch * TAU).sin();
                (tone * 8_000.0 + hiss * 2_000.0) as i16
            })
        })
        .collect()
}
