//! Synthetic sound, coded and decoded again, and the measuring of when things are heard.

use headwater_media::{ClockRate, Codec, Frame, Ticks, TrackParameters};

use crate::encoder::aac::AacEncoder;
use crate::{AudioTranscoder, Encoder, Output, Pcm, decoder, encoder, framer::Framer};

/// Time between two bursts, in seconds.
pub(crate) const PERIOD: f64 = 0.25;

/// A quiet tone with a short, loud burst every [`PERIOD`], its middle exactly on the multiple. Right is half as loud.
pub(crate) fn bursts(time: f64, channel: usize) -> f32 {
    let nearest = (time / PERIOD).round() * PERIOD;
    let distance = (time - nearest) / 0.001;
    let burst = if distance.abs() < 6.0 {
        0.7 * (-distance * distance / 2.0).exp() * (distance * 2.5 * std::f64::consts::TAU).cos()
    } else {
        0.0
    };
    let tone = 0.05 * (time * 440.0 * std::f64::consts::TAU).sin();
    let value = (burst + tone) as f32;
    if channel == 1 { value / 2.0 } else { value }
}

/// Sound of one format from `start` on, in samples.
pub(crate) fn sound(rate: u32, channels: usize, start: i64, length: usize, signal: fn(f64, usize) -> f32) -> Vec<f32> {
    (0..length as i64)
        .map(|n| (start + n) as f64 / f64::from(rate))
        .flat_map(|time| (0..channels).map(move |channel| signal(time, channel)))
        .collect()
}

/// An encoder for a source of the test.
pub(crate) fn source(codec: Codec, rate: u32, channels: usize) -> Box<dyn Encoder> {
    match codec {
        Codec::Aac => Box::new(AacEncoder::new(ClockRate::new(rate).unwrap(), channels == 2).unwrap()),
        codec => encoder(codec, channels).unwrap(),
    }
}

/// Encodes sound; frames are stamped to the sample.
pub(crate) fn encode(
    encoder: Box<dyn Encoder>,
    start: Ticks,
    seconds: f64,
    signal: fn(f64, usize) -> f32,
) -> Vec<Frame> {
    let rate = encoder.parameters().clock_rate.hertz();
    let mut framer = Framer::new(encoder, start, 0);
    let mut frames = Vec::new();
    let mut position = start;
    let end = start + (seconds * f64::from(rate)) as i64;
    while position < end {
        let length = (end - position).min(i64::from(rate));
        let samples = sound(rate, framer.channels(), position, length as usize, signal);
        framer.push(&samples, &mut |frame| frames.push(frame)).unwrap();
        position += length;
    }
    frames
}

/// Runs frames through a transcoder.
pub(crate) fn transcode(transcoder: &mut AudioTranscoder, frames: &[Frame]) -> Vec<Output> {
    let mut outputs = Vec::new();
    for frame in frames {
        transcoder.push(frame, &mut |output| outputs.push(output));
    }
    outputs
}

/// The frames among the outputs.
pub(crate) fn frames(outputs: &[Output]) -> Vec<Frame> {
    let frame = |output: &Output| match output {
        Output::Frame(frame) => Some(frame.clone()),
        _ => None,
    };
    outputs.iter().filter_map(frame).collect()
}

/// What a player hears: sound, and the time of its first sample. Timestamps must follow one another to the sample.
pub(crate) fn listen(parameters: &TrackParameters, frames: &[Frame]) -> (Pcm, f64) {
    let mut decoder = decoder(parameters).unwrap();
    let mut all = Pcm::default();
    let mut piece = Pcm::default();
    let mut start = None;
    for frame in frames {
        decoder.decode(&frame.data, &mut piece).unwrap();
        let rate = f64::from(piece.rate);
        let from = *start.get_or_insert(frame.pts - decoder.delay() as i64);
        assert_eq!(
            frame.pts - decoder.delay() as i64,
            from + all.len() as i64,
            "a timestamp at {}",
            frame.pts as f64 / rate
        );
        all.rate = piece.rate;
        all.channels = piece.channels;
        all.samples.extend_from_slice(&piece.samples);
    }
    let start = start.unwrap() as f64 / f64::from(all.rate);
    (all, start)
}

/// By how many seconds each burst is heard too late; the first and last ones do not count.
pub(crate) fn lateness(pcm: &Pcm, start: f64) -> Vec<f64> {
    let rate = f64::from(pcm.rate);
    let end = start + pcm.len() as f64 / rate;
    let first = (start / PERIOD).ceil() as i64 + 1;
    let last = (end / PERIOD).floor() as i64 - 1;
    (first..=last).filter_map(|burst| late(pcm, burst as f64 * PERIOD - start)).collect()
}

/// Lateness of the burst that should be in the middle of the 100 ms around `time`: from the middle of its energy.
fn late(pcm: &Pcm, time: f64) -> Option<f64> {
    let rate = f64::from(pcm.rate);
    let from = ((time - 0.05) * rate) as usize;
    let moments = pcm.samples.chunks(pcm.channels).skip(from).take((0.1 * rate) as usize);
    let (mut weight, mut sum) = (0.0, 0.0);
    for (n, moment) in moments.enumerate() {
        let energy = f64::from(moment[0]).powi(4);
        weight += energy;
        sum += energy * ((from + n) as f64 / rate - time);
    }
    (weight > rate * 2e-6).then(|| sum / weight)
}

/// How far the loudest of the noise stands below the signal, in decibels, in the middle of the sound.
pub(crate) fn signal_to_noise(pcm: &Pcm, start: f64, signal: fn(f64, usize) -> f32) -> f64 {
    let rate = f64::from(pcm.rate);
    let length = pcm.len();
    let (mut power, mut noise) = (0.0, 0.0);
    for (n, moment) in pcm.samples.chunks(pcm.channels).enumerate().skip(length / 4).take(length / 2) {
        for (channel, sample) in moment.iter().enumerate() {
            let expected = f64::from(signal(start + n as f64 / rate, channel));
            power += expected * expected;
            noise += (expected - f64::from(*sample)).powi(2);
        }
    }
    10.0 * (power / noise).log10()
}

/// Numbers that look random and are the same in every run.
///
/// Source: G. Marsaglia, "Xorshift RNGs" (2003).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Bytes with up to seven bits turned over; one in eight is cut short.
    pub(crate) fn bend(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bent = bytes.to_vec();
        for _ in 0..self.below(8) {
            let place = self.below(bent.len().max(1));
            if let Some(byte) = bent.get_mut(place) {
                *byte ^= 1 << self.below(8);
            }
        }
        if self.below(8) == 0 {
            bent.truncate(self.below(bytes.len() + 1));
        }
        bent
    }
}
