//! Why an RTMP session ended, and whose fault it was.

use std::{io, sync::Arc};

use headwater_access::Refused;
use headwater_graph::{ConvertError, PublishError, SubscribeError};
use headwater_media::InvalidName;
use tracing::Level;

use crate::wire::WireError;

/// Why a session ended, other than by leave-taking.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RtmpError {
    /// The peer breaks the protocol.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The connection was closed in the middle of something.
    #[error("the connection was closed {0}")]
    Closed(&'static str),
    /// The peer took too long.
    #[error("timed out: {0}")]
    TimedOut(&'static str),
    /// No stream can have that name.
    #[error("not a stream name: {0}")]
    InvalidName(#[from] InvalidName),
    /// The stream cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The stream cannot be played.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// None of the tracks can be played.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// The client may not have what it wants.
    #[error(transparent)]
    NotAllowed(#[from] Refused),
    /// The other server refused, as a client.
    #[error("the server refused: {reason} ({code})")]
    Refused {
        /// Its status code.
        code: Arc<str>,
        /// Its words.
        reason: Arc<str>,
    },
    /// So many connections have not got as far as to say what they want that no more are taken.
    #[error("too many connections have not finished handshake and connect")]
    TooManyArriving,
    /// Someone here ordered the session to end.
    #[error("ended: {0}")]
    Terminated(String),
    /// A defect of ours.
    #[error("a defect of the server ended the session")]
    Panicked,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The peer did not keep to the protocol.
    Peer,
    /// The network, or the peer just left.
    Network,
    /// The peer wants what is not to be had.
    Request,
    /// The peer ran into a limit.
    Limit,
    /// Nobody's: it was ordered.
    Order,
    /// Ours.
    Ourselves,
}

impl Fault {
    /// The label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Fault::Peer => "peer",
            Fault::Network => "network",
            Fault::Request => "request",
            Fault::Limit => "limit",
            Fault::Order => "order",
            Fault::Ourselves => "ourselves",
        }
    }

    /// How loud it is in the log.
    pub fn level(self) -> Level {
        match self {
            Fault::Network | Fault::Request | Fault::Order => Level::INFO,
            Fault::Peer | Fault::Limit => Level::WARN,
            Fault::Ourselves => Level::ERROR,
        }
    }
}

impl RtmpError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            RtmpError::TooManyArriving
            | RtmpError::Wire(WireError::Limit(_))
            | RtmpError::Wire(WireError::Amf { source: headwater_flv::FlvError::Limit(_), .. })
            | RtmpError::Publish(PublishError::TooManyStreams { .. } | PublishError::TooManyTracks { .. }) => {
                Fault::Limit
            }
            RtmpError::Wire(_) => Fault::Peer,
            RtmpError::Io(_) | RtmpError::Closed(_) | RtmpError::TimedOut(_) => Fault::Network,
            RtmpError::InvalidName(_)
            | RtmpError::Publish(_)
            | RtmpError::Subscribe(_)
            | RtmpError::Convert(_)
            | RtmpError::NotAllowed(_)
            | RtmpError::Refused { .. } => Fault::Request,
            RtmpError::Terminated(_) => Fault::Order,
            RtmpError::Panicked => Fault::Ourselves,
        }
    }

    /// The same as those know it who decide about publishers and players: in the words of WCS where it has any.
    pub(crate) fn info(&self) -> String {
        let info = match self {
            RtmpError::Publish(PublishError::NameTaken { .. }) => "Stream name is already in use",
            RtmpError::Subscribe(SubscribeError::NotFound { .. }) => "Stream not found",
            _ => return self.to_string(),
        };
        info.to_owned()
    }

    /// The code of the `onStatus` that tells a publisher why it is refused.
    pub(crate) fn publish_code(&self) -> &'static str {
        match self {
            RtmpError::Publish(PublishError::NameTaken { .. }) | RtmpError::InvalidName(_) => {
                "NetStream.Publish.BadName"
            }
            _ => "NetStream.Publish.Rejected",
        }
    }

    /// The code of the `onStatus` that tells a player why it is refused.
    pub(crate) fn play_code(&self) -> &'static str {
        match self {
            RtmpError::Subscribe(_) | RtmpError::InvalidName(_) => "NetStream.Play.StreamNotFound",
            _ => "NetStream.Play.Failed",
        }
    }
}
