//! A client that plays a stream by MSE: the media goes over a second WebSocket, which the page opens when it has the
//! answer.
//!
//! ```text
//! page                                    server
//!   │ playStream, mediaProvider MSE ────────►│
//!   │ ◄──────────────────────── setRemoteSDP │  which of sound and picture come
//!   │ connectMediaTransport ════════════════►│  on another connection, with the token of the session
//!   │ ◄═════════════════════════════ frames  │
//!   │ ◄────────────────────────────── PLAYING│
//! ```

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

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

/// Streams that wait for the connection that is to carry their media, by the token and address of their client; the
/// first that waits gets the first that comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Berths(Arc<Mutex<HashMap<(String, IpAddr), Waiting>>>);

type Waiting = Vec<oneshot::Sender<Socket>>;

impl Berths {
    fn wait(&self, token: &str, address: IpAddr) -> oneshot::Receiver<Socket> {
        let (sender, receiver) = oneshot::channel();
        let mut berths = self.0.lock();
        // Those that wait no more leave with the next that comes.
        berths.retain(|_, waiting| {
            waiting.retain(|sender| !sender.is_closed());
            !waiting.is_empty()
        });
        berths.entry((token.to_owned(), address)).or_default().push(sender);
        receiver
    }

    fn find(&self, token: &str, address: IpAddr) -> Option<oneshot::Sender<Socket>> {
        let mut berths = self.0.lock();
        let waiting = berths.get_mut(&(token.to_owned(), address))?;
        let first = waiting.iter().position(|sender| !sender.is_closed())?;
        Some(waiting.remove(first))
    }

    /// Gives a connection to the stream that waits for it, or closes it.
    pub(super) async fn hand_over(&self, token: &str, address: IpAddr, socket: Socket) {
        let Some(sender) = self.find(token, address) else {
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

pub(super) async fn play(job: Job, token: Arc<str>) {
    let _present = job.wcs.0.counters.stream();
    let (seat, outcome) = match job.admit().await {
        Ok(seat) => {
            let outcome = begin(&job, &seat, &token).await.unwrap_or_else(|outcome| outcome);
            (Some(seat), outcome)
        }
        Err(outcome) => (None, outcome),
    };
    job.finish(seat, outcome).await;
}

/// Answers, waits for the connection, and plays to the end.
async fn begin(job: &Job, seat: &Seat, token: &str) -> Result<Outcome, Outcome> {
    job.tell_status(Status::Pending).await;
    let subscription = tokio::select! {
        subscription = subscribe(job, seat) => subscription?,
        stop = job.stopped() => return Err(job.stopped_outcome(stop)),
    };
    let tags = Tags::open(&subscription).map_err(|reason| Outcome::failed(Info::NoCommonCodecs, reason))?;
    let socket = job.wcs.0.berths.wait(token, job.client.address());
    job.tell_answer(&answer(&tags)).await;
    let socket = tokio::select! {
        socket = timeout(limits::WCS_CONNECT_MS.get_duration(), socket) => socket,
        stop = job.stopped() => return Err(job.stopped_outcome(stop)),
    };
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
