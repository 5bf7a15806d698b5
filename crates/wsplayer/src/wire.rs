//! What goes over the wire: JSON messages, and the head before the bytes of a frame.

use base64::{Engine, prelude::BASE64_STANDARD};
use headwater_codec::codec_string;
use headwater_media::{ClockRate, Codec, Frame, Ticks, TrackParameters};
use headwater_websocket::{Missing, kind_name};
use serde::Serialize;

/// The version of the messages, told with the tracks. Another one means that old pages cannot read them.
const VERSION: u32 = 1;

/// Bytes before those of a frame.
pub(crate) const HEAD_BYTES: usize = 20;
const RANDOM_ACCESS: u8 = 1;
const BREAK: u8 = 2;

/// A clock that counts microseconds, as WebCodecs does.
const MICROSECONDS: ClockRate = match ClockRate::new(1_000_000) {
    Some(rate) => rate,
    None => ClockRate::MILLISECONDS,
};

/// A time of a track in microseconds.
pub(crate) fn microseconds(rate: ClockRate, ticks: Ticks) -> i64 {
    match ticks.checked_mul(1_000_000) {
        Some(product) => product.div_euclid(rate.hertz().into()),
        None => rate.rescale(ticks, MICROSECONDS),
    }
}

/// A time in microseconds in ticks of a track.
pub(crate) fn ticks(rate: ClockRate, microseconds: i64) -> Ticks {
    MICROSECONDS.rescale(microseconds, rate)
}

/// The head of a frame: track, flags, two zero bytes, decode and presentation time in microseconds, big endian.
///
/// It counts in the time of the stream, so it is the same for all viewers.
pub(crate) fn head(track: u8, has_break: bool, rate: ClockRate, frame: &Frame) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let flags = if frame.random_access { RANDOM_ACCESS } else { 0 } | if has_break { BREAK } else { 0 };
    let (fixed, times) = head.split_at_mut(4);
    let (dts, pts) = times.split_at_mut(8);
    fixed.copy_from_slice(&[track, flags, 0, 0]);
    dts.copy_from_slice(&microseconds(rate, frame.dts).to_be_bytes());
    pts.copy_from_slice(&microseconds(rate, frame.pts).to_be_bytes());
    head
}

/// A message that is no frame and not the last.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Message<'a> {
    /// What follows, first of all and at each change.
    Tracks {
        version: u32,
        stream: &'a str,
        tracks: Vec<TrackObject>,
        /// What the stream has and this viewer cannot be sent.
        missing: &'a [Missing],
    },
    /// Frames were left out for a viewer that is too slow.
    Skipped { frames: u64 },
}

impl Message<'_> {
    /// The tracks of a stream.
    pub(crate) fn tracks<'a>(stream: &'a str, tracks: Vec<TrackObject>, missing: &'a [Missing]) -> Message<'a> {
        Message::Tracks { version: VERSION, stream, tracks, missing }
    }

    pub(crate) fn write(&self) -> String {
        // Nothing in these messages can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A track, as decoders of WebCodecs want it described.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackObject {
    id: u8,
    kind: &'static str,
    /// The name of the format, such as `H264`.
    format: &'static str,
    /// RFC 6381.
    codec: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<u8>,
}

impl TrackObject {
    pub(crate) fn new(id: u8, parameters: &TrackParameters) -> TrackObject {
        let (video, audio) = (parameters.video(), parameters.audio());
        let known = |side: u32| (side > 0).then_some(side);
        TrackObject {
            id,
            kind: kind_name(parameters.kind()),
            format: parameters.codec.name(),
            codec: codec_string(parameters).unwrap_or_else(|| usual_codec_string(parameters.codec).to_owned()),
            description: description(parameters),
            width: video.and_then(|video| known(video.width)),
            height: video.and_then(|video| known(video.height)),
            frame_rate: video.and_then(|video| video.frame_rate),
            sample_rate: audio.map(|audio| audio.sample_rate),
            channels: audio.map(|audio| audio.channels),
        }
    }
}

/// What a decoder is told before the first frame, in Base64: the record of H.264, H.265, AAC and Opus.
///
/// VP8, VP9 and AV1 carry all of it in their frames (registrations of WebCodecs).
fn description(parameters: &TrackParameters) -> Option<String> {
    let wants = matches!(parameters.codec, Codec::H264 | Codec::H265 | Codec::Aac | Codec::Opus);
    (wants && !parameters.config.is_empty()).then(|| BASE64_STANDARD.encode(&parameters.config))
}

/// For codecs whose record is not known, since their headers are in band: the least that all decoders take.
fn usual_codec_string(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "avc1.42e01f",
        Codec::H265 => "hvc1.1.6.L93.B0",
        Codec::Vp8 => "vp8",
        Codec::Vp9 => "vp09.00.31.08",
        Codec::Av1 => "av01.0.08M.08",
        Codec::Opus => "opus",
        _ => "mp4a.40.2",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater_codec::parameters::from_config;
    use headwater_media::TrackKind;

    use super::*;

    #[test]
    fn a_head_tells_track_flags_and_both_times() {
        let frame = Frame { dts: 90_000, pts: 93_000, random_access: true, data: Bytes::new() };
        let head = head(1, true, ClockRate::VIDEO, &frame);
        assert_eq!(head[..4], [1, 3, 0, 0]);
        assert_eq!(i64::from_be_bytes(head[4..12].try_into().unwrap()), 1_000_000);
        assert_eq!(i64::from_be_bytes(head[12..].try_into().unwrap()), 1_033_333);
        let frame = Frame { dts: -1, pts: i64::MAX, random_access: false, data: Bytes::new() };
        let head = super::head(0, false, ClockRate::VIDEO, &frame);
        assert_eq!(head[..4], [0, 0, 0, 0]);
        assert_eq!(i64::from_be_bytes(head[4..12].try_into().unwrap()), -12);
        assert_eq!(i64::from_be_bytes(head[12..].try_into().unwrap()), i64::MAX);
    }

    #[test]
    fn tracks_are_told_as_webcodecs_wants_them() {
        let config = Bytes::from_static(&[0x12, 0x10]);
        let aac = from_config(Codec::Aac, config).unwrap();
        let vp8 = from_config(Codec::Vp8, Bytes::new()).unwrap();
        let missing = [Missing::new(TrackKind::Audio, "no way")];
        let tracks = vec![TrackObject::new(0, &vp8), TrackObject::new(1, &aac)];
        let text = Message::tracks("camera", tracks, &missing).write();
        let expected = serde_json::json!({
            "type": "tracks", "version": 1, "stream": "camera",
            "tracks": [
                { "id": 0, "kind": "video", "format": "VP8", "codec": "vp8" },
                { "id": 1, "kind": "audio", "format": "AAC", "codec": "mp4a.40.2", "description": "EhA=",
                  "sampleRate": 44_100, "channels": 2 },
            ],
            "missing": [{ "kind": "audio", "reason": "no way" }],
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
    }
}
