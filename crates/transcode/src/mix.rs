//! Between mono, stereo and surround sound.

/// Half the power: what a channel that goes to both sides, or a rear one, is turned down to.
const HALF_POWER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Appends interleaved `samples` of `from` channels to `out` as `to` channels, 1 or 2.
///
/// Surround sound comes in the order front left, front right, centre, low frequency, then pairs of left and right.
/// It is mixed down without the low frequencies and turned down so that it cannot clip.
///
/// Source: Recommendation ITU-R BS.775, annex 4.
pub(crate) fn mix(samples: &[f32], from: usize, to: usize, out: &mut Vec<f32>) {
    if from == to {
        return out.extend_from_slice(samples);
    }
    for moment in samples.chunks_exact(from.max(1)) {
        let (left, right) = stereo(moment);
        match to {
            1 => out.push((left + right) / 2.0),
            _ => out.extend([left, right]),
        }
    }
}

fn stereo(moment: &[f32]) -> (f32, f32) {
    match *moment {
        [] => (0.0, 0.0),
        [mono] => (mono, mono),
        [left, right] => (left, right),
        [left, right, centre] => weigh(left, right, centre, &[]),
        [left, right, centre, _low, ref rear @ ..] => weigh(left, right, centre, rear),
    }
}

fn weigh(left: f32, right: f32, centre: f32, rear: &[f32]) -> (f32, f32) {
    let pairs = rear.len().div_ceil(2);
    let total = 1.0 + HALF_POWER * (1.0 + pairs as f32);
    let side = |front: f32, parity: usize| {
        let behind: f32 = rear.iter().skip(parity).step_by(2).sum();
        (front + HALF_POWER * (centre + behind)) / total
    };
    (side(left, 0), side(right, 1))
}

#[cfg(test)]
mod tests {
    use super::mix;

    #[test]
    fn channels_go_where_they_belong() {
        let third = 1.0 / (1.0 + 2.0 * super::HALF_POWER);
        let cases: &[(&[f32], usize, usize, &[f32])] = &[
            (&[0.5, -0.25], 1, 2, &[0.5, 0.5, -0.25, -0.25]),
            (&[0.5, -0.25], 2, 1, &[0.125]),
            (&[0.5, -0.25], 2, 2, &[0.5, -0.25]),
            (&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 6, 2, &[third, 0.0]),
            (&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0], 6, 2, &[0.0, 0.0]),
            (&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 6, 2, &[0.0, third * super::HALF_POWER]),
            (&[], 0, 2, &[]),
        ];
        for &(samples, from, to, expected) in cases {
            let mut out = Vec::new();
            mix(samples, from, to, &mut out);
            assert_eq!(out.len(), expected.len());
            assert!(out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{from} -> {to}: {out:?}");
        }
    }

    #[test]
    fn loud_surround_sound_does_not_clip() {
        for from in 1..=8 {
            let mut out = Vec::new();
            mix(&vec![1.0; from], from, 2, &mut out);
            assert!(out.iter().all(|sample| *sample <= 1.000_001), "{from}: {out:?}");
        }
    }
}
