//! Samples -> the bytes of a part.

use std::sync::Arc;

use bytes::Bytes;
use headwater_media::{ClockRate, TrackKind, TrackParameters};
use headwater_mp4::{InitTrack, Mp4Error, Run, Sample, fragment, init};
use headwater_mpegts::{TsError, Unit};

/// What segments are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Fragmented MP4 (RFC 8216 §3.3).
    Fmp4,
    /// MPEG-2 transport streams (RFC 8216 §3.2).
    Ts,
    /// Fragmented MP4 with one track in each segment, as players of DASH have it (ISO/IEC 23000-19 §7.3.1).
    Cmaf,
}

impl Format {
    /// The format of this name that players of HLS may ask for.
    pub fn named(name: &str) -> Option<Format> {
        [Format::Fmp4, Format::Ts].into_iter().find(|format| format.name() == name)
    }

    /// Its name in addresses and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Format::Fmp4 => "fmp4",
            Format::Ts => "ts",
            Format::Cmaf => "cmaf",
        }
    }
}

/// Writes the parts of one rendition.
#[derive(Debug)]
pub struct Container {
    tracks: Vec<Arc<TrackParameters>>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Fmp4 {
        /// Fragments so far.
        fragments: u32,
    },
    Ts(Option<headwater_mpegts::Writer>),
}

/// Why something cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// Fragmented MP4.
    #[error(transparent)]
    Mp4(#[from] Mp4Error),
    /// Transport streams.
    #[error(transparent)]
    Ts(#[from] TsError),
}

/// Packets of sound that travel together in a transport stream, as each such packet costs some twenty bytes and up to
/// half of a transport packet.
const SOUND_TOGETHER: usize = 8;

impl Container {
    /// A writer of this format.
    pub fn new(format: Format) -> Container {
        let kind = match format {
            Format::Fmp4 | Format::Cmaf => Kind::Fmp4 { fragments: 0 },
            Format::Ts => Kind::Ts(None),
        };
        Container { tracks: Vec::new(), kind }
    }

    /// Takes up these tracks. Gives back what a decoder needs before the first segment, where that is apart from the
    /// media.
    ///
    /// # Errors
    /// The format does not carry one of the codecs.
    pub fn begin(&mut self, tracks: &[Arc<TrackParameters>]) -> Result<Option<Bytes>, ContainerError> {
        self.tracks = tracks.to_vec();
        let parameters = tracks.iter().map(|parameters| &**parameters);
        match &mut self.kind {
            Kind::Fmp4 { .. } => {
                let tracks = (1..).zip(parameters).map(|(id, parameters)| InitTrack { id, parameters });
                Ok(Some(init(&tracks.collect::<Vec<_>>())?))
            }
            Kind::Ts(Some(writer)) => Ok(writer.change(parameters).map(|()| None)?),
            Kind::Ts(writer) => {
                *writer = Some(headwater_mpegts::Writer::new(parameters)?);
                Ok(None)
            }
        }
    }

    /// Writes a part of the samples of each track, in the order of [`begin`](Self::begin); a track may have none.
    ///
    /// This is the only copy of media that is made for players of HLS.
    ///
    /// # Errors
    /// No track has samples, or those of one do not follow each other.
    pub fn part(&mut self, tracks: &[Vec<Sample>], begins_segment: bool) -> Result<Bytes, ContainerError> {
        match &mut self.kind {
            Kind::Fmp4 { fragments } => {
                *fragments = fragments.wrapping_add(1).max(1);
                let runs = (1..).zip(tracks).filter(|(_, samples)| !samples.is_empty());
                let runs = runs.flat_map(|(track, samples)| pieces(samples).map(move |samples| Run { track, samples }));
                Ok(fragment(*fragments, &runs.collect::<Vec<_>>())?.join())
            }
            Kind::Ts(writer) => {
                let mut out = Vec::new();
                let Some(writer) = writer else { return Ok(Bytes::new()) };
                if begins_segment {
                    writer.tables(&mut out);
                }
                for (track, units) in in_order(&self.tracks, tracks) {
                    writer.units(track, &units, &mut out)?;
                }
                Ok(out.into())
            }
        }
    }
}

/// Samples as runs without holes: there is one where nothing came for a while.
fn pieces(samples: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    samples.chunk_by(|before, after| before.end() == after.decode_time)
}

/// What goes into each packet of a transport stream, by track, in the order of decoding.
fn in_order<'a>(parameters: &[Arc<TrackParameters>], tracks: &'a [Vec<Sample>]) -> Vec<(usize, Vec<Unit<'a>>)> {
    let mut all = Vec::new();
    for (track, (parameters, samples)) in parameters.iter().zip(tracks).enumerate() {
        let together = if parameters.kind() == TrackKind::Audio { SOUND_TOGETHER } else { 1 };
        for samples in pieces(samples).flat_map(|samples| samples.chunks(together)) {
            all.push((track, samples.iter().map(|sample| unit(parameters.clock_rate, sample)).collect::<Vec<_>>()));
        }
    }
    all.sort_by_key(|(_, units)| units.first().map(|unit| unit.dts));
    all
}

fn unit(rate: ClockRate, sample: &Sample) -> Unit<'_> {
    let ticks = |time: u64| {
        let time = rate.rescale(i64::try_from(time).unwrap_or(i64::MAX), ClockRate::VIDEO);
        u64::try_from(time).unwrap_or(0)
    };
    Unit {
        pts: ticks(sample.presentation_time()),
        dts: ticks(sample.decode_time),
        random_access: sample.sync,
        data: &sample.data,
    }
}
