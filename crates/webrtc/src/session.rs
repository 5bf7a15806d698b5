//! The handle on a session, for signalling.

use std::{fmt, sync::Arc};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{Fragment, Received, RenditionChoice, publisher::ReceivedCounters, shard::Command};

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
    /// The peer, a server that works together with this one, sends media that does not arrive.
    Unheard,
    /// Nothing was heard of the publisher for a while, and another came for its name.
    Replaced,
    /// Signalling has lost the peer; a publisher may come back.
    Abandoned,
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
            Ended::Unheard => f.write_str("the other server sends media that does not arrive"),
            Ended::Replaced => f.write_str("the publisher has gone silent, and another has come in its place"),
            Ended::Abandoned => f.write_str("the peer's signalling connection is lost"),
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
    pub(crate) stage: watch::Receiver<Stage>,
    /// Of a publisher.
    pub(crate) received: Option<Arc<ReceivedCounters>>,
}

/// How far a session has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// ICE and DTLS are not done yet.
    Connecting,
    /// The peer has proved to be who its offer says.
    Connected,
    /// Media flows: the first has gone out to a viewer, or viewers may join a publisher's stream.
    Flowing,
    /// It is over.
    Ended(Ended),
}

impl Stage {
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Stage::Ended(_))
    }

    fn is_connected(&self) -> bool {
        matches!(self, Stage::Connected | Stage::Flowing)
    }
}

/// The shard's side of a handle: tells how far the session has come.
#[derive(Debug)]
pub(crate) struct Progress {
    stage: watch::Sender<Stage>,
    /// Spares each packet from then on the look at `stage`.
    flows: bool,
}

impl Progress {
    pub(crate) fn new() -> (Progress, watch::Receiver<Stage>) {
        let (stage, receiver) = watch::channel(Stage::Connecting);
        (Progress { stage, flows: false }, receiver)
    }

    /// Whether media flows already, so that there is nothing to note any more.
    pub(crate) fn flows(&self) -> bool {
        self.flows
    }

    /// Notes how far the session has come; it never goes back.
    pub(crate) fn note(&mut self, is_connected: bool, flows: bool) {
        self.flows |= is_connected && flows;
        let reached = match (is_connected, self.flows) {
            (false, _) => return,
            (true, false) => Stage::Connected,
            (true, true) => Stage::Flowing,
        };
        self.stage.send_if_modified(|stage| {
            let is_new = *stage != reached;
            *stage = reached;
            is_new
        });
    }

    /// The session is over.
    pub(crate) fn end(&self, ended: Ended) {
        self.stage.send_replace(Stage::Ended(ended));
    }
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

    /// Gives a viewer one rendition of several, or leaves the choice to its network. It is gone over to at the next
    /// random access point. Where the source sends none of that label now, the viewer gets the best until it does.
    /// For a publisher it means nothing.
    pub async fn choose(&self, choice: RenditionChoice) {
        // A shard that is gone has no viewers either.
        let _ = self.commands.send(Command::Choose { place: self.place, choice }).await;
    }

    /// Ends it. A publisher's stream ends with it.
    pub async fn end(&self) {
        self.end_as(Ended::Deleted).await;
    }

    /// Ends it because its peer cannot be spoken to any more. A publisher's stream waits for its grace time.
    pub async fn abandon(&self) {
        self.end_as(Ended::Abandoned).await;
    }

    async fn end_as(&self, ended: Ended) {
        // A shard that is gone has no sessions either.
        let _ = self.commands.send(Command::End { place: self.place, ended }).await;
    }

    /// Has a publisher that has vanished make way for another: it ends as soon as nothing has been heard of it for
    /// `WEBRTC_PUBLISHER_YIELD_MS`, and its stream waits for the other. Says whether it is over; it is not if the
    /// publisher shows a sign of life.
    pub(crate) async fn make_way(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        // Who is not there any more has made way.
        match self.commands.send(Command::MakeWay { place: self.place, answer }).await {
            Ok(()) => answered.await.unwrap_or(true),
            Err(_) => true,
        }
    }

    /// Whether both are handles on one session.
    pub(crate) fn is_same(&self, other: &Session) -> bool {
        self.place == other.place && self.commands.same_channel(&other.commands)
    }

    /// What has come in so far; all zero for a viewer.
    pub fn received(&self) -> Received {
        self.received.as_deref().map_or_else(Received::default, ReceivedCounters::read)
    }

    /// Waits until ICE, DTLS and SRTP are up. Says whether they are; not so if the session ended before.
    pub async fn connected(&self) -> bool {
        self.reaches(|stage| stage.is_connected()).await
    }

    /// Waits until media flows: the first has gone out to a viewer, or viewers may join what a publisher sends. Says
    /// whether it does; not so if the session ended before.
    pub async fn flowing(&self) -> bool {
        self.reaches(|stage| *stage == Stage::Flowing).await
    }

    async fn reaches(&self, wanted: impl Fn(&Stage) -> bool) -> bool {
        let mut stage = self.stage.clone();
        let reached = stage.wait_for(|stage| stage.is_over() || wanted(stage)).await;
        reached.is_ok_and(|stage| !stage.is_over())
    }

    /// Whether it is over, and why.
    pub fn has_ended(&self) -> Option<Ended> {
        // A shard that is gone has no sessions either.
        let is_gone = self.stage.has_changed().is_err();
        match &*self.stage.borrow() {
            Stage::Ended(ended) => Some(ended.clone()),
            _ => is_gone.then_some(Ended::Stopping),
        }
    }

    /// Waits until it is over.
    pub async fn ended(&self) -> Ended {
        let mut stage = self.stage.clone();
        match stage.wait_for(Stage::is_over).await.as_deref() {
            Ok(Stage::Ended(ended)) => ended.clone(),
            _ => Ended::Stopping,
        }
    }
}
