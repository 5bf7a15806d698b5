//! Face to face: an agent that publishes a stream and plays it back.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Presence, Seat, publish::Flowing};
use crate::{Failure, failure::Reason, plan::Target, run::Crew};

/// Publishes, and plays once media flows; both end together.
///
/// # Errors
/// Why one of them did not come about or did not stay.
pub(super) async fn run(
    crew: &Crew,
    (target, playback): (&Target, Target),
    agent: u32,
    presence: &Arc<Presence>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let publishing = stop.child_token();
    let flows = Notify::new();
    let told = Flowing { presence, counts: false, flows: &flows };
    let sending = crew.publishers()?.send(target, agent, &told, &publishing);
    let mut sending = std::pin::pin!(sending);
    tokio::select! {
        sent = &mut sending => return sent,
        () = flows.notified() => {}
    }
    let playing = stop.child_token();
    let seat = Seat { target: playback, plays: true, presence: presence.clone(), stop: playing.clone() };
    let mut watching = std::pin::pin!(crew.workers().seat(seat));
    tokio::select! {
        sent = &mut sending => {
            playing.cancel();
            let _ = watching.await;
            sent.and_then(|()| if stop.is_cancelled() { Ok(()) } else { ended() })
        }
        watched = &mut watching => {
            publishing.cancel();
            let _ = sending.await;
            watched
        }
    }
}

fn ended() -> Result<(), Failure> {
    Err(Failure::new(Reason::Ended, "what was published has ended"))
}
