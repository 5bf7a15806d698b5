//! The handle on a session, for signalling.

use std::{fmt, sync::Arc};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{Fragment, Received, publisher::ReceivedCounters, shard::Command};

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// Signalling ended it.
    Deleted,
    /// The peer closed it.
    PeerLeft,
    /// The peer did not finish ICE and DTLS in time.
    NeverConnected,
    /// Nothing was heard of the peer for too long.
    Silent,
    /// The stream ended, or someone ended this session.
    Stream(String),
    /// The publisher connected and sent no media in time.
    NoMedia,
    /// The transport failed: the peer broke its rules.
    Failed(String),
    /// This program failed.
    Bug,
    /// The server stops.
    Stopping,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Deleted => f.write_str("ended by the peer"),
            Ended::PeerLeft => f.write_str("closed by the peer"),
            Ended::NeverConnected => f.write_str("the peer did not connect in time"),
            Ended::Silent => f.write_str("the peer has gone silent"),
            Ended::NoMedia => f.write_str("the publisher has sent no media"),
            Ended::Stream(reason) => f.write_str(reason),
            Ended::Failed(reason) => write!(f, "the transport failed: {reason}"),
            Ended::Bug => f.write_str("the server failed"),
            Ended::Stopping => f.write_str("the server stops"),
        }
    }
}

/// A session at work. Dropping the handle does not end it. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) place: Place,
    pub(crate) ended: watch::Receiver<Option<Ended>>,
    /// Of a publisher.
    pub(crate) received: Option<Arc<ReceivedCounters>>,
}

/// Where a session stands in its shard, and which of those that ever stood there it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) index: usize,
    pub(crate) serial: u64,
}

/// What an offer is answered with.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The answer.
    pub sdp: Arc<str>,
    /// The session.
    pub session: Session,
}

impl Session {
    /// Restarts ICE for a peer that has new credentials, and yields the fragment that answers it. `None` if the
    /// session is over.
    pub async fn restart_ice(&self, fragment: Fragment) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        let command = Command::Restart { place: self.place, fragment: Box::new(fragment), answer };
        self.commands.send(command).await.ok()?;
        answered.await.ok()
    }

    /// Ends it.
    pub async fn end(&self) {
        // A shard that is gone has no sessions either.
        let _ = self.commands.send(Command::End { place: self.place }).await;
    }

    /// What has come in so far; all zero for a viewer.
    pub fn received(&self) -> Received {
        self.received.as_deref().map_or_else(Received::default, ReceivedCounters::read)
    }

    /// Whether it is over, and why.
    pub fn has_ended(&self) -> Option<Ended> {
        match self.ended.has_changed() {
            Ok(_) => self.ended.borrow().clone(),
            Err(_) => Some(self.ended.borrow().clone().unwrap_or(Ended::Stopping)),
        }
    }

    /// Waits until it is over.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let reason = match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        reason.unwrap_or(Ended::Stopping)
    }
}
