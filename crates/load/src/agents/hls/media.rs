//! Segments -> screen: fragmented MP4, and transport streams.

use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_codec::{aac::AdtsHeader, h264, h265, nal::from_annexb};
use headwater_media::{ClockRate, Codec, Frame, Ticks, TrackKind};
use headwater_mp4::Movie;
use headwater_mpegts::{Pes, Reader};

use crate::{
    Failure,
    agents::{
        movie,
        screen::{Count, Screen},
    },
    failure::Reason,
};

const SYNC: u8 = 0x47;
/// ISO/IEC 13818-1 table 2-34.
const H264: u8 = 0x1b;
const H265: u8 = 0x24;
/// AAC behind ADTS.
const AAC: u8 = 0x0f;
/// MPEG-1 and MPEG-2 sound, AAC within LATM, private data such as AC-3: counted by the unit.
const SOUND: [u8; 5] = [0x03, 0x04, 0x11, 0x81, 0x06];

/// Takes segments apart.
pub(super) struct Demuxer {
    movie: Option<Movie>,
    transport: Reader,
    time: Count,
}

impl Default for Demuxer {
    fn default() -> Demuxer {
        Demuxer { movie: None, transport: Reader::new(), time: Count::of_bits(33) }
    }
}

impl Demuxer {
    /// The segments that follow do not continue those before.
    pub(super) fn break_off(&mut self) {
        self.transport = Reader::new();
        self.time = Count::of_bits(33);
    }

    /// Takes an init segment.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn init(&mut self, segment: &Bytes, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let movie = Movie::parse(segment).map_err(|error| Failure::new(Reason::Protocol, error))?;
        let picture = movie.tracks().iter().find(|track| track.kind == Some(TrackKind::Video));
        picture.and_then(|track| track.parameters.clone()).into_iter().for_each(|it| screen.parameters(it));
        self.movie = Some(movie);
        Ok(())
    }

    /// Shows a segment or a part.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn show(&mut self, segment: &Bytes, screen: &mut Screen<'_>, now: Instant) -> Result<(), Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::new(Reason::Protocol, format!("a segment: {error}"));
        if segment.first() == Some(&SYNC) {
            let units = self.transport.read(segment).map_err(|error| wrong(&error))?;
            let mut units: Vec<(u64, Pes)> =
                units.into_iter().map(|unit| (unit.dts.or(unit.pts).unwrap_or(0), unit)).collect();
            let first =
                units.iter().find(|(_, unit)| [H264, H265].contains(&unit.stream_type)).map(|(_, unit)| unit.pid);
            units.drain(..).for_each(|(time, unit)| self.unit(time, unit, first, screen, now));
            return Ok(());
        }
        let Some(movie) = &self.movie else { return Err(wrong(&"it is neither MP4 with an init segment nor MPEG-TS")) };
        movie::show(movie, segment, screen, now).map_err(|error| wrong(&error))
    }

    fn unit(&mut self, time: u64, unit: Pes, picture: Option<u16>, screen: &mut Screen<'_>, now: Instant) {
        if Some(unit.pid) != picture {
            match unit.stream_type {
                AAC => (0..frames_of_aac(&unit.data)).for_each(|_| screen.sound(now)),
                kind if SOUND.contains(&kind) => screen.sound(now),
                _ => {}
            }
            return;
        }
        let data = from_annexb(&unit.data);
        let (codec, random_access) = match unit.stream_type {
            H264 => (Codec::H264, h264::is_random_access(&data)),
            _ => (Codec::H265, h265::is_random_access(&data)),
        };
        let time = Ticks::try_from(self.time.follow(time)).unwrap_or(Ticks::MAX);
        let shift = unit.pts.zip(unit.dts).map_or(0, |(pts, dts)| pts.wrapping_sub(dts) & 0x1_ffff_ffff);
        let pts = time.saturating_add(Ticks::try_from(shift).unwrap_or(0));
        let whole: Duration = ClockRate::VIDEO.duration(time);
        screen.picture(Some(codec), whole, Frame { dts: time, pts, random_access, data }, now);
    }
}

/// How many frames follow each other.
fn frames_of_aac(mut unit: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(header) = AdtsHeader::parse(unit) {
        let Some(rest) = unit.get(header.frame_bytes..) else { break };
        count += 1;
        unit = rest;
    }
    count
}

#[cfg(test)]
mod tests {
    use headwater_codec::aac::AudioSpecificConfig;

    use super::*;

    #[test]
    fn frames_behind_each_other_are_counted_and_half_ones_are_not() {
        let header = AdtsHeader::write(&AudioSpecificConfig::low_complexity(48_000, 2), 20).unwrap();
        let frame = [&header[..], &[7; 20]].concat();
        let unit = frame.repeat(3);
        for (bytes, frames) in [(0, 0), (26, 0), (27, 1), (60, 2), (80, 2), (81, 3)] {
            assert_eq!(frames_of_aac(&unit[..bytes]), frames, "{bytes}");
        }
    }
}
