//! Uncoded sound, as it goes from a decoder to an encoder.

/// A piece of uncoded sound: interleaved samples between -1 and 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pcm {
    /// Samples in a second and channel.
    pub rate: u32,
    /// Number of channels.
    pub channels: usize,
    /// The samples, channel by channel within each moment.
    pub samples: Vec<f32>,
}

impl Pcm {
    /// How many samples each channel has.
    pub fn len(&self) -> usize {
        self.samples.len().checked_div(self.channels).unwrap_or(0)
    }

    /// Whether there is no sound in it, not even silence.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Starts over with another format and no samples.
    pub(crate) fn reset(&mut self, rate: u32, channels: usize) {
        self.rate = rate;
        self.channels = channels;
        self.samples.clear();
    }

    /// Replaces the contents by `length` samples of silence of the same format.
    pub(crate) fn silence(&mut self, length: usize) {
        self.samples.clear();
        self.samples.resize(length.saturating_mul(self.channels), 0.0);
    }

    /// Forgets the first `length` samples.
    pub(crate) fn drop_front(&mut self, length: usize) {
        let count = length.saturating_mul(self.channels).min(self.samples.len());
        self.samples.drain(..count);
    }
}

/// A sample as the 16-bit coders take it.
pub(crate) fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

/// A sample as the 16-bit coders give it.
pub(crate) fn from_i16(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}
