//! Video tag bodies.
//!
//! Source: Flash Video File Format 10.1 §E.4.3; Enhanced RTMP v2, "Enhanced Video".

use bytes::Bytes;
use headwater_media::{Codec, TrackKind, limits};
use smallvec::smallvec;

use super::{
    MediaReader, VideoTrack,
    enhanced::{self, Part},
};
use crate::{CodedFrame, Events, FlvError, Media, MediaEvent, Reader, nal};

const ENHANCED: u8 = 0x80;
const KEY_FRAME: u8 = 1;
const GENERATED_KEY_FRAME: u8 = 4;
const COMMAND: u8 = 5;
const AVC: u8 = 7;
/// What encoders used for HEVC before enhanced RTMP; some still do.
const HEVC: u8 = 12;

pub(super) fn read(state: &mut MediaReader, body: Bytes) -> Result<Events, FlvError> {
    let mut reader = Reader::new(body);
    let head = reader.u8("a video header")?;
    let frame_type = head >> 4 & 7;
    let key = matches!(frame_type, KEY_FRAME | GENERATED_KEY_FRAME);
    if head & ENHANCED != 0 {
        return read_enhanced(state, reader, head & 0x0f, frame_type);
    }
    if frame_type == COMMAND {
        return Ok(Events::new());
    }
    let codec = match head & 0x0f {
        AVC => Codec::H264,
        HEVC => Codec::H265,
        id => {
            return Err(FlvError::UnsupportedCodec { kind: TrackKind::Video, id });
        }
    };
    read_legacy(state, reader, codec, key)
}

fn read_legacy(state: &mut MediaReader, mut reader: Reader, codec: Codec, key: bool) -> Result<Events, FlvError> {
    let packet_type = reader.u8("an AVC packet type")?;
    let composition_ms = reader.i24("a composition time")?;
    let body = reader.rest();
    let (codec, media) = match packet_type {
        0 => {
            let codec = if nal::is_hevc_record(&body) { Codec::H265 } else { codec };
            (codec, config(state, 0, codec, body)?)
        }
        // An empty frame is what some encoders send as a sign of life.
        1 if body.is_empty() => return Ok(Events::new()),
        1 => {
            let codec = state.video_track(0).map_or(codec, |track| track.codec);
            (codec, frame(state, 0, codec, key, composition_ms, 0, body)?)
        }
        2 => (codec, Media::End),
        _ => return Err(FlvError::Malformed("AVC packet type")),
    };
    Ok(smallvec![MediaEvent { track: 0, codec, media }])
}

fn read_enhanced(
    state: &mut MediaReader,
    mut reader: Reader,
    packet_type: u8,
    frame_type: u8,
) -> Result<Events, FlvError> {
    let (packet_type, nanos) = enhanced::read_mod_ex(&mut reader, packet_type)?;
    if frame_type == COMMAND && packet_type != enhanced::METADATA {
        return Ok(Events::new());
    }
    let key = matches!(frame_type, KEY_FRAME | GENERATED_KEY_FRAME);
    let (packet_type, parts) = enhanced::read_parts(reader, packet_type, enhanced::VIDEO_MULTITRACK)?;
    let tracks = parts.len();
    let mut events = Events::new();
    for part in parts {
        let event = read_part(state, part, packet_type, key, nanos);
        events.extend(enhanced::unless_unsupported(event, tracks)?.flatten());
    }
    Ok(events)
}

fn read_part(
    state: &mut MediaReader,
    part: Part,
    packet_type: u8,
    key: bool,
    nanos: u32,
) -> Result<Option<MediaEvent>, FlvError> {
    let codec = part
        .fourcc
        .codec()
        .filter(|codec| codec.kind() == TrackKind::Video)
        .ok_or(FlvError::UnsupportedFourCc(part.fourcc))?;
    let mut reader = Reader::new(part.body);
    let media = match packet_type {
        enhanced::SEQUENCE_START => config(state, part.track, codec, reader.rest())?,
        enhanced::CODED_FRAMES => {
            let timed = matches!(codec, Codec::H264 | Codec::H265);
            let composition_ms = if timed { reader.i24("a composition time")? } else { 0 };
            if reader.is_empty() {
                return Ok(None);
            }
            frame(state, part.track, codec, key, composition_ms, nanos, reader.rest())?
        }
        enhanced::CODED_FRAMES_X if reader.is_empty() => return Ok(None),
        enhanced::CODED_FRAMES_X => frame(state, part.track, codec, key, 0, nanos, reader.rest())?,
        enhanced::SEQUENCE_END => Media::End,
        enhanced::METADATA => Media::Metadata(reader.rest()),
        // An MPEG-2 TS descriptor tells no more than the sequence header in the frames; later types are unknown.
        _ => return Ok(None),
    };
    Ok(Some(MediaEvent { track: part.track, codec, media }))
}

fn config(state: &mut MediaReader, id: u8, codec: Codec, record: Bytes) -> Result<Media, FlvError> {
    let (record, length_size) = match codec {
        Codec::H264 | Codec::H265 => nal::normalise_config(codec, record)?,
        _ => (record, 4),
    };
    state.set_video_track(VideoTrack { id, codec, length_size })?;
    Ok(Media::Config(record))
}

fn frame(
    state: &MediaReader,
    id: u8,
    codec: Codec,
    key: bool,
    composition_ms: i32,
    nanos: u32,
    data: Bytes,
) -> Result<Media, FlvError> {
    if data.len() as u64 > limits::FRAME_BYTES.get() {
        limits::FRAME_BYTES.hit();
        return Err(FlvError::Limit("size of a frame"));
    }
    let data = match codec {
        Codec::H264 | Codec::H265 => {
            let known = state.video_track(id).filter(|track| track.codec == codec);
            nal::normalise_frame(data, known.map_or(4, |track| track.length_size))?
        }
        Codec::Av1 => without_temporal_delimiter(data),
        _ => data,
    };
    Ok(Media::Frame(CodedFrame { key, composition_ms, nanos, data }))
}

/// Source: AV1 bitstream specification §5.6; AV1 in ISOBMFF §2.4 leaves temporal delimiters out.
fn without_temporal_delimiter(data: Bytes) -> Bytes {
    if data.starts_with(&[0x12, 0x00]) { data.slice(2..) } else { data }
}
