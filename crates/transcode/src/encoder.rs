//! From sound to coded frames.

use bytes::Bytes;
use headwater_media::{Codec, TrackParameters};

use crate::Error;

#[cfg(feature = "fdk-aac")]
pub(crate) mod aac;
mod g711;
mod opus;

#[cfg(feature = "fdk-aac")]
const AAC_RATE: headwater_media::ClockRate = headwater_media::ClockRate::new(48_000).unwrap();

/// Encodes one track.
pub trait Encoder: Send {
    /// What the encoded track is.
    fn parameters(&self) -> TrackParameters;

    /// How many samples of each channel one frame takes.
    fn frame_length(&self) -> usize;

    /// By how many samples the decoded sound comes later than what went in.
    fn delay(&self) -> usize;

    /// Encodes [`frame_length`](Encoder::frame_length) interleaved samples.
    ///
    /// # Errors
    /// The coder failed, which is never the source's fault.
    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, Error>;
}

/// An encoder with the settings for live sound: Opus and AAC-LC at 48 kHz, G.711 at 8 kHz.
///
/// `channels` is taken as 1 or 2; G.711 is always mono.
///
/// # Errors
/// This build has no encoder for the codec.
pub fn encoder(codec: Codec, channels: usize) -> Result<Box<dyn Encoder>, Error> {
    let stereo = channels > 1;
    match codec {
        #[cfg(feature = "fdk-aac")]
        Codec::Aac => Ok(Box::new(aac::AacEncoder::new(AAC_RATE, stereo)?)),
        Codec::Opus => Ok(Box::new(opus::OpusEncoder::new(stereo)?)),
        Codec::Pcmu | Codec::Pcma => Ok(Box::new(g711::G711Encoder::new(codec))),
        codec => Err(Error::Unavailable { what: "encode", codec }),
    }
}

/// An encoder whose frames a decoder of this track takes among the track's own.
///
/// That needs AAC-LC of one or two channels and 1,024 samples a frame, Opus, or G.711.
///
/// # Errors
/// This build has no encoder for the codec, or none for this form of it.
pub fn encoder_like(track: &TrackParameters) -> Result<Box<dyn Encoder>, Error> {
    match track.codec {
        #[cfg(feature = "fdk-aac")]
        Codec::Aac => {
            let (rate, stereo) = low_complexity(&track.config)?;
            Ok(Box::new(aac::AacEncoder::new(rate, stereo)?))
        }
        codec => encoder(codec, track.audio().map_or(2, |audio| usize::from(audio.channels))),
    }
}

/// Rate of an AAC-LC track, and whether it has two channels.
#[cfg(feature = "fdk-aac")]
fn low_complexity(config: &[u8]) -> Result<(headwater_media::ClockRate, bool), Error> {
    use headwater_codec::aac::{AudioSpecificConfig, FRAME_SAMPLES};

    const LOW_COMPLEXITY: u8 = 2;
    let refuse = |reason: String| Error::Configuration { codec: Codec::Aac, reason };
    let config = AudioSpecificConfig::parse(config).map_err(|error| refuse(error.to_string()))?;
    let is_plain = config.object_type == LOW_COMPLEXITY && config.sbr_sample_rate.is_none();
    let rate = headwater_media::ClockRate::new(config.core_sample_rate);
    match (config.core_channels, rate) {
        (channels @ (1 | 2), Some(rate)) if is_plain && config.core_frame_samples == FRAME_SAMPLES => {
            Ok((rate, channels == 2))
        }
        _ => Err(refuse("only AAC-LC with one or two channels is encoded".to_owned())),
    }
}
