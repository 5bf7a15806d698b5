//! Init segments and fragments -> samples: what a player does with them, as far as its decoder.

use bytes::Bytes;
use headwater_codec::{CodecError, nal, parameters};
use headwater_media::{ClockRate, Codec, TrackKind, TrackParameters};
use mp4_atom::{Atom, Codec as SampleEntry, Moof, Moov, Traf, Trak, Trex};

use crate::Sample;

/// `sample_is_non_sync_sample` (ISO/IEC 14496-12 §8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;
/// Samples of one fragment that are read; more than any segment has.
const SAMPLES_MAX: usize = 1 << 16;

/// Why bytes are no movie that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A box is longer than what it lies in, or shorter than its own head.
    #[error("box {kind:?} does not fit into what it lies in")]
    Size {
        /// Its four letters.
        kind: String,
    },
    /// A box cannot be read.
    #[error("a box cannot be read: {0}")]
    Box(#[from] mp4_atom::Error),
    /// There is no such box where one is needed.
    #[error("there is no {0} box")]
    Missing(&'static str),
    /// A decoder configuration cannot be read.
    #[error(transparent)]
    Configuration(#[from] CodecError),
    /// A fragment tells of samples that are not in it.
    #[error("the fragment tells of samples that are not in it")]
    Samples,
    /// A fragment belongs to a track that the init segment does not know.
    #[error("the fragment is of track {0}, which the init segment does not know")]
    Track(u32),
}

/// What an init segment says.
#[derive(Clone, Debug, PartialEq)]
pub struct Movie {
    tracks: Vec<MovieTrack>,
}

/// A track of a movie.
#[derive(Clone, Debug, PartialEq)]
pub struct MovieTrack {
    /// Its number.
    pub id: u32,
    /// Whether it is sound or picture; nothing for anything else, such as subtitles.
    pub kind: Option<TrackKind>,
    /// What its times are counted in.
    pub clock_rate: ClockRate,
    /// What a decoder must know; nothing for codecs that are not known here.
    pub parameters: Option<TrackParameters>,
    length_size: Option<u8>,
    defaults: Trex,
}

impl Movie {
    /// Reads an init segment: `ftyp` and `moov`, whatever else there is.
    ///
    /// # Errors
    /// There is no movie in it, or it cannot be read.
    pub fn parse(segment: &[u8]) -> Result<Movie, ReadError> {
        let found = boxes(segment).find_map(|found| match found {
            Ok(Found { kind: [b'm', b'o', b'o', b'v'], body, .. }) => Some(Ok(body)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        let moov = Moov::decode_body(&mut found.ok_or(ReadError::Missing("moov"))??)?;
        let defaults = moov.mvex.map(|extends| extends.trex).unwrap_or_default();
        let tracks = moov.trak.iter().map(|trak| {
            let id = trak.tkhd.track_id;
            MovieTrack::new(trak, defaults.iter().find(|defaults| defaults.track_id == id).cloned())
        });
        Ok(Movie { tracks: tracks.collect::<Result<_, _>>()? })
    }

    /// Its tracks.
    pub fn tracks(&self) -> &[MovieTrack] {
        &self.tracks
    }

    /// The samples of a segment or fragment, each with its track, in the order in which they are stored for each
    /// track. NAL units have their lengths in four bytes, as everywhere here.
    ///
    /// # Errors
    /// It is not of this movie, or not whole.
    pub fn samples(&self, segment: &Bytes) -> Result<Vec<(&MovieTrack, Sample)>, ReadError> {
        let mut samples = Vec::new();
        for found in boxes(segment) {
            let Found { kind, at, body } = found?;
            if &kind != b"moof" {
                continue;
            }
            let moof = Moof::decode_body(&mut &*body)?;
            for traf in &moof.traf {
                self.fragment(traf, at, segment, &mut samples)?;
            }
        }
        Ok(samples)
    }

    fn fragment<'a>(
        &'a self,
        traf: &Traf,
        at: usize,
        segment: &Bytes,
        samples: &mut Vec<(&'a MovieTrack, Sample)>,
    ) -> Result<(), ReadError> {
        let id = traf.tfhd.track_id;
        let track = self.tracks.iter().find(|track| track.id == id).ok_or(ReadError::Track(id))?;
        let mut decode_time = traf.tfdt.as_ref().ok_or(ReadError::Missing("tfdt"))?.base_media_decode_time;
        let base = match traf.tfhd.base_data_offset {
            Some(base) => usize::try_from(base).map_err(|_| ReadError::Samples)?,
            None => at,
        };
        let mut offset = base;
        for run in &traf.trun {
            if let Some(from) = run.data_offset {
                let from = isize::try_from(from).map_err(|_| ReadError::Samples)?;
                offset = base.checked_add_signed(from).ok_or(ReadError::Samples)?;
            }
            if samples.len().saturating_add(run.samples.len()) > SAMPLES_MAX {
                return Err(ReadError::Samples);
            }
            for entry in run.samples.iter() {
                let size = entry.size.or(traf.tfhd.default_sample_size).unwrap_or(track.defaults.default_sample_size);
                let end = usize::try_from(size).ok().and_then(|size| offset.checked_add(size));
                let end = end.filter(|end| *end <= segment.len()).ok_or(ReadError::Samples)?;
                let default_flags = traf.tfhd.default_sample_flags.unwrap_or(track.defaults.default_sample_flags);
                let duration = entry.duration.or(traf.tfhd.default_sample_duration);
                let sample = Sample {
                    decode_time,
                    duration: duration.unwrap_or(track.defaults.default_sample_duration),
                    composition_offset: entry.cts.and_then(|offset| i32::try_from(offset).ok()).unwrap_or(0),
                    sync: entry.flags.unwrap_or(default_flags) & NON_SYNC == 0,
                    data: track.data(segment.slice(offset..end))?,
                };
                decode_time = sample.end();
                offset = end;
                samples.push((track, sample));
            }
        }
        Ok(())
    }
}

impl MovieTrack {
    fn new(trak: &Trak, defaults: Option<Trex>) -> Result<MovieTrack, ReadError> {
        let kind = match &<[u8; 4]>::from(trak.mdia.hdlr.handler) {
            b"vide" => Some(TrackKind::Video),
            b"soun" => Some(TrackKind::Audio),
            _ => None,
        };
        let entry = trak.mdia.minf.stbl.stsd.codecs.first();
        let record = entry.map(record).transpose()?.flatten();
        let length_size = record.as_ref().and_then(|(codec, record)| parameters::nal_length_size(*codec, record));
        Ok(MovieTrack {
            id: trak.tkhd.track_id,
            kind,
            clock_rate: ClockRate::new(trak.mdia.mdhd.timescale).ok_or(ReadError::Missing("sensible mdhd"))?,
            parameters: record.map(|(codec, record)| parameters::from_config(codec, record)).transpose()?,
            length_size,
            defaults: defaults.unwrap_or_default(),
        })
    }

    fn data(&self, data: Bytes) -> Result<Bytes, ReadError> {
        match self.length_size {
            Some(size @ 1..=3) => Ok(nal::widen_lengths(data, size)?),
            _ => Ok(data),
        }
    }
}

/// The codec of a sample entry, and its configuration record.
fn record(entry: &SampleEntry) -> Result<Option<(Codec, Bytes)>, ReadError> {
    Ok(match entry {
        SampleEntry::Avc1(entry) => Some((Codec::H264, body(&entry.avcc)?)),
        SampleEntry::Avc3(entry) => Some((Codec::H264, body(&entry.avcc)?)),
        SampleEntry::Hvc1(entry) => Some((Codec::H265, body(&entry.hvcc)?)),
        SampleEntry::Hev1(entry) => Some((Codec::H265, body(&entry.hvcc)?)),
        SampleEntry::Av01(entry) => Some((Codec::Av1, body(&entry.av1c)?)),
        SampleEntry::Vp09(entry) => Some((Codec::Vp9, body(&entry.vpcc)?)),
        SampleEntry::Mp4a(entry) => {
            let specific = entry.esds.es_desc.dec_config.dec_specific.as_ref();
            specific.map(|specific| (Codec::Aac, Bytes::copy_from_slice(&specific.raw)))
        }
        SampleEntry::Opus(_) => Some((Codec::Opus, Bytes::new())),
        _ => None,
    })
}

/// A record is the body of its box.
fn body<T: Atom>(atom: &T) -> Result<Bytes, ReadError> {
    let mut bytes = Vec::new();
    atom.encode_body(&mut bytes)?;
    Ok(bytes.into())
}

/// A box, and where it begins.
struct Found<'a> {
    kind: [u8; 4],
    at: usize,
    body: &'a [u8],
}

/// The boxes that lie one behind the other (ISO/IEC 14496-12 §4.2).
fn boxes(bytes: &[u8]) -> impl Iterator<Item = Result<Found<'_>, ReadError>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let found = next_box(rest).map(|(kind, long, head)| {
            let body = rest.get(head..long).unwrap_or_default();
            let found = Found { kind, at, body };
            at += long;
            found
        });
        if found.is_err() {
            at = bytes.len();
        }
        Some(found)
    })
}

/// Kind, length with the head, and length of the head of the first box.
fn next_box(rest: &[u8]) -> Result<([u8; 4], usize, usize), ReadError> {
    let wrong = |kind: &[u8]| ReadError::Size { kind: String::from_utf8_lossy(kind).into_owned() };
    let [a, b, c, d, kind @ ..] = rest else { return Err(wrong(rest)) };
    let Some((kind, after)) = kind.split_first_chunk::<4>() else { return Err(wrong(kind)) };
    let (long, head) = match u32::from_be_bytes([*a, *b, *c, *d]) {
        0 => (rest.len(), 8),
        1 => {
            let long = after.first_chunk::<8>().map(|long| u64::from_be_bytes(*long));
            (long.and_then(|long| usize::try_from(long).ok()).ok_or_else(|| wrong(kind))?, 16)
        }
        long => (usize::try_from(long).unwrap_or(usize::MAX), 8),
    };
    if long < head || long > rest.len() { Err(wrong(kind)) } else { Ok((*kind, long, head)) }
}

#[cfg(test)]
mod tests;
