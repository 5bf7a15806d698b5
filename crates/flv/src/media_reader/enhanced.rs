//! What the enhanced headers of audio and video have in common: ModEx and multitrack.
//!
//! Source: Enhanced RTMP v2, sections "Enhanced Audio" and "Enhanced Video".

use bytes::Bytes;
use headwater_media::limits;
use smallvec::SmallVec;

use crate::{FlvError, FourCc, Reader};

pub(super) const SEQUENCE_START: u8 = 0;
pub(super) const CODED_FRAMES: u8 = 1;
pub(super) const SEQUENCE_END: u8 = 2;
pub(super) const CODED_FRAMES_X: u8 = 3;
pub(super) const METADATA: u8 = 4;
pub(super) const AUDIO_MULTITRACK: u8 = 5;
pub(super) const VIDEO_MULTITRACK: u8 = 6;
const MOD_EX: u8 = 7;

const ONE_TRACK: u8 = 0;
const MANY_TRACKS_MANY_CODECS: u8 = 2;
const TIMESTAMP_OFFSET_NANO: u8 = 0;
const NANOS_IN_MILLISECOND: u32 = 1_000_000;

/// One track's part of an enhanced body.
pub(super) struct Part {
    pub(super) track: u8,
    pub(super) fourcc: FourCc,
    pub(super) body: Bytes,
}

pub(super) type Parts = SmallVec<[Part; 1]>;

/// Reads the ModEx headers in front of a packet; gives the packet's type and the nanoseconds they carry.
pub(super) fn read_mod_ex(reader: &mut Reader, mut packet_type: u8) -> Result<(u8, u32), FlvError> {
    let mut nanos = 0;
    let mut left = limits::FLV_MOD_EX.get();
    while packet_type == MOD_EX {
        if left == 0 {
            limits::FLV_MOD_EX.hit();
            return Err(FlvError::Limit("number of ModEx headers"));
        }
        left -= 1;
        let mut size = usize::from(reader.u8("a ModEx size")?) + 1;
        if size == 256 {
            size = usize::from(reader.u16("a ModEx size")?) + 1;
        }
        let data = reader.take(size, "a ModEx header")?;
        let next = reader.u8("a ModEx type")?;
        if let (TIMESTAMP_OFFSET_NANO, [a, b, c, ..]) = (next >> 4, data.as_ref()) {
            nanos = u32::from_be_bytes([0, *a, *b, *c]).min(NANOS_IN_MILLISECOND - 1);
        }
        packet_type = next & 0x0f;
    }
    Ok((packet_type, nanos))
}

/// Reads the FourCC and, with multitrack, splits the rest into the parts of the tracks.
pub(super) fn read_parts(mut reader: Reader, packet_type: u8, multitrack: u8) -> Result<(u8, Parts), FlvError> {
    let mut parts = Parts::new();
    if packet_type != multitrack {
        let fourcc = read_fourcc(&mut reader)?;
        parts.push(Part { track: 0, fourcc, body: reader.rest() });
        return Ok((packet_type, parts));
    }
    let modes = reader.u8("a multitrack header")?;
    let (mode, packet_type) = (modes >> 4, modes & 0x0f);
    if packet_type == multitrack || packet_type == MOD_EX || mode > MANY_TRACKS_MANY_CODECS {
        return Err(FlvError::Malformed("multitrack within multitrack, or of an unknown kind"));
    }
    let common = if mode == MANY_TRACKS_MANY_CODECS { None } else { Some(read_fourcc(&mut reader)?) };
    while parts.is_empty() || !reader.is_empty() {
        if parts.len() >= limits::STREAM_TRACKS.get_usize() {
            limits::STREAM_TRACKS.hit();
            return Err(FlvError::Limit("number of tracks in a message"));
        }
        let fourcc = match common {
            Some(fourcc) => fourcc,
            None => read_fourcc(&mut reader)?,
        };
        let track = reader.u8("a track id")?;
        if mode == ONE_TRACK {
            parts.push(Part { track, fourcc, body: reader.rest() });
            break;
        }
        let size = reader.u24("the size of a track")?;
        let body = reader.take(size as usize, "a track")?;
        parts.push(Part { track, fourcc, body });
    }
    Ok((packet_type, parts))
}

fn read_fourcc(reader: &mut Reader) -> Result<FourCc, FlvError> {
    Ok(FourCc(reader.u32("a FourCC")?.to_be_bytes()))
}

/// Joins what the parts say. An unsupported codec among several tracks hides only its own track.
pub(super) fn unless_unsupported<T>(result: Result<T, FlvError>, tracks: usize) -> Result<Option<T>, FlvError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(FlvError::UnsupportedFourCc(_)) if tracks > 1 => Ok(None),
        Err(error) => Err(error),
    }
}
