//! Between sample rates, without delay: sample `n` of the output is the sound of time `n / rate`.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _};

use crate::Error;

/// The longest block of samples that has a whole length at both rates; rates that need more are refused.
const BLOCK_MAX: u32 = 8_192;
/// The shortest block, in samples of the lower rate, which still holds a good filter.
const BLOCK_MIN: u32 = 128;

/// Changes the sample rate of interleaved sound.
pub(crate) struct Resampler {
    channels: usize,
    from: u32,
    to: u32,
    state: Option<State>,
}

struct State {
    fft: Fft<f32>,
    pending: Vec<f32>,
    block: Vec<f32>,
    skip: usize,
    consumed: u64,
    produced: u64,
}

impl Resampler {
    pub(crate) fn new(from: u32, to: u32, channels: usize) -> Result<Resampler, Error> {
        let state = if from == to { None } else { Some(State::new(from, to, channels)?) };
        Ok(Resampler { channels, from, to, state })
    }

    /// Takes samples in; appends to `out` what they make complete.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let Some(state) = &mut self.state else {
            return out.extend_from_slice(samples);
        };
        state.pending.extend_from_slice(samples);
        let block = state.fft.input_frames_next() * self.channels;
        let mut rest = std::mem::take(&mut state.pending);
        let whole = rest.len() - rest.len() % block.max(1);
        for samples in rest[..whole].chunks_exact(block.max(1)) {
            state.run(samples, self.channels, out);
        }
        rest.drain(..whole);
        state.pending = rest;
    }

    /// Appends what is still inside; then it is as new.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        let (from, to) = (u64::from(self.from), u64::from(self.to));
        let Some(state) = &mut self.state else { return };
        let rest = std::mem::take(&mut state.pending);
        let total = state.consumed + (rest.len() / self.channels.max(1)) as u64;
        let wanted = (total * to + from / 2) / from;
        state.run(&rest, self.channels, out);
        while state.produced < wanted {
            state.run(&[], self.channels, out);
        }
        let surplus = usize::try_from(state.produced - wanted).unwrap_or(0) * self.channels;
        out.truncate(out.len().saturating_sub(surplus));
        state.restart();
    }
}

impl State {
    fn new(from: u32, to: u32, channels: usize) -> Result<State, Error> {
        let refuse = || Error::SampleRate { from, to };
        let chunk = block(from, to).ok_or_else(refuse)? as usize;
        let fft = Fft::new(from as usize, to as usize, chunk, channels, FixedSync::Both).map_err(|_| refuse())?;
        let block = vec![0.0; fft.output_frames_max() * channels];
        let skip = fft.output_delay();
        Ok(State { fft, pending: Vec::new(), block, skip, consumed: 0, produced: 0 })
    }

    /// Resamples one block; a short one is filled up with silence.
    fn run(&mut self, samples: &[f32], channels: usize, out: &mut Vec<f32>) {
        let length = samples.len() / channels;
        let indexing = Indexing::new().partial_len(length);
        let capacity = self.block.len() / channels;
        let input = InterleavedSlice::new(samples, channels, length);
        let output = InterleavedSlice::new_mut(&mut self.block, channels, capacity);
        let (Ok(input), Ok(mut output)) = (input, output) else {
            return;
        };
        let Ok((_, made)) = self.fft.process_into_buffer(&input, &mut output, Some(&indexing)) else {
            return;
        };
        let skipped = self.skip.min(made);
        self.skip -= skipped;
        self.consumed += length as u64;
        self.produced += (made - skipped) as u64;
        out.extend_from_slice(&self.block[skipped * channels..made * channels]);
    }

    fn restart(&mut self) {
        self.fft.reset();
        self.pending.clear();
        self.skip = self.fft.output_delay();
        self.consumed = 0;
        self.produced = 0;
    }
}

/// How many samples of the input to resample at once: 5 ms or a bit more.
///
/// An even number at both rates, as the filter, which is as long, is symmetric about a sample only then.
fn block(from: u32, to: u32) -> Option<u32> {
    let common = gcd(from, to);
    let (least_in, least_out) = (from.checked_div(common)?, to.checked_div(common)?);
    if least_in.max(least_out) > BLOCK_MAX || least_in == 0 || least_out == 0 {
        return None;
    }
    let wanted = (from / 200).max(BLOCK_MIN);
    let blocks = wanted.div_ceil(least_in).max(BLOCK_MIN.div_ceil(least_out));
    let even = if least_in % 2 == 0 && least_out % 2 == 0 { blocks } else { blocks.next_multiple_of(2) };
    Some(even * least_in)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_keeps_its_phase_and_its_length() {
        let rates = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000]
            .map(|rate| (rate, 48_000));
        for (from, to) in rates.into_iter().chain([(48_000, 8_000), (44_100, 8_000), (48_000, 22_050), (8_000, 11_025)])
        {
            let sine = |n: usize, rate: u32| (n as f32 * 500.0 * std::f32::consts::TAU / rate as f32).sin() * 0.5;
            let length = from as usize / 2 + 17;
            let input: Vec<f32> = (0..length).flat_map(|n| [sine(n, from), -sine(n, from)]).collect();
            let mut resampler = Resampler::new(from, to, 2).unwrap();
            let mut out = Vec::new();
            for piece in input.chunks(2 * 333) {
                resampler.push(piece, &mut out);
            }
            resampler.finish(&mut out);
            let expected = (length as f64 * f64::from(to) / f64::from(from)).round() as usize;
            assert_eq!(out.len() / 2, expected, "{from} -> {to}");
            let worst = out
                .chunks(2)
                .enumerate()
                .skip(to as usize / 20)
                .take(expected - to as usize / 10)
                .map(|(n, moment)| (moment[0] - sine(n, to)).abs().max((moment[1] + sine(n, to)).abs()))
                .fold(0.0, f32::max);
            assert!(worst < 0.01, "{from} -> {to}: off by {worst}");
        }
    }

    #[test]
    fn odd_rates_are_refused_not_allocated_for() {
        for from in [0, 1, 47_999, 4_294_967_291] {
            assert!(Resampler::new(from, 48_000, 2).is_err(), "{from}");
        }
    }
}
