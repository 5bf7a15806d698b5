//! Which streams a request means: fields of the stream object with the values that they must have.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    rest::input::{check_list, shorten},
    stream_object::{StreamObject, Subject},
};

/// Which streams and viewers are meant: those whose fields have these values. Without any field it means all.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Filter {
    /// The name of the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "camera")]
    name: Option<String>,
    /// The id of a publication or of a viewer's stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    media_session_id: Option<String>,
    /// The same for several.
    #[serde(skip_serializing)]
    media_session_ids: Option<Vec<String>>,
    /// The id of the peer's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    /// True for publishers, false for viewers.
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<bool>,
    /// "publish" or "play".
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// "PENDING", "PUBLISHING", "PAUSED" or "PLAYING".
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// What the peer speaks: "RTMP", "WebRTC", "HTTP-FLV", ….
    #[serde(skip_serializing_if = "Option::is_none")]
    media_provider: Option<String>,
    /// Whether the stream has video.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_video: Option<bool>,
    /// Whether the stream has audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_audio: Option<bool>,
    /// The source's video codec.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_codec: Option<String>,
    /// The source's audio codec with sample rate and channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_codec: Option<String>,
    /// Width of the picture in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Height of the picture in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    create_date: Option<u64>,
    /// Where the peer comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_address: Option<String>,
    /// What the peer calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// Whether pictures come in another order than they are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    b_frames: Option<bool>,
    /// What else to show: ["metrics"] for figures.
    #[serde(skip_serializing)]
    display: Option<Vec<String>>,
}

impl Filter {
    /// Whether figures are asked for.
    pub(crate) fn with_metrics(&self) -> bool {
        self.display.iter().flatten().any(|name| name == "metrics")
    }

    /// What nothing fitted, for people to read.
    pub(crate) fn words(&self) -> String {
        let fields = [("name", &self.name), ("mediaSessionId", &self.media_session_id)];
        let texts = fields.into_iter().filter_map(|(field, value)| Some((field, value.as_deref()?)));
        let words: Vec<_> = texts.map(|(field, value)| format!("{field} {:?}", shorten(value))).collect();
        if words.is_empty() { "this description".into() } else { words.join(" and ") }
    }

    /// Those that fit.
    ///
    /// # Errors
    /// A list is too long.
    pub(crate) fn select(&self, all: Vec<(StreamObject, Subject)>) -> Result<Vec<(StreamObject, Subject)>, ApiError> {
        check_list("mediaSessionIds", self.media_session_ids.as_deref().unwrap_or_default())?;
        let wanted = serde_json::to_value(self).unwrap_or_default();
        Ok(all.into_iter().filter(|(object, _)| self.fits(&wanted, object)).collect())
    }

    fn fits(&self, wanted: &Value, object: &StreamObject) -> bool {
        if self.media_session_ids.as_ref().is_some_and(|ids| !ids.contains(&object.media_session_id)) {
            return false;
        }
        wanted.as_object().is_none_or(|wanted| wanted.is_empty()) || has_all(&serde_json::to_value(object), wanted)
    }
}

/// Whether an object has all these fields with these values.
fn has_all(object: &Result<Value, serde_json::Error>, wanted: &Value) -> bool {
    let (Ok(object), Some(wanted)) = (object, wanted.as_object()) else { return false };
    wanted.iter().all(|(field, value)| object.get(field) == Some(value))
}
