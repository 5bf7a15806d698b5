//! Cuts, joints and gentle stretching of sound, without clicks.

use crate::Pcm;

/// How long a joint takes, as a part of a second.
const JOINT: u32 = 200;

/// Carries the level across cuts so that there is no step, which would be heard as a click.
#[derive(Default)]
pub(crate) struct Splice {
    last: Vec<f32>,
    cut: bool,
}

impl Splice {
    /// The next piece does not follow from the one before.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// Joins a piece to the one before.
    pub(crate) fn join(&mut self, pcm: &mut Pcm) {
        if pcm.is_empty() {
            return;
        }
        self.last.resize(pcm.channels, 0.0);
        if std::mem::take(&mut self.cut) {
            bend(pcm, &self.last);
        }
        let tail = pcm.samples.len() - pcm.channels;
        self.last.copy_from_slice(&pcm.samples[tail..]);
    }
}

/// Starts a piece at these levels and lets it swing in to its own.
fn bend(pcm: &mut Pcm, levels: &[f32]) {
    let length = ((pcm.rate / JOINT).max(1) as usize).min(pcm.len());
    let steps: Vec<f32> = levels.iter().zip(&pcm.samples).map(|(last, first)| last - first).collect();
    for (n, moment) in pcm.samples.chunks_mut(pcm.channels).take(length).enumerate() {
        let rest = 1.0 - n as f32 / length as f32;
        for (sample, step) in moment.iter_mut().zip(&steps) {
            *sample += step * rest * rest;
        }
    }
}

/// Makes a piece longer by `by` samples, or shorter for a negative number, by cubic interpolation.
///
/// Source: E. Catmull, R. Rom, "A class of local interpolating splines" (1974).
pub(crate) fn stretch(pcm: &mut Pcm, by: i64) {
    let length = pcm.len();
    let wanted = usize::try_from(length as i64 + by).unwrap_or(0);
    if by == 0 || wanted == 0 {
        return;
    }
    let ratio = length as f64 / wanted as f64;
    let channels = pcm.channels;
    let source = std::mem::take(&mut pcm.samples);
    let at = |index: usize, channel: usize| source[index.min(length - 1) * channels + channel];
    pcm.samples = (0..wanted)
        .flat_map(|n| (0..channels).map(move |channel| (n, channel)))
        .map(|(n, channel)| {
            let position = n as f64 * ratio;
            let index = position as usize;
            let points = [index.saturating_sub(1), index, index + 1, index + 2].map(|index| at(index, channel));
            cubic(points, (position - index as f64) as f32)
        })
        .collect();
}

fn cubic([a, b, c, d]: [f32; 4], t: f32) -> f32 {
    let linear = (c - a) / 2.0;
    let square = a - 2.5 * b + 2.0 * c - d / 2.0;
    let cube = (d - a) / 2.0 + 1.5 * (b - c);
    ((cube * t + square) * t + linear) * t + b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(length: usize, level: f32) -> Pcm {
        let samples = (0..length).flat_map(|n| [(n as f32 * 0.05).sin() * level, level]).collect();
        Pcm { rate: 48_000, channels: 2, samples }
    }

    #[test]
    fn no_step_is_left_where_silence_is_put_in() {
        let mut splice = Splice::default();
        let mut all = Vec::new();
        for level in [0.8, 0.0, -0.8] {
            let mut piece = tone(1_024, level);
            splice.cut();
            splice.join(&mut piece);
            all.extend(piece.samples);
        }
        let steps = all.windows(4).map(|moments| (moments[3] - moments[1]).abs());
        assert!(steps.fold(0.0, f32::max) < 0.05);
    }

    #[test]
    fn stretching_changes_the_length_and_hardly_the_sound() {
        for by in [-4, -1, 0, 1, 4] {
            let mut piece = tone(1_024, 0.5);
            stretch(&mut piece, by);
            let length = (1_024 + by) as usize;
            assert_eq!(piece.len(), length);
            let ratio = 1_024.0 / length as f32;
            for (n, moment) in piece.samples.chunks(2).enumerate().take(length - 4) {
                assert!((moment[0] - (n as f32 * ratio * 0.05).sin() * 0.5).abs() < 0.002, "{by} {n}");
                assert!((moment[1] - 0.5).abs() < 1e-5);
            }
        }
    }
}
