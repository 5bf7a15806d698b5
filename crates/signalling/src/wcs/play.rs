//! A client that plays a stream.

use std::{sync::Arc, time::Duration};

use headwater_graph::{Stream, SubscribeError, Subscription};
use headwater_media::TrackKind;
use headwater_webrtc::{Offer, RenditionChoice, ViewError};
use tokio::time::timeout;

use super::{
    audience::Muted,
    job::{Held, Job, Outcome, Seat, pending, refused_outcome},
    rendition::{self, Picked},
    wire::{Event, Info, Mute, Reply, Status},
};

/// How long a viewer waits for the tracks of a stream that has just begun.
const START_TIME: Duration = Duration::from_secs(10);

pub(super) async fn play(job: Job, picked: Picked) {
    let _present = job.wcs.0.counters.stream();
    let (seat, outcome) = match job.admit().await {
        Ok(seat) => {
            let outcome = match begin(&job, &seat).await {
                Ok(playing) => playing.go_on(&job, &seat, picked).await,
                Err(outcome) => outcome,
            };
            (Some(seat), outcome)
        }
        Err(outcome) => (None, outcome),
    };
    job.finish(seat, outcome).await;
}

/// A stream that goes to a client.
struct Playing {
    held: Held,
    stream: Arc<Stream>,
    /// Width and height of the picture, where they are known.
    size: Option<(u32, u32)>,
}

async fn begin(job: &Job, seat: &Seat) -> Result<Playing, Outcome> {
    let offer = Offer::parse(&job.request.sdp).map_err(|error| Outcome::failed(Info::NotAdded, error))?;
    job.tell_status(Status::Pending).await;
    let subscription = tokio::select! {
        subscription = subscribe(job, seat) => subscription?,
        stop = job.stopped() => return Err(job.stopped_outcome(stop)),
    };
    let stream = subscription.stream().clone();
    let size = picture_size(&subscription);
    let choice = rendition::first(&job.request, subscription.stream());
    let choice = choice.map_err(|reason| Outcome::failed(Info::NotFound, reason))?;
    let accepted = job.wcs.0.webrtc.view(offer, subscription, job.client.address()).await.map_err(refuse)?;
    tracing::info!(stream = %seat.name, media_session = %job.claim.id, session = %job.client.id, "a client plays a stream");
    let held = Held::new(accepted.session);
    if choice != RenditionChoice::Auto {
        held.session().choose(choice).await;
    }
    job.tell_answer(&accepted.sdp).await;
    Ok(Playing { held, stream, size })
}

pub(super) async fn subscribe(job: &Job, seat: &Seat) -> Result<Subscription, Outcome> {
    let subscribed = timeout(START_TIME, job.wcs.0.hub.subscribe(&seat.name, job.peer())).await;
    let Ok(subscribed) = subscribed else {
        return Err(Outcome::failed(Info::NotReady, "the stream is being published, but its tracks are not known yet"));
    };
    subscribed.map_err(|error| match error.as_asked(&job.asked) {
        error @ SubscribeError::NotFound { .. } => Outcome::failed(Info::NotFound, error),
        error => Outcome::failed(Info::NotReady, error),
    })
}

pub(super) fn picture_size(subscription: &Subscription) -> Option<(u32, u32)> {
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
    async fn go_on(self, job: &Job, seat: &Seat, mut picked: Picked) -> Outcome {
        let (muted, mut events) = seat.place.listen();
        let mut revoked = std::pin::pin!(seat.admitted.revoked());
        let mut has_begun = false;
        loop {
            tokio::select! {
                ended = self.held.session().ended() => return job.ended_outcome(&ended),
                stop = job.stopped() => {
                    self.stop().await;
                    return job.stopped_outcome(stop);
                }
                refused = &mut revoked => {
                    self.stop().await;
                    return refused_outcome(&refused);
                }
                event = events.recv() => job.pass_on(event),
                Ok(()) = picked.changed() => {
                    let choice = picked.borrow_and_update().clone();
                    self.held.session().choose(choice).await;
                }
                flows = self.held.session().flowing(), if !has_begun => {
                    has_begun = true;
                    if flows {
                        seat.admitted.flow(&self.stream);
                        tell_begun(job, muted, self.size).await;
                    }
                }
            }
        }
    }

    /// Ends the session; when its client is told, it is no viewer any more.
    async fn stop(&self) {
        self.held.session().end().await;
        self.held.session().ended().await;
    }
}

/// Says that the stream comes, and of which size its pictures are.
pub(super) async fn tell_begun(job: &Job, muted: Muted, size: Option<(u32, u32)>) {
    let mut status = job.status(Status::Playing);
    status.audio_state = Some(Mute { muted: muted.audio });
    status.video_state = Some(Mute { muted: muted.video });
    job.tell(Reply::Status(Box::new(status))).await;
    let Some((width, height)) = size else {
        return;
    };
    // Older pages wait for the one, newer for the other.
    let media_session_id = job.claim.id.to_string();
    job.tell(Reply::VideoFormat { media_session_id: media_session_id.clone(), width, height }).await;
    let payload = serde_json::json!({ "streamerVideoWidth": width, "streamerVideoHeight": height });
    let event = Event { kind: "resize".to_owned(), payload: Some(payload) };
    job.tell(Reply::Event { media_session_id, event }).await;
}
