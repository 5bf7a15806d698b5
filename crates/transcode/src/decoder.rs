//! From coded frames to sound.

use headwater_media::{Codec, TrackParameters};

use crate::{Error, Pcm};

#[cfg(feature = "fdk-aac")]
mod aac;
mod g711;
mod opus;

/// Decodes one track.
pub trait Decoder: Send {
    /// Decodes one frame into `pcm`, which it overwrites.
    ///
    /// # Errors
    /// The frame is broken; `pcm` is then without meaning.
    fn decode(&mut self, frame: &[u8], pcm: &mut Pcm) -> Result<(), Error>;

    /// Overwrites `pcm`, which has the format of the sound before, by samples that make a loss less audible.
    ///
    /// May make fewer than `length`, and by default makes none: silence takes the place of the rest.
    fn conceal(&mut self, length: usize, pcm: &mut Pcm) {
        let _ = length;
        pcm.samples.clear();
    }

    /// By how many samples the sound comes out later than the timestamps of its frames say.
    ///
    /// Known after the first frame.
    fn delay(&self) -> usize {
        0
    }
}

/// A decoder for a track.
///
/// # Errors
/// This build has no decoder for the codec, or the track's configuration is not usable.
pub fn decoder(parameters: &TrackParameters) -> Result<Box<dyn Decoder>, Error> {
    match parameters.codec {
        #[cfg(feature = "fdk-aac")]
        Codec::Aac => Ok(Box::new(aac::AacDecoder::new(parameters)?)),
        Codec::Opus => Ok(Box::new(opus::OpusDecoder::new(parameters)?)),
        Codec::Pcmu | Codec::Pcma => Ok(Box::new(g711::G711Decoder::new(parameters))),
        codec => Err(Error::Unavailable { what: "decode", codec }),
    }
}
