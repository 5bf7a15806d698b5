//! A stream of another server that is published here.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use headwater_agent::{Agent, AgentError, Local, Remote, Transport};
use headwater_graph::{BoxFuture, INTERRUPTED, Peer, Publication, PublishError, StreamState};
use headwater_media::{StreamName, TrackKind, limits};
use headwater_net::Dialer;
use headwater_rtmp::{Context, RtmpError, client};
use headwater_webrtc::{Received, Session};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    course::{self, Course, Line, Outcome, Progress, Status},
    observer::Begun,
    source::{PullKind, Source},
    target::Target,
};

/// How often it is looked whether somebody watches a stream that was pulled for its viewers.
const LOOK: Duration = Duration::from_millis(500);

/// A pull as operators see it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullFacts {
    /// Its id.
    pub id: String,
    /// What the stream is called here.
    pub name: StreamName,
    /// The URL without what may be a secret.
    pub url: String,
    /// What it is at.
    pub status: Status,
    /// What went wrong last.
    pub problem: Option<String>,
    /// Attempts in a row that have failed.
    pub failures: u64,
    /// Whether video has come.
    pub has_video: bool,
    /// Whether audio has come.
    pub has_audio: bool,
    /// Whether it ends when nobody watches it.
    pub on_demand: bool,
    /// By which protocol it comes.
    pub kind: PullKind,
    /// The name of the stream at its server, where the URL does not say it.
    pub remote_name: Option<StreamName>,
    /// The server that works together with this one from which it comes, where it was found by routes.
    pub server: Option<String>,
    /// What the other server calls the session, once it has agreed.
    pub remote_session: Option<String>,
    /// What has come by the session under way, where it is one of WebRTC.
    pub received: Option<Received>,
    /// What media comes over; `None` with RTMP.
    pub transport: Option<Transport>,
    /// The labels of the renditions of the picture that are wanted; all where there are none.
    pub renditions: Vec<String>,
    source: Source,
}

impl PullFacts {
    /// Whether it comes from this URL, as it was asked for or as it is shown.
    pub fn comes_from(&self, url: &str) -> bool {
        self.source.is_at(url)
    }
}

pub(crate) struct Pull {
    id: String,
    source: Source,
    name: StreamName,
    on_demand: bool,
    course: Course,
    means: Means,
    remote_session: Mutex<Option<String>>,
    session: Mutex<Option<Session>>,
    /// Whether the other server has agreed to send, in the attempt under way.
    is_agreed: AtomicBool,
    over: CancellationToken,
}

/// What streams are fetched with.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) rtmp: Context,
    pub(crate) dialer: Dialer,
    /// `None` where this server has no WebRTC.
    pub(crate) agent: Option<Agent>,
}

impl Pull {
    pub(crate) fn new(source: Source, name: StreamName, on_demand: bool, course: Course, means: Means) -> Pull {
        let id = uuid::Uuid::new_v4().to_string();
        Pull {
            id,
            source,
            name,
            on_demand,
            course,
            means,
            remote_session: Mutex::default(),
            session: Mutex::default(),
            is_agreed: AtomicBool::new(false),
            over: CancellationToken::new(),
        }
    }

    pub(crate) fn name(&self) -> &StreamName {
        &self.name
    }

    pub(crate) fn is_same(&self, source: &Source) -> bool {
        self.source.is_same(source)
    }

    pub(crate) fn stop(&self) {
        self.course.stop.cancel();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.course.stop.is_cancelled()
    }

    /// Waits until it is not in the list any more.
    pub(crate) async fn over(&self) {
        self.over.cancelled().await;
    }

    pub(crate) fn set_over(&self) {
        self.over.cancel();
    }

    /// Whether the server is chosen by routes.
    pub(crate) fn is_routed(&self) -> bool {
        matches!(self.source, Source::Routed(_))
    }

    pub(crate) fn is_agreed(&self) -> bool {
        self.is_agreed.load(Relaxed)
    }

    pub(crate) fn forget_agreement(&self) {
        self.is_agreed.store(false, Relaxed);
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.course.sleep(time).await;
    }

    pub(crate) fn now(&self) -> Instant {
        self.course.now()
    }

    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.course.follow()
    }

    pub(crate) fn facts(&self) -> PullFacts {
        let Progress { status, failures, problem } = self.course.progress();
        let stream = self.means.rtmp.hub().find(&self.name).filter(|stream| stream.source().session == self.id);
        let is_live = stream.as_ref().is_some_and(|stream| stream.state() == StreamState::Live);
        let has = |kind| stream.as_ref().is_some_and(|stream| stream.track(kind).is_some());
        PullFacts {
            id: self.id.clone(),
            name: self.name.clone(),
            url: self.source.shown(),
            status: if status == Status::Connected && is_live { Status::ProcessedRemote } else { status },
            problem,
            failures,
            has_video: has(TrackKind::Video),
            has_audio: has(TrackKind::Audio),
            on_demand: self.on_demand,
            kind: self.source.kind(),
            remote_name: self.source.name(),
            server: match &self.source {
                Source::Routed(routed) => routed.server(),
                _ => None,
            },
            remote_session: self.remote_session.lock().clone(),
            received: self
                .session
                .lock()
                .as_ref()
                .filter(|session| session.has_ended().is_none())
                .map(Session::received),
            transport: self.source.transport(),
            renditions: self.source.renditions().to_vec(),
            source: self.source.clone(),
        }
    }

    pub(crate) async fn run(self: &Arc<Pull>) {
        let url = self.source.shown();
        tracing::info!(pull = self.id, stream = %self.name, url, "a pull begins");
        let begun = Begun { kind: "pull", id: &self.id, stream: &self.name, url: &url };
        let run = pin!(self.course.run(&begun, &**self));
        let reason = match self.on_demand {
            false => run.await,
            true => match select(run, pin!(self.until_unwatched())).await {
                Either::Left((reason, _)) => reason,
                Either::Right(((), run)) => {
                    self.stop();
                    run.await
                }
            },
        };
        // Viewers who were kept for its return need wait no longer.
        if let Some(stream) = self.means.rtmp.hub().find(&self.name).filter(|stream| stream.source().session == self.id)
        {
            stream.terminate(&reason);
        }
        tracing::info!(pull = self.id, stream = %self.name, url, reason, "a pull ends");
    }

    /// Waits until nobody has watched for a while.
    async fn until_unwatched(&self) {
        let mut idle = Duration::ZERO;
        while idle < limits::RELAY_IDLE_MS.get_duration() {
            self.course.sleep(LOOK).await;
            let watched = self.means.rtmp.hub().find(&self.name).is_some_and(|stream| stream.viewer_count() > 0);
            idle = if watched { Duration::ZERO } else { idle.saturating_add(LOOK) };
        }
    }
}

impl Line for Pull {
    async fn attempt(&self) -> Outcome {
        match &self.source {
            Source::Rtmp(target) => self.attempt_rtmp(target).await,
            Source::Server(remote) => match &self.means.agent {
                Some(agent) => self.attempt_webrtc(agent, remote).await,
                None => Outcome::Hopeless("this server has WebRTC switched off".to_owned()),
            },
            Source::Routed(routed) => self.attempt_routes(routed).await,
        }
    }

    async fn pause(&self, course: &Course, failures: u64) {
        match &self.source {
            Source::Routed(routed) => routed.pause(course, &self.name, failures).await,
            _ => course.sleep(course::wait(failures)).await,
        }
    }
}

impl Pull {
    async fn attempt_rtmp(&self, target: &Target) -> Outcome {
        let (hub, stop, url) = (self.means.rtmp.hub(), &self.course.stop, &target.url);
        let io = match stop.run_until_cancelled(self.means.dialer.dial(&url.host, url.port, url.tls)).await {
            None => return Outcome::Over("it was told to stop".to_owned()),
            Some(Err(error)) => return self.interrupted(&error, false),
            Some(Ok(io)) => io,
        };
        let publication = match hub.publish(self.name.clone(), Peer::new("RTMP", self.id.as_str())) {
            Ok(publication) => publication,
            Err(error) => return Outcome::Hopeless(error.to_string()),
        };
        self.course.set(Status::Connected);
        let result = client::play(io, url, publication, &self.means.rtmp, stop).await;
        let worked = self.has_brought_media();
        match result {
            _ if stop.is_cancelled() => Outcome::Over("it was told to stop".to_owned()),
            Err(RtmpError::Terminated(reason)) => Outcome::Over(reason),
            Ok(()) => self.interrupted(&"the server has ended the stream", worked),
            Err(error) => self.interrupted(&error, worked),
        }
    }

    async fn attempt_webrtc(&self, agent: &Agent, remote: &Remote) -> Outcome {
        self.outcome_of(self.play(agent, remote).await)
    }

    /// One session of WebRTC, until it is over.
    pub(crate) async fn play(&self, agent: &Agent, remote: &Remote) -> Result<(), AgentError> {
        agent.play(remote, self, &self.course.stop).await
    }

    /// What follows from how a session of WebRTC has ended.
    pub(crate) fn outcome_of(&self, played: Result<(), AgentError>) -> Outcome {
        match played {
            Ok(()) => Outcome::Over("it was told to stop".to_owned()),
            Err(AgentError::Terminated(reason)) => Outcome::Over(reason),
            Err(AgentError::Publish(error)) => Outcome::Hopeless(error.to_string()),
            // The server has lost its own way to the stream, which is not over.
            Err(AgentError::Stopped(reason)) if self.is_routed() && reason.ends_with(INTERRUPTED) => {
                self.interrupted(&reason, true)
            }
            Err(AgentError::Stopped(reason)) if self.is_routed() => Outcome::Ended(self.source.hide(&reason)),
            // The stream is kept for whoever brings it again, so what it had brought is still seen.
            Err(error) => self.interrupted(&error, self.has_brought_media()),
        }
    }

    fn interrupted(&self, reason: &dyn std::fmt::Display, worked: bool) -> Outcome {
        let reason = self.source.hide(&reason.to_string());
        tracing::warn!(pull = self.id, stream = %self.name, reason, "a pull is interrupted");
        Outcome::Again { reason, worked }
    }

    fn has_brought_media(&self) -> bool {
        let facts = self.facts();
        facts.has_video || facts.has_audio
    }
}

impl Local for Pull {
    fn publish(&self) -> Result<Publication, PublishError> {
        let mut peer = Peer::new("WebRTC", self.id.as_str());
        if let Source::Routed(routed) = &self.source {
            peer.server = routed.server();
        }
        let mut publication = self.means.rtmp.hub().publish(self.name.clone(), peer)?;
        if self.is_routed() {
            publication.set_grace(limits::ROUTE_GRACE_MS.get_duration());
        }
        Ok(publication)
    }

    fn lost(&self) -> BoxFuture<'_, String> {
        match &self.source {
            Source::Routed(routed) => Box::pin(self.lost_by_routes(routed)),
            _ => Box::pin(std::future::pending()),
        }
    }

    fn begun(&self, session: &Session) {
        *self.session.lock() = Some(session.clone());
    }

    fn agreed(&self, remote_session: &str) {
        *self.remote_session.lock() = Some(remote_session.to_owned());
        self.is_agreed.store(true, Relaxed);
        self.course.set(Status::Connected);
    }
}
