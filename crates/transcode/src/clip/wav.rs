//! WAV files to sound, by hound.

use std::io::Cursor;

use headwater_media::limits;
use hound::{SampleFormat, WavReader, WavSpec};

use super::Clip;
use crate::{Error, mix::mix, pcm::to_i16};

const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
const CHANNELS: std::ops::RangeInclusive<u16> = 1..=8;

type Reader<'a> = WavReader<Cursor<&'a [u8]>>;

pub(super) fn read(file: &[u8]) -> Result<Clip, Error> {
    let reader = WavReader::new(Cursor::new(file)).map_err(refuse)?;
    let spec = reader.spec();
    if !RATES.contains(&spec.sample_rate) || !CHANNELS.contains(&spec.channels) {
        return Err(Error::file(format!(
            "it has {} channels at {} Hz; up to eight at 8,000 to 192,000 Hz are read",
            spec.channels, spec.sample_rate
        )));
    }
    check_length(u64::from(reader.duration()), spec.sample_rate)?;
    let samples = match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Float, 32) => take(reader, file.len(), |sample: f32| sample)?,
        (SampleFormat::Int, bits @ 8..=32) => {
            let full = (1_u64 << bits.saturating_sub(1)) as f32;
            take(reader, file.len(), move |sample: i32| sample as f32 / full)?
        }
        (_, bits) => return Err(Error::file(format!("samples of {bits} bits are not read"))),
    };
    Ok(Clip { rate: spec.sample_rate, channels: channels(spec), samples })
}

fn check_length(length: u64, rate: u32) -> Result<(), Error> {
    if length == 0 {
        return Err(Error::file("there is no sound in it"));
    }
    let ms = length.saturating_mul(1_000) / u64::from(rate.max(1));
    if ms <= limits::SOUND_MS.get() {
        return Ok(());
    }
    limits::SOUND_MS.hit();
    let (seconds, most) = (ms / 1_000, limits::SOUND_MS.get() / 1_000);
    Err(Error::file(format!("it lasts {seconds} seconds; at most {most} are taken")))
}

/// The samples of all channels, mixed down to two where there are more; of a file of so many bytes.
fn take<S: hound::Sample>(mut reader: Reader<'_>, size: usize, level: impl Fn(S) -> f32) -> Result<Vec<i16>, Error> {
    let spec = reader.spec();
    let (from, to) = (usize::from(spec.channels), channels(spec));
    let mut moment = Vec::with_capacity(from);
    let mut mixed = Vec::with_capacity(to);
    // What the header tells of its length may be wrong: no more is set aside than there is.
    let mut samples = Vec::with_capacity(size.min(reader.len() as usize));
    for sample in reader.samples::<S>() {
        let sample = level(sample.map_err(refuse)?);
        moment.push(if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 });
        if moment.len() == from {
            mixed.clear();
            mix(&moment, from, to, &mut mixed);
            samples.extend(mixed.iter().map(|&sample| to_i16(sample)));
            moment.clear();
        }
    }
    Ok(samples)
}

fn channels(spec: WavSpec) -> usize {
    usize::from(spec.channels).clamp(1, 2)
}

fn refuse(error: hound::Error) -> Error {
    Error::file(match error {
        hound::Error::IoError(_) => "it ends early".to_owned(),
        hound::Error::FormatError(reason) => format!("it is no whole WAV file ({reason})"),
        hound::Error::Unsupported => "it is a WAV file of a kind that is not read; PCM is".to_owned(),
        other => format!("it is no WAV file of PCM ({other})"),
    })
}
