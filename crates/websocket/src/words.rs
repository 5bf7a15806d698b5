//! Messages that the protocols have in common, as JSON.

use headwater_media::TrackKind;
use serde::Serialize;

/// The last message before the close frame.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum LastWord<'a> {
    /// The stream is over, or the viewer was sent away.
    End { reason: &'a str },
    /// The viewer gets nothing.
    Error { code: &'a str, message: &'a str },
}

impl LastWord<'_> {
    pub(crate) fn write(&self) -> String {
        // Nothing in these messages can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A track that a viewer cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// `video` or `audio`.
    pub kind: &'static str,
    /// Why, for people.
    pub reason: String,
}

impl Missing {
    /// One that cannot be sent for this reason.
    pub fn new(kind: TrackKind, reason: impl Into<String>) -> Missing {
        Missing { kind: kind_name(kind), reason: reason.into() }
    }
}

/// What the messages call a kind of track.
pub fn kind_name(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Video => "video",
        TrackKind::Audio => "audio",
    }
}
