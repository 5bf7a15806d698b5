//! Bytes -> frames of a picture and a sound, with times as no source should have them.

use bytes::Bytes;
use headwater_media::Frame;

/// A frame, and what is odd about it.
pub(super) struct Odd {
    /// 0 for the picture, 1 for the sound.
    pub(super) track: usize,
    /// Three bits, of which each target makes something else.
    pub(super) what: u8,
    pub(super) frame: Frame,
}

/// Frames, each behind four bytes: of which track and what is odd about it, how much later it is, and its length.
pub(super) fn frames(mut data: &[u8]) -> impl Iterator<Item = Odd> {
    let mut time = 0_i64;
    std::iter::from_fn(move || {
        let ([flags, step, high, low], rest) = data.split_first_chunk::<4>()?;
        let length = (usize::from(*high & 0x0f) << 8 | usize::from(*low)).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        data = rest;
        let step = i64::from(*step);
        time = match flags & 0x0c {
            0x04 => time.saturating_add(step * 90_000),
            0x08 => time.saturating_sub(step * 90_000),
            0x0c => time.saturating_mul(step),
            _ => time.saturating_add(step * 90),
        };
        let track = usize::from(flags & 1);
        let dts = if track == 0 { time } else { time / 15 * 8 };
        let pts = dts.saturating_add(if flags & 0x80 == 0 { 0 } else { step * 900 });
        let frame = Frame { dts, pts, random_access: flags & 2 != 0, data: Bytes::copy_from_slice(payload) };
        Some(Odd { track, what: flags >> 4 & 7, frame })
    })
}
