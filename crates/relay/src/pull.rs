//! A stream of another server that is published here.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use headwater_graph::{Peer, StreamState};
use headwater_media::{StreamName, TrackKind, limits};
use headwater_net::Dialer;
use headwater_rtmp::{Context, RtmpError, client};
use tokio::sync::watch;

use crate::{
    course::{Course, Line, Outcome, Progress, Status},
    observer::Begun,
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
    target: Target,
}

impl PullFacts {
    /// Whether it comes from this URL, as it was asked for or as it is shown.
    pub fn comes_from(&self, url: &str) -> bool {
        self.target.is(url)
    }
}

pub(crate) struct Pull {
    id: String,
    target: Target,
    name: StreamName,
    on_demand: bool,
    course: Course,
    rtmp: Context,
    dialer: Dialer,
}

impl Pull {
    pub(crate) fn new(
        target: Target,
        name: StreamName,
        on_demand: bool,
        course: Course,
        rtmp: Context,
        dialer: Dialer,
    ) -> Pull {
        Pull { id: uuid::Uuid::new_v4().to_string(), target, name, on_demand, course, rtmp, dialer }
    }

    pub(crate) fn name(&self) -> &StreamName {
        &self.name
    }

    pub(crate) fn is_same(&self, target: &Target) -> bool {
        self.target.is_same(target)
    }

    pub(crate) fn stop(&self) {
        self.course.stop.cancel();
    }

    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.course.follow()
    }

    pub(crate) fn facts(&self) -> PullFacts {
        let Progress { status, failures, problem } = self.course.progress();
        let stream = self.rtmp.hub().find(&self.name).filter(|stream| stream.source().session == self.id);
        let is_live = stream.as_ref().is_some_and(|stream| stream.state() == StreamState::Live);
        let has = |kind| stream.as_ref().is_some_and(|stream| stream.track(kind).is_some());
        PullFacts {
            id: self.id.clone(),
            name: self.name.clone(),
            url: self.target.shown.clone(),
            status: if status == Status::Connected && is_live { Status::ProcessedRemote } else { status },
            problem,
            failures,
            has_video: has(TrackKind::Video),
            has_audio: has(TrackKind::Audio),
            on_demand: self.on_demand,
            target: self.target.clone(),
        }
    }

    pub(crate) async fn run(self: &Arc<Pull>) {
        tracing::info!(pull = self.id, stream = %self.name, url = self.target.shown, "a pull begins");
        let begun = Begun { kind: "pull", id: &self.id, stream: &self.name, url: &self.target.shown };
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
        tracing::info!(pull = self.id, stream = %self.name, url = self.target.shown, reason, "a pull ends");
    }

    /// Waits until nobody has watched for a while.
    async fn until_unwatched(&self) {
        let mut idle = Duration::ZERO;
        while idle < limits::RELAY_IDLE_MS.get_duration() {
            self.course.sleep(LOOK).await;
            let watched = self.rtmp.hub().find(&self.name).is_some_and(|stream| stream.viewer_count() > 0);
            idle = if watched { Duration::ZERO } else { idle.saturating_add(LOOK) };
        }
    }
}

impl Line for Pull {
    async fn attempt(&self) -> Outcome {
        let (hub, stop, url) = (self.rtmp.hub(), &self.course.stop, &self.target.url);
        let again = |reason: String, worked| {
            let reason = self.target.hide(&reason);
            tracing::warn!(pull = self.id, stream = %self.name, reason, "a pull is interrupted");
            Outcome::Again { reason, worked }
        };
        let io = match stop.run_until_cancelled(self.dialer.dial(&url.host, url.port, url.tls)).await {
            None => return Outcome::Over("it was told to stop".to_owned()),
            Some(Err(error)) => return again(error.to_string(), false),
            Some(Ok(io)) => io,
        };
        let publication = match hub.publish(self.name.clone(), Peer::new("RTMP", self.id.as_str())) {
            Ok(publication) => publication,
            Err(error) => return Outcome::Hopeless(error.to_string()),
        };
        self.course.set(Status::Connected);
        let result = client::play(io, url, publication, &self.rtmp, stop).await;
        let worked = self.facts().has_video || self.facts().has_audio;
        match result {
            _ if stop.is_cancelled() => Outcome::Over("it was told to stop".to_owned()),
            Err(RtmpError::Terminated(reason)) => Outcome::Over(reason),
            Ok(()) => again("the server has ended the stream".to_owned(), worked),
            Err(error) => again(error.to_string(), worked),
        }
    }
}
