//! What happens on this server, told to operators as it happens.
//!
//! ```text
//!  hub, relays, limits ── follow ──┐
//!  gates, reload ──────── tell ────┴─► Journal: the newest events ──► GET /rest-api/events, each reader at its place
//! ```
//!
//! Nothing is queued for a reader: it has a place in the journal, and one that is too slow is told how much it missed.

mod follow;
mod journal;
mod serve;

use serde::Serialize;
use utoipa::ToSchema;

pub use journal::Journal;

pub(crate) use follow::follow;
pub(crate) use serve::{__path_events, events};

/// Something that has happened. `type` and the names of the fields are stable; new ones may be added.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = Event)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A stream is live.
    Published(Use),
    /// The publisher of a stream has gone; it may come back within the grace time.
    Paused {
        /// The stream.
        stream: String,
    },
    /// A publisher has taken a paused stream up again.
    Resumed(Use),
    /// A stream is over.
    Unpublished {
        /// The stream.
        stream: String,
        /// Why, for people to read.
        reason: String,
    },
    /// A viewer has come.
    ViewerJoined(Use),
    /// A viewer has left.
    ViewerLeft(Use),
    /// A client has connected: by the session protocol or by RTMP, before it publishes or plays.
    ClientConnected(Party),
    /// A client that had connected has gone.
    ClientGone(Party),
    /// A stream that is sent to another server has come to something.
    Push(Passage),
    /// A stream that is fetched from another server has come to something.
    Pull(Passage),
    /// Something was refused or dropped because of a limit. Told at most once a second for each limit.
    LimitHit {
        /// The name of the limit.
        limit: String,
        /// How often since the last time.
        times: u64,
    },
    /// Media of another server of the cluster does not arrive over UDP. What is fetched there comes over TCP for some
    /// minutes, and is then tried over UDP again.
    MediaBlocked {
        /// The name of the other server.
        server: String,
        /// How the last session over UDP has ended, for people to read.
        reason: String,
    },
    /// Another configuration is in force.
    ConfigurationReloaded {
        /// The keys that have changed, as `section.key`.
        changed: Vec<String>,
    },
    /// Another configuration was refused; the one before stays in force.
    ConfigurationRefused {
        /// What is wrong with it.
        reason: String,
    },
    /// Events that this reader has missed, because it was too slow or away for too long.
    Lost {
        /// How many; left out where the server has been restarted meanwhile.
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
    },
}

/// Somebody on the other side of a session.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = EventParty)]
pub struct Party {
    /// What the peer speaks.
    pub protocol: &'static str,
    /// The id of its session, as it stands in the log.
    pub session: String,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The application that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// Somebody's use of a stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = EventUse)]
pub struct Use {
    /// The stream.
    pub stream: String,
    /// Who.
    #[serde(flatten)]
    pub peer: Party,
}

/// A stream on its way to or from another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EventPassage)]
pub struct Passage {
    /// The id of the push or pull.
    pub id: String,
    /// The stream.
    pub stream: String,
    /// The URL of the other server without what may be a secret.
    pub url: String,
    /// What it is at, as `/push/find_all` and `/pull/find_all` say it; "GONE" once it is no longer listed.
    pub status: &'static str,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl ServerEvent {
    /// The same without the address of whom it is about, if it has one.
    fn without_address(&self) -> Option<ServerEvent> {
        let mut event = self.clone();
        let party = match &mut event {
            ServerEvent::Published(used)
            | ServerEvent::Resumed(used)
            | ServerEvent::ViewerJoined(used)
            | ServerEvent::ViewerLeft(used) => &mut used.peer,
            ServerEvent::ClientConnected(party) | ServerEvent::ClientGone(party) => party,
            _ => return None,
        };
        party.remote.take().map(|_| event)
    }

    /// Its stable name, the same as `type` in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            ServerEvent::Published(_) => "published",
            ServerEvent::Paused { .. } => "paused",
            ServerEvent::Resumed(_) => "resumed",
            ServerEvent::Unpublished { .. } => "unpublished",
            ServerEvent::ViewerJoined(_) => "viewer_joined",
            ServerEvent::ViewerLeft(_) => "viewer_left",
            ServerEvent::ClientConnected(_) => "client_connected",
            ServerEvent::ClientGone(_) => "client_gone",
            ServerEvent::Push(_) => "push",
            ServerEvent::Pull(_) => "pull",
            ServerEvent::LimitHit { .. } => "limit_hit",
            ServerEvent::MediaBlocked { .. } => "media_blocked",
            ServerEvent::ConfigurationReloaded { .. } => "configuration_reloaded",
            ServerEvent::ConfigurationRefused { .. } => "configuration_refused",
            ServerEvent::Lost { .. } => "lost",
        }
    }
}
