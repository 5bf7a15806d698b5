//! Why something cannot be published, subscribed to or converted.

use headwater_media::{Codec, StreamName, TrackKind};

/// Why a publisher is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Someone publishes under the name already.
    #[error(
        "the stream {name} is being published already, over {protocol}; choose another name or stop that publisher"
    )]
    NameTaken {
        /// The name that is taken.
        name: StreamName,
        /// What the other publisher speaks.
        protocol: &'static str,
    },
    /// The limit `STREAMS`.
    #[error("this server carries {limit} streams already, which is its limit")]
    TooManyStreams {
        /// The limit.
        limit: u64,
    },
    /// The limit `WEBRTC_RENDITIONS`.
    #[error("a track may have at most {limit} renditions at once")]
    TooManyRenditions {
        /// The limit.
        limit: u64,
    },
    /// The limit `STREAM_TRACKS`.
    #[error("a stream may have at most {limit} tracks")]
    TooManyTracks {
        /// The limit.
        limit: u64,
    },
}

impl PublishError {
    /// The same for someone who asked by another name, and is not to know this one.
    pub fn as_asked(self, asked: &StreamName) -> PublishError {
        match self {
            PublishError::NameTaken { protocol, .. } => PublishError::NameTaken { name: asked.clone(), protocol },
            other => other,
        }
    }
}

/// Why a viewer gets no stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// Nobody publishes under the name, and nothing can be started under it.
    #[error("there is no live stream {name}")]
    NotFound {
        /// The name asked for.
        name: StreamName,
    },
    /// A resolver took the name up and failed.
    #[error("the stream {name} could not be started: {reason}")]
    NotStarted {
        /// The name asked for.
        name: StreamName,
        /// What went wrong.
        reason: String,
    },
}

impl SubscribeError {
    /// The same for someone who asked by another name, and is not to know this one, nor where the stream comes from.
    pub fn as_asked(self, asked: &StreamName) -> SubscribeError {
        let hidden = || "its source is not to be had now".to_owned();
        let asked_name = asked.clone();
        match self {
            SubscribeError::NotFound { .. } => SubscribeError::NotFound { name: asked_name },
            SubscribeError::NotStarted { name, reason } => {
                let reason = if name == *asked { reason } else { hidden() };
                SubscribeError::NotStarted { name: asked_name, reason }
            }
        }
    }
}

/// Why a track cannot be had in the form a viewer needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// No conversion leads from the source's codec to one that the viewer takes.
    #[error("the {kind} is {from}, and this server cannot convert it to {to}")]
    NoConversion {
        /// Audio or video.
        kind: TrackKind,
        /// The source's codec.
        from: Codec,
        /// What the viewer takes, for people to read.
        to: String,
    },
    /// The track has not said yet what it carries.
    #[error("the {kind} has not begun yet")]
    NotBegun {
        /// Audio or video.
        kind: TrackKind,
    },
}
