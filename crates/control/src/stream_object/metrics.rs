//! Figures of a stream under the names that WCS's clients read.

use headwater_graph::{RenditionStatistics, Stream};
use headwater_media::{Codec, TrackKind};
use serde_json::{Map, Value};

use super::{StreamObject, milliseconds};

/// What is measured of a publisher's media.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    video: Option<Medium>,
    audio: Option<Medium>,
}

/// Video or audio.
#[derive(Clone, Copy, Debug)]
struct Medium {
    codec: Option<Codec>,
    /// Of a publisher.
    statistics: Option<RenditionStatistics>,
    /// When the newest is to be shown, in milliseconds since 1970-01-01 UTC on the clock of the stream.
    newest: Option<u64>,
}

impl Measured {
    pub(super) fn of(stream: &Stream) -> Measured {
        let medium = |kind| {
            let track = stream.track(kind)?;
            let native = track.native();
            let newest = native.newest().map(|newest| milliseconds(stream.created() + newest));
            let codec = native.parameters().map(|parameters| parameters.codec);
            Some(Medium { codec, statistics: Some(native.statistics()), newest })
        };
        Measured { video: medium(TrackKind::Video), audio: medium(TrackKind::Audio) }
    }

    /// What of it holds for each viewer.
    pub(super) fn of_viewer(&self) -> Measured {
        let medium = |medium: Option<Medium>| medium.map(|medium| Medium { statistics: None, newest: None, ..medium });
        Measured { video: medium(self.video), audio: medium(self.audio) }
    }

    /// How far the newest picture is ahead of the newest sound, in milliseconds.
    pub(crate) fn synchronization(&self) -> Option<i64> {
        let (video, audio) = (self.video?.newest?, self.audio?.newest?);
        i64::try_from(video).ok()?.checked_sub(i64::try_from(audio).ok()?)
    }
}

/// Figures under the names that WCS's clients read. What is not known is left out.
pub(crate) fn metrics(object: &StreamObject) -> Map<String, Value> {
    let mut metrics = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            metrics.insert(name.to_owned(), value);
        }
    };
    let video_rate = object.bitrate.map(|all| all.saturating_sub(object.audio_bitrate.unwrap_or(0)));
    put("VIDEO_WIDTH", object.width.map(Into::into));
    put("VIDEO_HEIGHT", object.height.map(Into::into));
    put("VIDEO_FPS", object.fps.map(Into::into));
    put("VIDEO_RATE", video_rate.filter(|_| object.has_video).map(Into::into));
    put("AUDIO_RATE", object.audio_bitrate.map(Into::into));
    let Measured { video, audio } = object.measured;
    for (medium, prefix) in [(video, "VIDEO"), (audio, "AUDIO")] {
        let Some(medium) = medium else { continue };
        put(&format!("{prefix}_CODEC"), medium.codec.and_then(payload_number).map(Into::into));
        put(&format!("{prefix}_SYNC"), medium.newest.map(Into::into));
        put(&format!("{prefix}_LOST"), medium.statistics.map(|counted| counted.lost.into()));
    }
    if let Some(counted) = video.and_then(|video| video.statistics) {
        let others = counted.frames.saturating_sub(counted.groups).saturating_sub(counted.b_frames);
        put("VIDEO_K_FRAMES", Some(counted.groups.into()));
        put("VIDEO_P_FRAMES", Some(others.into()));
        put("VIDEO_B_FRAMES", Some(counted.b_frames.into()));
        put("VIDEO_GOP_SIZE", (counted.groups > 1).then(|| counted.group_frames.into()));
        put("VIDEO_PLI", Some(counted.key_frames_requested.into()));
        // Over TCP nothing is lost, and nothing asked for again.
        put("VIDEO_NACK", Some(counted.nacks.into()));
    }
    metrics
}

/// The payload type that stands for a codec: those of RFC 3551 §6, and that which WCS gives H.264.
fn payload_number(codec: Codec) -> Option<u8> {
    match codec {
        Codec::Pcmu => Some(0),
        Codec::Pcma => Some(8),
        Codec::H264 => Some(119),
        _ => None,
    }
}
