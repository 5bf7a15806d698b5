//! A client that plays a stream.

use std::time::Duration;

use headwater_graph::{SubscribeError, Subscription};
use headwater_media::TrackKind;
use headwater_webrtc::{Offer, RenditionChoice, ViewError};
use tokio::time::timeout;

use super::{
    audience::Muted,
    job::{Held, Job, Outcome, pending},
    rendition::{self, Picked},
    wire::{Event, Info, Mute, Reply, Status},
};

/// How long a viewer waits for the tracks of a stream that has just begun.
const START_TIME: Duration = Duration::from_secs(10);

pub(super) async fn play(job: Job, picked: Picked) {
    let _present = job.wcs.0.counters.stream();
    let outcome = match begin(&job).await {
        Ok(playing) => playing.go_on(&job, picked).await,
        Err(outcome) => outcome,
    };
    job.finish(outcome).await;
}

/// A stream that goes to a client.
struct Playing {
    held: Held,
    /// Width and height of the picture, where they are known.
    size: Option<(u32, u32)>,
}

async fn begin(job: &Job) -> Result<Playing, Outcome> {
    let offer = Offer::parse(&job.request.sdp).map_err(|error| Outcome::failed(Info::NotAdded, error))?;
    job.tell_status(Status::Pending).await;
    let subscription = tokio::select! {
        subscription = subscribe(job) => subscription?,
        stop = job.stopped() => return Err(job.stopped_outcome(stop)),
    };
    let size = picture_size(&subscription);
    let choice = rendition::first(&job.request, subscription.stream());
    let choice = choice.map_err(|reason| Outcome::failed(Info::NotFound, reason))?;
    let accepted = job.wcs.0.webrtc.view(offer, subscription, job.client.address()).await.map_err(refuse)?;
    tracing::info!(stream = %job.name, media_session = %job.claim.id, session = %job.client.id, "a client plays a stream");
    let held = Held::new(accepted.session);
    if choice != RenditionChoice::Auto {
        held.session().choose(choice).await;
    }
    job.tell_answer(&accepted.sdp).await;
    Ok(Playing { held, size })
}

async fn subscribe(job: &Job) -> Result<Subscription, Outcome> {
    let subscribed = timeout(START_TIME, job.wcs.0.hub.subscribe(&job.name, job.peer())).await;
    let Ok(subscribed) = subscribed else {
        return Err(Outcome::failed(Info::NotReady, "the stream is being published, but its tracks are not known yet"));
    };
    subscribed.map_err(|error| match error {
        SubscribeError::NotFound { .. } => Outcome::failed(Info::NotFound, error),
        error => Outcome::failed(Info::NotReady, error),
    })
}

fn picture_size(subscription: &Subscription) -> Option<(u32, u32)> {
    let parameters = subscription.stream().track(TrackKind::Video)?.native().parameters()?;
    let format = parameters.video()?;
    (format.width > 0 && format.height > 0).then_some((format.width, format.height))
}

fn refuse(error: ViewError) -> Outcome {
    match error {
        ViewError::NothingInCommon(sentence) => Outcome::failed(Info::NoCommonCodecs, sentence),
        ViewError::Pending(refused) => pending(&refused),
        error => Outcome::failed(Info::NotAdded, error),
    }
}

impl Playing {
    async fn go_on(self, job: &Job, mut picked: Picked) -> Outcome {
        let (muted, mut events) = job.place.listen();
        let mut has_begun = false;
        loop {
            tokio::select! {
                ended = self.held.session().ended() => return job.ended_outcome(&ended),
                stop = job.stopped() => {
                    self.held.session().end().await;
                    return job.stopped_outcome(stop);
                }
                event = events.recv() => job.pass_on(event),
                Ok(()) = picked.changed() => {
                    let choice = picked.borrow_and_update().clone();
                    self.held.session().choose(choice).await;
                }
                flows = self.held.session().flowing(), if !has_begun => {
                    has_begun = true;
                    if flows {
                        self.tell_begun(job, muted).await;
                    }
                }
            }
        }
    }

    async fn tell_begun(&self, job: &Job, muted: Muted) {
        let mut status = job.status(Status::Playing);
        status.audio_state = Some(Mute { muted: muted.audio });
        status.video_state = Some(Mute { muted: muted.video });
        job.tell(Reply::Status(Box::new(status))).await;
        let Some((width, height)) = self.size else {
            return;
        };
        // Older pages wait for the one, newer for the other.
        let media_session_id = job.claim.id.to_string();
        job.tell(Reply::VideoFormat { media_session_id: media_session_id.clone(), width, height }).await;
        let payload = serde_json::json!({ "streamerVideoWidth": width, "streamerVideoHeight": height });
        let event = Event { kind: "resize".to_owned(), payload: Some(payload) };
        job.tell(Reply::Event { media_session_id, event }).await;
    }
}
