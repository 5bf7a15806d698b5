//! The messages that are no media, as JSON.

use headwater_codec::codec_string;
use headwater_media::TrackParameters;
use headwater_websocket::{Missing, kind_name};
use serde::Serialize;

/// The version of the messages. Another one means that old pages cannot read them.
const VERSION: u32 = 1;

/// A message that is no media and not the last.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Message<'a> {
    /// The next message is an init segment.
    Init {
        version: u32,
        stream: &'a str,
        mime: &'a str,
        tracks: &'a [TrackObject],
        /// What the stream has and this viewer cannot be sent.
        missing: &'a [Missing],
    },
    /// Fragments were left out for a viewer that is too slow.
    Skipped { fragments: u64 },
    /// The times of what follows do not continue those of what came before.
    Break,
}

impl Message<'_> {
    /// What is told of an init segment.
    pub(crate) fn init<'a>(
        stream: &'a str,
        mime: &'a str,
        tracks: &'a [TrackObject],
        missing: &'a [Missing],
    ) -> Message<'a> {
        Message::Init { version: VERSION, stream, mime, tracks, missing }
    }

    pub(crate) fn write(&self) -> String {
        // Nothing in these messages can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A track of an init segment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackObject {
    id: u32,
    kind: &'static str,
    /// The name of the format, such as `H264`.
    format: &'static str,
    /// RFC 6381.
    codec: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<u8>,
}

impl TrackObject {
    /// Nothing for a track that has no name in the terms of RFC 6381.
    pub(crate) fn new(id: u32, parameters: &TrackParameters) -> Option<TrackObject> {
        let (video, audio) = (parameters.video(), parameters.audio());
        let known = |side: u32| (side > 0).then_some(side);
        Some(TrackObject {
            id,
            kind: kind_name(parameters.kind()),
            format: parameters.codec.name(),
            codec: codec_string(parameters)?,
            width: video.and_then(|video| known(video.width)),
            height: video.and_then(|video| known(video.height)),
            sample_rate: audio.map(|audio| audio.sample_rate),
            channels: audio.map(|audio| audio.channels),
        })
    }
}

/// The MIME type of a movie with these tracks (RFC 6381 §3.3).
pub(crate) fn mime(tracks: &[TrackObject]) -> String {
    let kind = if tracks.iter().any(|track| track.kind == "video") { "video" } else { "audio" };
    let codecs: Vec<&str> = tracks.iter().map(|track| track.codec.as_str()).collect();
    format!("{kind}/mp4; codecs=\"{}\"", codecs.join(", "))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater_codec::parameters::from_config;
    use headwater_media::{Codec, TrackKind};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_init_segment_is_told_as_pages_want_it() {
        let aac = from_config(Codec::Aac, Bytes::from_static(&[0x12, 0x10])).unwrap();
        let tracks = [TrackObject::new(2, &aac).unwrap()];
        let mime = mime(&tracks);
        assert_eq!(mime, r#"audio/mp4; codecs="mp4a.40.2""#);
        let missing = [Missing::new(TrackKind::Video, "no way")];
        let text = Message::init("camera", &mime, &tracks, &missing).write();
        let expected = json!({
            "type": "init", "version": 1, "stream": "camera", "mime": mime,
            "tracks": [{ "id": 2, "kind": "audio", "format": "AAC", "codec": "mp4a.40.2", "sampleRate": 44_100, "channels": 2 }],
            "missing": [{ "kind": "video", "reason": "no way" }],
        });
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
        assert_eq!(Message::Break.write(), r#"{"type":"break"}"#);
    }
}
