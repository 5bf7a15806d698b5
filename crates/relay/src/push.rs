//! A stream of this server that is sent to another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use futures_util::FutureExt;
use headwater_agent::{AgentError, Bringing, Remote, Transport};
use headwater_graph::{Peer, StreamState, Subscription};
use headwater_media::{StreamName, TrackKind, limits};
use headwater_rtmp::client::{self, Pushing, Substitute};
use headwater_webrtc::CallError;
use parking_lot::Mutex;

use crate::{
    course::{Course, Line, Outcome, Status},
    error::RelayError,
    goal::{Goal, PushKind},
    observer::Begun,
    pull::Means,
    sound::{Sound, SoundRequest},
    target::Target,
};

/// What is to be sent where.
#[derive(Clone)]
pub struct PushRequest {
    /// The stream.
    pub stream: StreamName,
    /// The URL of the other server. Of RTMP: with a key if `is_whole`, else only up to the application. Of `ws` or
    /// `wss`, for the session protocol, or of `http` or `https`, for WHIP at that URL.
    pub url: String,
    /// Whether the URL has a key.
    pub is_whole: bool,
    /// Whether silence is sent in place of sound at first.
    pub is_muted: bool,
    /// The sound file that is played in place of sound at first.
    pub sound: Option<SoundRequest>,
    /// What media goes over by WebRTC; RTMP has its own.
    pub transport: Transport,
}

/// Without the key.
impl std::fmt::Debug for PushRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushRequest").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// A push as operators see it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PushFacts {
    /// Its id.
    pub id: String,
    /// The stream.
    pub stream: StreamName,
    /// What the stream is called there; nothing where that is a secret.
    pub remote_name: Option<String>,
    /// The URL without what may be a secret.
    pub url: String,
    /// What it is at.
    pub status: Status,
    /// What went wrong last.
    pub problem: Option<String>,
    /// Attempts in a row that have failed.
    pub failures: u64,
    /// Whether silence is sent in place of sound.
    pub is_muted: bool,
    /// The sound file that is played in place of sound.
    pub sound: Option<SoundRequest>,
    /// Width and height of the picture, where they are known.
    pub size: Option<(u32, u32)>,
    /// Whether the stream has video.
    pub has_video: bool,
    /// Whether the stream has audio.
    pub has_audio: bool,
    /// Since when.
    pub since: SystemTime,
    /// By which protocol it goes.
    pub kind: PushKind,
    /// What the other server calls the session, once it has agreed.
    pub remote_session: Option<String>,
    /// What media goes over; `None` with RTMP.
    pub transport: Option<Transport>,
    /// The labels of the renditions of the picture that are wanted; all where there are none.
    pub renditions: Vec<String>,
    goal: Goal,
}

impl PushFacts {
    /// Whether it goes to this URL, as it was asked for or as it is shown.
    pub fn goes_to(&self, url: &str) -> bool {
        self.goal.is_at(url)
    }
}

pub(crate) struct Push {
    id: String,
    request: PushRequest,
    goal: Goal,
    pushing: Pushing,
    sound: Mutex<Option<SoundRequest>>,
    course: Course,
    means: Means,
    since: SystemTime,
    remote_session: Mutex<Option<String>>,
    /// Whether media has gone out in this attempt over WebRTC.
    has_flowed: AtomicBool,
    /// How often in a row the other server has said no.
    refusals: AtomicU64,
}

impl Push {
    pub(crate) fn new(request: PushRequest, goal: Goal, course: Course, means: Means) -> Push {
        let id = uuid::Uuid::new_v4().to_string();
        let pushing = Pushing::default();
        pushing.set_muted(request.is_muted);
        let since = means.rtmp.hub().environment().wall_clock();
        Push {
            id,
            request,
            goal,
            pushing,
            sound: Mutex::default(),
            course,
            means,
            since,
            remote_session: Mutex::default(),
            has_flowed: AtomicBool::new(false),
            refusals: AtomicU64::new(0),
        }
    }

    /// Whether its sound can be muted and replaced.
    pub(crate) fn check_sound(&self) -> Result<(), RelayError> {
        (self.goal.kind() == PushKind::Rtmp).then_some(()).ok_or(RelayError::SoundStays)
    }

    pub(crate) fn stream(&self) -> &StreamName {
        &self.request.stream
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn is_same(&self, stream: &StreamName, goal: &Goal) -> bool {
        self.request.stream == *stream && self.goal.is_same(goal) && !self.course.stop.is_cancelled()
    }

    pub(crate) fn stop(&self) {
        self.course.stop.cancel();
    }

    pub(crate) fn set_muted(&self, is_muted: bool) {
        self.pushing.set_muted(is_muted);
    }

    /// Has a sound file played in place of the stream's own sound, or that sent again.
    pub(crate) fn set_sound(&self, sound: Option<(SoundRequest, Sound)>) {
        let mut shown = self.sound.lock();
        let (request, sound) = sound.unzip();
        *shown = request;
        self.pushing.set_substitute(sound.map(|sound| Arc::new(sound) as Arc<dyn Substitute>));
    }

    pub(crate) fn facts(&self) -> PushFacts {
        let progress = self.course.progress();
        let is_sending = progress.status == Status::Connected && self.pushing.has_begun();
        PushFacts {
            id: self.id.clone(),
            stream: self.request.stream.clone(),
            remote_name: self.goal.name(),
            url: self.goal.shown(),
            status: if is_sending { Status::ProcessedLocal } else { progress.status },
            problem: progress.problem,
            failures: progress.failures,
            is_muted: self.pushing.is_muted(),
            sound: self.sound.lock().clone(),
            size: self.size(),
            has_video: self.has(TrackKind::Video),
            has_audio: self.has(TrackKind::Audio),
            since: self.since,
            kind: self.goal.kind(),
            remote_session: self.remote_session.lock().clone(),
            transport: self.goal.transport(),
            renditions: self.goal.renditions().to_vec(),
            goal: self.goal.clone(),
        }
    }

    fn has(&self, kind: TrackKind) -> bool {
        self.means.rtmp.hub().find(&self.request.stream).is_some_and(|stream| stream.track(kind).is_some())
    }

    fn size(&self) -> Option<(u32, u32)> {
        let stream = self.means.rtmp.hub().find(&self.request.stream)?;
        let parameters = stream.track(TrackKind::Video)?.native().parameters()?;
        let format = parameters.video()?;
        (format.width > 0 && format.height > 0).then_some((format.width, format.height))
    }

    pub(crate) async fn run(self: &Arc<Push>) {
        let (stream, url) = (&self.request.stream, self.goal.shown());
        tracing::info!(push = self.id, %stream, url, "a push begins");
        let begun = Begun { kind: "push", id: &self.id, stream, url: &url };
        let reason = self.course.run(&begun, &**self).await;
        tracing::info!(push = self.id, %stream, url, reason, "a push ends");
    }

    fn interrupted(&self, reason: &dyn std::fmt::Display, worked: bool) -> Outcome {
        let reason = self.goal.hide(&reason.to_string());
        tracing::warn!(push = self.id, stream = %self.request.stream, reason, "a push is interrupted");
        Outcome::Again { reason, worked }
    }

    /// A place among the stream's viewers; why it is over, if there is none.
    async fn subscribe(&self) -> Result<Subscription, Outcome> {
        let over = || Outcome::Over("the stream has ended".to_owned());
        let hub = self.means.rtmp.hub();
        if hub.find(&self.request.stream).is_none_or(|stream| stream.state() == StreamState::Ended) {
            return Err(over());
        }
        let protocol = match self.goal.kind() {
            PushKind::Rtmp => "RTMP",
            PushKind::WebRtc => "WebRTC",
        };
        let subscribed = hub.subscribe(&self.request.stream, Peer::new(protocol, self.id.as_str()));
        match self.course.stop.run_until_cancelled(subscribed).await {
            Some(Ok(subscription)) => Ok(subscription),
            _ => Err(over()),
        }
    }
}

impl Line for Push {
    async fn attempt(&self) -> Outcome {
        match &self.goal {
            Goal::Rtmp { target, .. } => self.attempt_rtmp(target).await,
            Goal::Server(remote) => self.attempt_webrtc(remote).await,
        }
    }
}

impl Push {
    async fn attempt_rtmp(&self, target: &Target) -> Outcome {
        let (stop, url) = (&self.course.stop, &target.url);
        if self.means.rtmp.hub().find(&self.request.stream).is_none_or(|stream| stream.state() == StreamState::Ended) {
            return Outcome::Over("the stream has ended".to_owned());
        }
        let io = match stop.run_until_cancelled(self.means.dialer.dial(&url.host, url.port, url.tls)).await {
            None => return Outcome::Over("it was told to stop".to_owned()),
            Some(Err(error)) => return self.interrupted(&error, false),
            Some(Ok(io)) => io,
        };
        let subscription = match self.subscribe().await {
            Ok(subscription) => subscription,
            Err(outcome) => return outcome,
        };
        // Kept, as its end can be asked for only as long as somebody has it.
        let viewer = subscription.viewer().clone();
        let ended = subscription.ended();
        self.course.set(Status::Connected);
        let result = client::push(io, url, subscription, &self.pushing, &self.means.rtmp, stop).await;
        let worked = self.pushing.has_begun();
        let ended = ended.now_or_never();
        drop(viewer);
        if let Some(reason) = ended {
            return Outcome::Over(reason);
        }
        match result {
            _ if stop.is_cancelled() => Outcome::Over("it was told to stop".to_owned()),
            Ok(()) => self.interrupted(&"the server has ended the stream", worked),
            Err(error) => self.interrupted(&error, worked),
        }
    }

    async fn attempt_webrtc(&self, remote: &Remote) -> Outcome {
        let Some(agent) = &self.means.agent else {
            return Outcome::Hopeless("this server has WebRTC switched off".to_owned());
        };
        let subscription = match self.subscribe().await {
            Ok(subscription) => subscription,
            Err(outcome) => return outcome,
        };
        self.has_flowed.store(false, Relaxed);
        let result = agent.publish(remote, subscription, self, &self.course.stop).await;
        let worked = self.has_flowed.load(Relaxed);
        match result {
            Ok(()) => Outcome::Over("it was told to stop".to_owned()),
            Err(AgentError::Terminated(reason)) => Outcome::Over(reason),
            Err(error @ AgentError::Denied(_)) => Outcome::Hopeless(self.goal.hide(&error.to_string())),
            Err(error @ (AgentError::Refused(_) | AgentError::Answer(_) | AgentError::Call(CallError::Answer(_)))) => {
                let refusals = self.refusals.fetch_add(1, Relaxed).saturating_add(1);
                if refusals < limits::PUSH_REFUSALS.get() {
                    return self.interrupted(&error, worked);
                }
                limits::PUSH_REFUSALS.hit();
                Outcome::Hopeless(self.goal.hide(&error.to_string()))
            }
            Err(error @ AgentError::Call(CallError::Codec(_))) => Outcome::Hopeless(error.to_string()),
            Err(error) => self.interrupted(&error, worked),
        }
    }
}

impl Bringing for Push {
    fn agreed(&self, remote_session: &str) {
        *self.remote_session.lock() = Some(remote_session.to_owned());
        self.refusals.store(0, Relaxed);
        self.course.set(Status::Connected);
    }

    fn flows(&self) {
        self.has_flowed.store(true, Relaxed);
        self.course.set(Status::ProcessedLocal);
    }
}
