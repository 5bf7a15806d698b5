//! Brings decoded sound into the sample rate and number of channels that an encoder takes.

use crate::{Error, Pcm, mix::mix, resample::Resampler};

/// Turns sound of one format into that of another, without delay between the two.
pub(crate) struct Shaper {
    from: (u32, usize),
    channels: usize,
    resampler: Resampler,
    mixed: Vec<f32>,
}

impl Shaper {
    pub(crate) fn new(input: &Pcm, rate: u32, channels: usize) -> Result<Shaper, Error> {
        let resampler = Resampler::new(input.rate, rate, channels)?;
        Ok(Shaper { from: (input.rate, input.channels), channels, resampler, mixed: Vec::new() })
    }

    /// Rate and channels of the sound that it takes.
    pub(crate) fn from(&self) -> (u32, usize) {
        self.from
    }

    pub(crate) fn push(&mut self, pcm: &Pcm, out: &mut Vec<f32>) {
        self.mixed.clear();
        mix(&pcm.samples, pcm.channels, self.channels, &mut self.mixed);
        self.resampler.push(&self.mixed, out);
    }

    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        self.resampler.finish(out);
    }
}
