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
