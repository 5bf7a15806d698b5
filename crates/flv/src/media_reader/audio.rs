//! Audio tag bodies.
//!
//! Source: Flash Video File Format 10.1 §E.4.2; Enhanced RTMP v2, "Enhanced Audio".

use bytes::Bytes;
use headwater_media::{AudioFormat, Codec, TrackKind};
use smallvec::smallvec;

use super::{
    MediaReader,
    enhanced::{self, Part},
};
use crate::{CodedFrame, Events, FlvError, Media, MediaEvent, Reader};

const ENHANCED: u8 = 9;
const AAC: u8 = 10;
const MP3: u8 = 2;
const MP3_8K: u8 = 14;
const PCMA: u8 = 7;
const PCMU: u8 = 8;

pub(super) fn read(state: &mut MediaReader, body: Bytes) -> Result<Events, FlvError> {
    let mut reader = Reader::new(body);
    let head = reader.u8("an audio header")?;
    match head >> 4 {
        ENHANCED => read_enhanced(state, reader, head & 0x0f),
        AAC => read_aac(reader),
        MP3 | MP3_8K => Ok(with_sound(state, Codec::Mp3, mp3_format(head, reader.clone()), reader.rest())),
        PCMA => Ok(with_sound(state, Codec::Pcma, g711_format(head), reader.rest())),
        PCMU => Ok(with_sound(state, Codec::Pcmu, g711_format(head), reader.rest())),
        id => Err(FlvError::UnsupportedCodec { kind: TrackKind::Audio, id }),
    }
}

fn read_aac(mut reader: Reader) -> Result<Events, FlvError> {
    let media = match reader.u8("an AAC packet type")? {
        0 if reader.is_empty() => return Ok(Events::new()),
        0 => Media::Config(reader.rest()),
        1 if reader.is_empty() => return Ok(Events::new()),
        1 => Media::Frame(frame(reader.rest(), 0)),
        _ => return Err(FlvError::Malformed("AAC packet type")),
    };
    Ok(smallvec![MediaEvent { track: 0, codec: Codec::Aac, media }])
}

/// A frame of a codec without configuration record, behind its sound format if that is news.
fn with_sound(state: &mut MediaReader, codec: Codec, format: AudioFormat, data: Bytes) -> Events {
    let mut events = Events::new();
    if state.sound != Some((codec, format)) {
        state.sound = Some((codec, format));
        events.push(MediaEvent { track: 0, codec, media: Media::Sound(format) });
    }
    if !data.is_empty() {
        events.push(MediaEvent { track: 0, codec, media: Media::Frame(frame(data, 0)) });
    }
    events
}

fn g711_format(head: u8) -> AudioFormat {
    AudioFormat { sample_rate: 8_000, channels: 1 + (head & 1) }
}

/// The format by the MPEG audio header, which knows rates that the tag's two bits cannot say; else by the tag.
///
/// Source: ISO/IEC 11172-3 §2.4.1.3, ISO/IEC 13818-3 §2.4.2.3.
fn mp3_format(head: u8, mut reader: Reader) -> AudioFormat {
    let by_tag = match (head >> 4, head >> 2 & 3) {
        (MP3_8K, _) => 8_000,
        (_, 0) => 5_512,
        (_, 1) => 11_025,
        (_, 2) => 22_050,
        _ => 44_100,
    };
    let header = reader.u32("an MPEG audio header").unwrap_or(0);
    if header >> 21 != 0x7ff {
        return AudioFormat { sample_rate: by_tag, channels: 1 + (head & 1) };
    }
    let halvings = match header >> 19 & 3 {
        3 => 0,
        2 => 1,
        _ => 2,
    };
    let base: u32 = match header >> 10 & 3 {
        0 => 44_100,
        1 => 48_000,
        2 => 32_000,
        _ => by_tag << halvings,
    };
    AudioFormat { sample_rate: base >> halvings, channels: if header >> 6 & 3 == 3 { 1 } else { 2 } }
}

fn read_enhanced(state: &mut MediaReader, mut reader: Reader, packet_type: u8) -> Result<Events, FlvError> {
    let (packet_type, nanos) = enhanced::read_mod_ex(&mut reader, packet_type)?;
    let (packet_type, parts) = enhanced::read_parts(reader, packet_type, enhanced::AUDIO_MULTITRACK)?;
    let tracks = parts.len();
    let mut events = Events::new();
    for part in parts {
        let Some(codec) = enhanced::unless_unsupported(codec(&part), tracks)? else {
            continue;
        };
        let media = match packet_type {
            enhanced::SEQUENCE_START if codec == Codec::Mp3 => continue,
            enhanced::SEQUENCE_START => Media::Config(part.body),
            enhanced::CODED_FRAMES if part.body.is_empty() => continue,
            enhanced::CODED_FRAMES if codec == Codec::Mp3 && part.track == 0 => {
                let format = mp3_format(MP3 << 4 | 0x0f, Reader::new(part.body.clone()));
                events.extend(with_sound(state, codec, format, part.body));
                continue;
            }
            enhanced::CODED_FRAMES => Media::Frame(frame(part.body, nanos)),
            enhanced::SEQUENCE_END => Media::End,
            // Channel layouts and packet types of later versions say nothing that a track here has room for.
            _ => continue,
        };
        events.push(MediaEvent { track: part.track, codec, media });
    }
    Ok(events)
}

fn codec(part: &Part) -> Result<Codec, FlvError> {
    part.fourcc.codec().filter(|codec| codec.kind() == TrackKind::Audio).ok_or(FlvError::UnsupportedFourCc(part.fourcc))
}

fn frame(data: Bytes, nanos: u32) -> CodedFrame {
    CodedFrame { key: true, composition_ms: 0, nanos, data }
}
