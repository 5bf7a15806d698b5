//! A recorded sound from a WAV file, and its coding into the format of a live track.

mod encoder;
mod wav;

#[cfg(all(test, feature = "fdk-aac"))]
mod tests;

use std::time::Duration;

use crate::{Error, Pcm, pcm::from_i16};

pub use encoder::ClipEncoder;

/// A recorded sound, uncoded, of one or two channels.
pub struct Clip {
    rate: u32,
    channels: usize,
    samples: Vec<i16>,
}

impl std::fmt::Debug for Clip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clip").field("rate", &self.rate).field("channels", &self.channels).finish_non_exhaustive()
    }
}

impl Clip {
    /// Reads a WAV file: PCM of 8 to 32 bits or 32-bit floating point, 8 to 192 kHz, up to eight channels.
    ///
    /// Surround sound is mixed down to two channels.
    ///
    /// # Errors
    /// It is no such file, has no sound in it, or lasts longer than the limit `SOUND_MS`.
    ///
    /// Source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF), chapter 3.
    pub fn read_wav(file: &[u8]) -> Result<Clip, Error> {
        wav::read(file)
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.len() as u64) / self.rate.max(1)
    }

    /// How many samples each channel has.
    fn len(&self) -> usize {
        self.samples.len().checked_div(self.channels).unwrap_or(0)
    }

    /// Overwrites `pcm` by up to `length` samples from this one on; fewer at the end.
    fn copy(&self, from: usize, length: usize, pcm: &mut Pcm) {
        pcm.reset(self.rate, self.channels);
        let samples = self.samples.iter().skip(from.saturating_mul(self.channels));
        pcm.samples.extend(samples.take(length.saturating_mul(self.channels)).map(|&sample| from_i16(sample)));
    }
}
