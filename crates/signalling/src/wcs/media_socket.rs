//! A client that plays a stream by MSE: the media goes over a second WebSocket, which the page opens when it has the
//! answer. All that it says is the token of the session, so only one player of a session is answered at a time.
//!
//! ```text
//! page                                    server
//!   │ playStream, mediaProvider MSE ────────►│
//!   │ ◄──────────────────────── setRemoteSDP │  which of sound and picture come
//!   │ connectMediaTransport ════════════════►│  on another connection, with the token of the session
//!   │ ◄═════════════════════════════ frames  │
//!   │ ◄────────────────────────────── PLAYING│
//! ```

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use headwater_graph::Subscription;
use headwater_media::{TrackKind, limits};
use headwater_mse::Tags;
use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    connection::{Pace, Socket},
    job::{Job, Outcome, Seat, Stop, refused_outcome},
    play::{picture_size, subscribe, tell_begun},
    wire::{Info, Status},
};

/// What the Web SDK calls it.
pub(super) const MSE: &str = "MSE";
/// How long a peer may take to close a connection that this side has ended.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// What a session is known by on the connections that carry its media.
#[derive(Debug)]
pub(super) struct Berth {
    /// Chosen by the server for this session alone. A token of the client's choice may be another client's as well.
    token: Arc<str>,
    /// Whose the next connection is: a player waits here until the one before it has its connection.
    turn: tokio::sync::Mutex<()>,
}

impl Berth {
    pub(super) fn new() -> Berth {
        Berth { token: format!("{:032x}", rand::random::<u128>()).into(), turn: tokio::sync::Mutex::default() }
    }

    /// What the client is told, and shows.
    pub(super) fn token(&self) -> &str {
        &self.token
    }
}

/// Players that wait for the connection that is to carry their media, by the token of their session.
#[derive(Clone, Debug, Default)]
pub(super) struct Berths(Arc<Mutex<HashMap<Arc<str>, oneshot::Sender<Socket>>>>);

impl Berths {
    /// Waits for the connection of the player whose turn it is.
    fn wait(&self, berth: &Berth) -> oneshot::Receiver<Socket> {
        let (sender, receiver) = oneshot::channel();
        let mut berths = self.0.lock();
        // Those that wait no more leave with the next that comes.
        berths.retain(|_, waiting| !waiting.is_closed());
        berths.insert(berth.token.clone(), sender);
        receiver
    }

    /// Gives a connection to the player that waits for it, or closes it.
    pub(super) async fn hand_over(&self, token: &str, socket: Socket) {
        let waiting = self.0.lock().remove(token);
        let Some(sender) = waiting.filter(|sender| !sender.is_closed()) else {
            return close(socket, CloseCode::Policy, "no stream of this session waits for a connection").await;
        };
        if let Err(socket) = sender.send(socket) {
            close(socket, CloseCode::Normal, "the stream is over").await;
        }
    }
}

async fn close(mut socket: Socket, code: CloseCode, reason: &'static str) {
    let _ = timeout(CLOSE_TIME, socket.close(Some(CloseFrame { code, reason: reason.into() }))).await;
}

pub(super) async fn play(job: Job, berth: Arc<Berth>) {
    let _present = job.wcs.0.counters.stream();
    let (seat, outcome) = match job.admit().await {
        Ok(seat) => {
            let outcome = begin(&job, &seat, &berth).await.unwrap_or_else(|outcome| outcome);
            (Some(seat), outcome)
        }
        Err(outcome) => (None, outcome),
    };
    job.finish(seat, outcome).await;
}

/// Answers, waits for the connection, and plays to the end.
async fn begin(job: &Job, seat: &Seat, berth: &Berth) -> Result<Outcome, Outcome> {
    job.tell_status(Status::Pending).await;
    let subscription = tokio::select! {
        subscription = subscribe(job, seat) => subscription?,
        stop = job.stopped() => return Err(job.stopped_outcome(stop)),
    };
    let turn = tokio::select! {
        turn = berth.turn.lock() => turn,
        stop = job.stopped() => return Err(job.stopped_outcome(stop)),
    };
    let tags = Tags::open(&subscription).map_err(|reason| Outcome::failed(Info::NoCommonCodecs, reason))?;
    let socket = job.wcs.0.berths.wait(berth);
    job.tell_answer(&answer(&tags)).await;
    let socket = tokio::select! {
        socket = timeout(limits::WCS_CONNECT_MS.get_duration(), socket) => socket,
        stop = job.stopped() => return Err(job.stopped_outcome(stop)),
    };
    drop(turn);
    let Ok(Ok(mut socket)) = socket else {
        limits::WCS_CONNECT_MS.hit();
        return Err(Outcome::failed(Info::IceTimeout, "the page did not connect for the media in time"));
    };
    tracing::info!(stream = %seat.name, media_session = %job.claim.id, session = %job.client.id, "a client plays a stream by MSE");
    let outcome = carry(job, seat, &subscription, tags, &mut socket).await;
    // A client that is told that the stream is over is no viewer any more.
    drop(subscription);
    close(socket, CloseCode::Normal, "the stream is over").await;
    Ok(outcome)
}

async fn carry(job: &Job, seat: &Seat, subscription: &Subscription, mut tags: Tags, socket: &mut Socket) -> Outcome {
    let stream = subscription.stream();
    let (muted, mut events) = seat.place.listen();
    let (mut muted, mut pace) = (Some(muted), Pace::new(Instant::now()));
    let mut revoked = std::pin::pin!(seat.admitted.revoked());
    let mut ended = std::pin::pin!(subscription.ended());
    loop {
        tokio::select! {
            reason = &mut ended => return over(&reason),
            stop = job.stopped() => return job.stopped_outcome(stop),
            refused = &mut revoked => return refused_outcome(&refused),
            event = events.recv() => job.pass_on(event),
            heard = socket.next() => match heard {
                Some(Ok(message)) if !message.is_close() && pace.take(Instant::now()) => {}
                _ => return job.stopped_outcome(Stop::User),
            },
            message = tags.next() => {
                let Some(message) = message else { return over(&subscription.has_ended().unwrap_or_default()) };
                let bytes = message.len() as u64;
                if !send(socket, message).await {
                    return job.stopped_outcome(Stop::Lost);
                }
                subscription.viewer().count_sent(bytes);
                if let Some(muted) = muted.take() {
                    seat.admitted.flow(stream);
                    tell_begun(job, muted, picture_size(subscription)).await;
                }
            }
        }
    }
}

/// Says whether the page has taken it in time.
async fn send(socket: &mut Socket, message: Bytes) -> bool {
    match timeout(limits::HTTP_WRITE_MS.get_duration(), socket.send(Message::Binary(message))).await {
        Ok(sent) => sent.is_ok(),
        Err(_) => {
            limits::HTTP_WRITE_MS.hit();
            false
        }
    }
}

fn over(reason: &str) -> Outcome {
    let info = if reason == "Stopped by rest /terminate" { Info::ByRest } else { Info::ByPublisher };
    Outcome::failed(info, if reason.is_empty() { "its codecs are others now" } else { reason })
}

/// The page looks at nothing but which sections have port zero (RFC 8866 §5.14, RFC 3264 §6).
fn answer(tags: &Tags) -> String {
    let port = |kind| if tags.has(kind) { 9 } else { 0 };
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
         m=video {} RTP/AVP 112\r\na=rtpmap:112 H264/90000\r\na=sendonly\r\n\
         m=audio {} RTP/AVP 108\r\na=rtpmap:108 mpeg4-generic/48000/1\r\na=sendonly\r\n",
        port(TrackKind::Video),
        port(TrackKind::Audio),
    )
}
