//! Init segments: `ftyp` and `moov`.

mod entry;

use bytes::Bytes;
use headwater_media::{TrackKind, TrackParameters};
use mp4_atom::{
    Codec as SampleEntry, Dinf, Dref, DrefEntry, Encode, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Minf, Moov, Mvex, Mvhd, Smhd,
    Stbl, Stco, Stsd, Tkhd, Trak, Trex, Url, Vmhd,
};

use crate::{Mp4Error, fragment::SYNC};

/// A track of an init segment.
#[derive(Clone, Copy, Debug)]
pub struct InitTrack<'a> {
    /// Its number, not zero and not that of another track.
    pub id: u32,
    /// What it carries. Its samples are counted in the clock rate.
    pub parameters: &'a TrackParameters,
}

/// Writes the init segment for these tracks.
///
/// # Errors
/// There are no tracks, MP4 does not carry a codec, or a configuration record is missing or cannot be read.
pub fn init(tracks: &[InitTrack<'_>]) -> Result<Bytes, Mp4Error> {
    let last = tracks.iter().map(|track| track.id).max();
    let last = last.ok_or(Mp4Error::Nothing { what: "an init segment without tracks" })?;
    let moov = Moov {
        mvhd: Mvhd { timescale: 1_000, next_track_id: last.saturating_add(1), ..Mvhd::default() },
        mvex: Some(Mvex { trex: tracks.iter().map(defaults).collect(), ..Mvex::default() }),
        trak: tracks.iter().map(track).collect::<Result<_, _>>()?,
        ..Moov::default()
    };
    let mut bytes = Vec::with_capacity(1_024);
    file_type(&moov).encode(&mut bytes)?;
    moov.encode(&mut bytes)?;
    Ok(bytes.into())
}

/// Whether a track that changes from one to the other needs a new init segment.
pub fn needs_new_init(before: &TrackParameters, after: &TrackParameters) -> bool {
    let size = |parameters: &TrackParameters| parameters.video().map(|video| (video.width, video.height));
    before.codec != after.codec
        || before.clock_rate != after.clock_rate
        || before.config != after.config
        || before.audio() != after.audio()
        || size(before) != size(after)
}

fn file_type(moov: &Moov) -> Ftyp {
    let is_av1 =
        |trak: &Trak| trak.mdia.minf.stbl.stsd.codecs.iter().any(|entry| matches!(entry, SampleEntry::Av01(_)));
    // Fragments whose data offsets count from their own box came with iso5, signed composition offsets with iso6.
    let mut compatible_brands = vec![FourCC::new(b"iso6"), FourCC::new(b"mp41")];
    if moov.trak.iter().any(is_av1) {
        // AV1 in ISOBMFF §2.1.
        compatible_brands.push(FourCC::new(b"av01"));
    }
    Ftyp { major_brand: FourCC::new(b"iso6"), minor_version: 0, compatible_brands }
}

fn defaults(track: &InitTrack<'_>) -> Trex {
    Trex {
        track_id: track.id,
        default_sample_description_index: 1,
        default_sample_flags: if track.parameters.kind() == TrackKind::Audio { SYNC } else { 0 },
        ..Trex::default()
    }
}

fn track(track: &InitTrack<'_>) -> Result<Trak, Mp4Error> {
    let is_video = track.parameters.kind() == TrackKind::Video;
    let (width, height) = entry::size(track.parameters);
    Ok(Trak {
        tkhd: Tkhd {
            track_id: track.id,
            enabled: true,
            in_movie: true,
            volume: if is_video { 0.into() } else { 1.into() },
            width: width.into(),
            height: height.into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd { timescale: track.parameters.clock_rate.hertz(), language: "und".into(), ..Mdhd::default() },
            hdlr: Hdlr { handler: FourCC::new(if is_video { b"vide" } else { b"soun" }), name: String::new() },
            minf: media(track.parameters, is_video)?,
        },
        ..Trak::default()
    })
}

fn media(parameters: &TrackParameters, is_video: bool) -> Result<Minf, Mp4Error> {
    Ok(Minf {
        vmhd: is_video.then(Vmhd::default),
        smhd: (!is_video).then(Smhd::default),
        // An empty location: the media is in this file.
        dinf: Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } },
        stbl: Stbl {
            stsd: Stsd { codecs: vec![entry::sample_entry(parameters)?] },
            stco: Some(Stco::default()),
            ..Stbl::default()
        },
        ..Minf::default()
    })
}

#[cfg(test)]
mod tests;
