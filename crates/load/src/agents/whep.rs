//! A viewer by WHEP (draft-ietf-wish-whep-03).

use headwater_webrtc::Receiver;

use super::{Seat, http, listen};
use crate::{Failure, worker::Worker};

/// Asks for the stream, watches it until told to stop, and deletes the session.
///
/// # Errors
/// Why it did not come about or did not stay.
pub(super) async fn play(seat: &Seat, worker: &Worker) -> Result<(), Failure> {
    let (receiver, offer) = Receiver::new(&worker.common, std::time::Instant::now());
    let answered = tokio::select! {
        () = seat.stop.cancelled() => return Ok(()),
        answered = http::offer(worker, &seat.target, &offer) => answered?,
    };
    let watched = listen::watch(seat, worker, receiver, &answered.sdp, answered.peer).await;
    if let Some(place) = &answered.place {
        http::delete(worker, &seat.target, place).await;
    }
    watched
}
