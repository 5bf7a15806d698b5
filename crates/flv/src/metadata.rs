//! `onMetaData`: what a source announces about itself, and what players are told.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_media::{TrackKind, TrackParameters};

use crate::{
    FlvError, MediaWriter, Reader,
    amf::{self, Object, Value},
};

/// What a source announced. It is a hint only: decoders are set up from sequence headers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Whether a video track is to be expected.
    pub video: bool,
    /// Whether an audio track is to be expected.
    pub audio: bool,
    /// Pictures in a second.
    pub frame_rate: Option<f64>,
    /// The program that encodes.
    pub encoder: Option<Arc<str>>,
}

impl Metadata {
    /// Reads the object of an `onMetaData`.
    pub fn from_object(object: &Object) -> Metadata {
        let positive = |name: &str| object.number(name).is_some_and(|number| number > 0.0);
        let named = |name: &str| positive(name) || object.text(name).is_some_and(|text| !text.is_empty());
        let flag = |name: &str| object.get(name).and_then(Value::as_bool);
        let frame_rate = object.number("framerate").or_else(|| object.number("videoframerate"));
        Metadata {
            video: flag("hasVideo").unwrap_or_else(|| named("videocodecid") || positive("width")),
            audio: flag("hasAudio").unwrap_or_else(|| named("audiocodecid") || positive("audiosamplerate")),
            frame_rate: frame_rate.filter(|rate| rate.is_finite() && (0.1..=1_000.0).contains(rate)),
            encoder: object.text("encoder").map(Arc::from),
        }
    }
}

/// Reads the body of a script tag or data message: the name of what it is, and its values.
///
/// The wrapper `@setDataFrame`, which publishers put around it, is taken off.
///
/// # Errors
/// The body is no AMF 0, or has no name.
pub fn read_script(body: Bytes) -> Result<(Arc<str>, Vec<Value>), FlvError> {
    let mut values = amf::read_all_amf0(&mut Reader::new(body))?.into_iter().peekable();
    if values.peek().and_then(Value::as_str) == Some("@setDataFrame") {
        values.next();
    }
    match values.next() {
        Some(Value::String(name)) => Ok((name, values.collect())),
        _ => Err(FlvError::Malformed("a data message without a name")),
    }
}

/// Writes an `onMetaData` body that describes the tracks, for players.
pub fn write_metadata<'a>(tracks: impl IntoIterator<Item = &'a TrackParameters>, encoder: &str) -> Bytes {
    let mut object = Object::new();
    for track in tracks {
        describe(track, &mut object);
    }
    object.push("encoder", encoder);
    let mut out = BytesMut::new();
    amf::write_amf0(&Value::from("onMetaData"), &mut out);
    amf::write_amf0(&Value::EcmaArray(object), &mut out);
    out.freeze()
}

fn describe(track: &TrackParameters, object: &mut Object) {
    let number = MediaWriter::new(track).map(|writer| writer.codec_number());
    if let Some(video) = track.video() {
        if video.width > 0 && video.height > 0 {
            object.push("width", f64::from(video.width));
            object.push("height", f64::from(video.height));
        }
        if let Some(rate) = video.frame_rate {
            object.push("framerate", rate);
        }
    }
    if let Some(sound) = track.audio() {
        object.push("audiosamplerate", f64::from(sound.sample_rate));
        object.push("audiosamplesize", 16.0);
        object.push("audiochannels", f64::from(sound.channels));
        object.push("stereo", sound.channels > 1);
    }
    let name = match track.kind() {
        TrackKind::Video => "videocodecid",
        TrackKind::Audio => "audiocodecid",
    };
    if let Some(number) = number {
        object.push(name, number);
    }
}
