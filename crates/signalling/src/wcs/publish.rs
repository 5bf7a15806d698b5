//! A client that publishes a stream.

use std::sync::Arc;

use headwater_graph::{PublishError, Stream};
use headwater_webrtc::{Offer, PublishError as MediaError, PublishOptions};

use crate::name;

use super::{
    job::{Held, Job, Outcome, Seat, Stop, pending, refused_outcome},
    wire::{Info, Status},
};

pub(super) async fn publish(job: Job) {
    let _present = job.wcs.0.counters.stream();
    let (seat, outcome) = match job.admit().await {
        Ok(seat) => {
            let outcome = match begin(&job, &seat).await {
                Ok(publishing) => publishing.go_on(&job, &seat).await,
                Err(outcome) => outcome,
            };
            (Some(seat), outcome)
        }
        Err(outcome) => (None, outcome),
    };
    job.finish(seat, outcome).await;
}

/// A stream that comes from a client.
struct Publishing {
    held: Held,
    stream: Arc<Stream>,
}

async fn begin(job: &Job, seat: &Seat) -> Result<Publishing, Outcome> {
    let offer = Offer::parse(&job.request.sdp).map_err(|error| Outcome::failed(Info::NotAdded, error))?;
    let publication = tokio::select! {
        publication = name::take(&job.wcs.0.hub, &job.wcs.0.webrtc, &seat.name, job.peer()) => publication,
        stop = job.stopped() => return Err(job.stopped_outcome(stop)),
    };
    let publication = publication.map_err(|error| refuse_name(error.as_asked(&job.asked)))?;
    let stream = publication.stream().clone();
    seat.place.begin();
    job.tell_status(Status::Pending).await;
    let accepted = job.wcs.0.webrtc.publish(offer, publication, options(job), job.client.address()).await;
    let accepted = accepted.map_err(refuse)?;
    tracing::info!(stream = %seat.name, media_session = %job.claim.id, session = %job.client.id, "a client publishes a stream");
    let held = Held::new(accepted.session);
    job.tell_answer(&accepted.sdp).await;
    Ok(Publishing { held, stream })
}

fn options(job: &Job) -> PublishOptions {
    let bits = |kilobits: u64| (kilobits > 0).then(|| kilobits.saturating_mul(1_000));
    let wanted = job.wcs.0.wanted.within(bits(job.request.min_bitrate), bits(job.request.max_bitrate));
    // Who does not ask for it has its pictures turned before they are sent, as always. Who does knows its viewers, or is
    // another server, whose pictures are as they are.
    PublishOptions { strip_orientation: !job.request.cvo_extension, ..wanted }
}

fn refuse_name(error: PublishError) -> Outcome {
    match error {
        PublishError::NameTaken { .. } => Outcome::failed(Info::NameInUse, error),
        error => Outcome::failed(Info::NotAdded, error),
    }
}

fn refuse(error: MediaError) -> Outcome {
    match error {
        MediaError::NotTaken(sentence) => Outcome::failed(Info::NoCommonCodecs, sentence),
        MediaError::Pending(refused) => pending(&refused),
        error => Outcome::failed(Info::NotAdded, error),
    }
}

impl Publishing {
    async fn go_on(self, job: &Job, seat: &Seat) -> Outcome {
        let mut has_begun = false;
        let mut events = seat.place.attend();
        let mut revoked = std::pin::pin!(seat.admitted.revoked());
        loop {
            tokio::select! {
                ended = self.held.session().ended() => return job.ended_outcome(&ended),
                stop = job.stopped() => {
                    self.stop(stop).await;
                    return job.stopped_outcome(stop);
                }
                refused = &mut revoked => {
                    self.stop(Stop::Disconnect).await;
                    return refused_outcome(&refused);
                }
                event = events.recv() => job.pass_on(event),
                flows = self.held.session().flowing(), if !has_begun => {
                    has_begun = true;
                    if flows {
                        seat.admitted.flow(&self.stream);
                        job.tell_status(Status::Publishing).await;
                    }
                }
            }
        }
    }

    /// Ends the stream, or leaves it to its client to come back.
    async fn stop(&self, stop: Stop) {
        match stop {
            Stop::User | Stop::Disconnect => self.held.session().end().await,
            Stop::Lost => self.held.session().abandon().await,
        }
        // A new publisher of the same name must not meet the old one.
        self.held.session().ended().await;
    }
}
