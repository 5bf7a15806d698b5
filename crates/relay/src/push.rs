//! A stream of this server that is sent to another.

use std::{sync::Arc, time::SystemTime};

use futures_util::FutureExt;
use headwater_graph::{Peer, StreamState};
use headwater_media::{StreamName, TrackKind};
use headwater_net::Dialer;
use headwater_rtmp::{
    Context,
    client::{self, Pushing, Substitute},
};
use parking_lot::Mutex;

use crate::{
    course::{Course, Line, Outcome, Status},
    error::RelayError,
    observer::Begun,
    sound::{Sound, SoundRequest},
    target::Target,
};

/// What is to be sent where.
#[derive(Clone)]
pub struct PushRequest {
    /// The stream.
    pub stream: StreamName,
    /// The URL of the other server: with a key if `is_whole`, else only up to the application.
    pub url: String,
    /// Whether the URL has a key.
    pub is_whole: bool,
    /// Whether silence is sent in place of sound at first.
    pub is_muted: bool,
    /// The sound file that is played in place of sound at first.
    pub sound: Option<SoundRequest>,
}

impl PushRequest {
    pub(crate) fn target(&self, prefix: &str) -> Result<Target, RelayError> {
        match self.is_whole {
            true => Target::whole(&self.url, true),
            false => Target::application(&self.url, prefix, &self.stream),
        }
    }
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
    /// Since when.
    pub since: SystemTime,
    target: Target,
}

impl PushFacts {
    /// Whether it goes to this URL, as it was asked for or as it is shown.
    pub fn goes_to(&self, url: &str) -> bool {
        self.target.is(url)
    }
}

pub(crate) struct Push {
    id: String,
    request: PushRequest,
    target: Target,
    pushing: Pushing,
    sound: Mutex<Option<SoundRequest>>,
    course: Course,
    rtmp: Context,
    dialer: Dialer,
    since: SystemTime,
}

impl Push {
    pub(crate) fn new(request: PushRequest, target: Target, course: Course, rtmp: Context, dialer: Dialer) -> Push {
        let id = uuid::Uuid::new_v4().to_string();
        let pushing = Pushing::default();
        pushing.set_muted(request.is_muted);
        let since = rtmp.hub().environment().wall_clock();
        Push { id, request, target, pushing, sound: Mutex::default(), course, rtmp, dialer, since }
    }

    pub(crate) fn stream(&self) -> &StreamName {
        &self.request.stream
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn is_same(&self, stream: &StreamName, target: &Target) -> bool {
        self.request.stream == *stream && self.target.is_same(target) && !self.course.stop.is_cancelled()
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
        let is_whole = self.request.is_whole;
        let remote_name = (!is_whole).then(|| self.target.url.key.split('?').next().unwrap_or_default().to_owned());
        PushFacts {
            id: self.id.clone(),
            stream: self.request.stream.clone(),
            remote_name,
            url: self.target.shown.clone(),
            status: if is_sending { Status::ProcessedLocal } else { progress.status },
            problem: progress.problem,
            failures: progress.failures,
            is_muted: self.pushing.is_muted(),
            sound: self.sound.lock().clone(),
            size: self.size(),
            since: self.since,
            target: self.target.clone(),
        }
    }

    fn size(&self) -> Option<(u32, u32)> {
        let stream = self.rtmp.hub().find(&self.request.stream)?;
        let parameters = stream.track(TrackKind::Video)?.native().parameters()?;
        let format = parameters.video()?;
        (format.width > 0 && format.height > 0).then_some((format.width, format.height))
    }

    pub(crate) async fn run(self: &Arc<Push>) {
        tracing::info!(push = self.id, stream = %self.request.stream, url = self.target.shown, "a push begins");
        let begun = Begun { kind: "push", id: &self.id, stream: &self.request.stream, url: &self.target.shown };
        let reason = self.course.run(&begun, &**self).await;
        tracing::info!(push = self.id, stream = %self.request.stream, url = self.target.shown, reason, "a push ends");
    }
}

impl Line for Push {
    async fn attempt(&self) -> Outcome {
        let (hub, stop, url) = (self.rtmp.hub(), &self.course.stop, &self.target.url);
        let over = || Outcome::Over("the stream has ended".to_owned());
        if hub.find(&self.request.stream).is_none_or(|stream| stream.state() == StreamState::Ended) {
            return over();
        }
        let again = |reason: String, worked| {
            let reason = self.target.hide(&reason);
            tracing::warn!(push = self.id, stream = %self.request.stream, reason, "a push is interrupted");
            Outcome::Again { reason, worked }
        };
        let io = match stop.run_until_cancelled(self.dialer.dial(&url.host, url.port, url.tls)).await {
            None => return Outcome::Over("it was told to stop".to_owned()),
            Some(Err(error)) => return again(error.to_string(), false),
            Some(Ok(io)) => io,
        };
        let peer = Peer::new("RTMP", self.id.as_str());
        let subscribed = stop.run_until_cancelled(hub.subscribe(&self.request.stream, peer)).await;
        let Some(Ok(subscription)) = subscribed else { return over() };
        // Kept, as its end can be asked for only as long as somebody has it.
        let viewer = subscription.viewer().clone();
        let ended = subscription.ended();
        self.course.set(Status::Connected);
        let result = client::push(io, url, subscription, &self.pushing, &self.rtmp, stop).await;
        let worked = self.pushing.has_begun();
        let ended = ended.now_or_never();
        drop(viewer);
        if let Some(reason) = ended {
            return Outcome::Over(reason);
        }
        match result {
            _ if stop.is_cancelled() => Outcome::Over("it was told to stop".to_owned()),
            Ok(()) => again("the server has ended the stream".to_owned(), worked),
            Err(error) => again(error.to_string(), worked),
        }
    }
}
