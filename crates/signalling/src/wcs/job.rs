//! What publishing and playing have in common: who asked for what, and how it is told what becomes of it.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

use headwater_access::{Action, Admitted, Asking, Change, Refused as NotAllowed, Visit};
use headwater_graph::{Peer, PublishError};
use headwater_media::StreamName;
use headwater_net::Refused;
use headwater_webrtc::{Ended, Session};
use tokio::sync::{broadcast::error::RecvError, mpsc, watch};

use super::{
    Claim, Wcs,
    audience::Place,
    decision,
    media_socket::MSE,
    session::Client,
    wire::{Connection, Event, Info, Reply, Status, StreamRequest, StreamStatus, Transport},
};

/// Why a stream is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The client said so.
    User,
    /// The client's connection has been closed, by itself or by this side.
    Disconnect,
    /// The client's connection is lost; it may come back.
    Lost,
}

/// Where a stream's place is put as soon as it is known, for the connection to speak from.
pub(super) type Spot = Arc<OnceLock<Arc<Place>>>;

/// One stream that a client wants to publish or to play.
pub(super) struct Job {
    pub(super) wcs: Wcs,
    pub(super) client: Arc<Client>,
    pub(super) connection: Arc<Connection>,
    pub(super) request: StreamRequest,
    pub(super) published: bool,
    /// The name that the client asks for.
    pub(super) asked: StreamName,
    /// The client's leave to be here.
    pub(super) visit: Arc<Visit>,
    pub(super) spot: Spot,
    pub(super) claim: Claim,
    pub(super) stopped: watch::Receiver<Option<Stop>>,
    pub(super) replies: mpsc::Sender<Reply>,
    pub(super) since: SystemTime,
}

/// The leave for a stream.
pub(super) struct Seat {
    /// The name to use, perhaps another than the one asked for. The client is not told.
    pub(super) name: StreamName,
    pub(super) place: Arc<Place>,
    pub(super) admitted: Admitted,
}

/// How a stream has ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) info: Info,
    /// A sentence, where the info does not say all.
    pub(super) reason: Option<String>,
}

impl Outcome {
    pub(super) fn failed(info: Info, reason: impl ToString) -> Outcome {
        Outcome { status: Status::Failed, info, reason: Some(reason.to_string()) }
    }
}

impl Job {
    /// Has it decided whether the client may have the stream, and takes a place in its audience.
    pub(super) async fn admit(&self) -> Result<Seat, Outcome> {
        let admission = tokio::select! {
            decided = self.wcs.0.entrance.admit(&self.visit, self.asking(), self.client.address()) => decided,
            stop = self.stopped() => return Err(self.stopped_outcome(stop)),
        };
        let admission = admission.map_err(|refused| refused_outcome(&refused))?;
        let name = admission.stream.clone();
        let place = Arc::new(self.wcs.0.audiences.join(&name));
        let place = self.spot.get_or_init(|| place).clone();
        let admitted = Admitted::new(admission);
        admitted.admission().tell(&Change::to("PENDING"));
        Ok(Seat { name, place, admitted })
    }

    fn asking(&self) -> Asking {
        let action = if self.published { Action::Publish } else { Action::Play };
        let mut asking = Asking::new(action, self.asked.clone(), &*self.claim.id);
        asking.credentials = decision::credentials(self.request.custom.as_ref(), None);
        asking.facts = decision::stream_facts(&self.request);
        asking
    }

    /// The peer as operators see it: by the id that its client knows it by.
    pub(super) fn peer(&self) -> Peer {
        let by_socket = self.request.media_provider == MSE;
        self.client.peer(if by_socket { MSE } else { "WebRTC" }, &self.claim.id)
    }

    /// What is said of the stream, before anything is known but what was asked for.
    pub(super) fn status(&self, status: Status) -> StreamStatus {
        StreamStatus {
            app_key: self.connection.app_key.clone(),
            session_id: self.client.id.clone(),
            create_date: milliseconds(self.since),
            ..StreamStatus::of(&self.request, self.published, status)
        }
    }

    /// Tells the client; waits for its place in the queue, which harms only this stream.
    pub(super) async fn tell(&self, reply: Reply) {
        // A client that has gone needs no word.
        let _ = self.replies.send(reply).await;
    }

    /// Tells the client what the stream is at.
    pub(super) async fn tell_status(&self, status: Status) {
        self.tell(Reply::Status(Box::new(self.status(status)))).await;
    }

    /// Tells the client the answer to its offer.
    pub(super) async fn tell_answer(&self, sdp: &str) {
        let sdp = keep_transport(sdp, self.request.transport);
        self.tell(Reply::Answer { media_session_id: self.claim.id.to_string(), sdp }).await;
    }

    /// Tells the client of an event. Does not wait: events are dropped before media suffers.
    pub(super) fn pass_on(&self, event: Result<Arc<Event>, RecvError>) {
        let dropped = match event {
            Ok(event) => {
                let media_session_id = self.claim.id.to_string();
                let reply = Reply::Event { media_session_id, event: Event::clone(&event) };
                u64::from(self.replies.try_send(reply).is_err())
            }
            Err(RecvError::Lagged(count)) => count,
            Err(RecvError::Closed) => 0,
        };
        self.wcs.0.counters.events_dropped.fetch_add(dropped, Relaxed);
    }

    /// Frees the stream's id, and tells the gates and the client how it has ended.
    pub(super) async fn finish(self, seat: Option<Seat>, outcome: Outcome) {
        tracing::info!(
            stream = %seat.as_ref().map_or(&self.asked, |seat| &seat.name), session = %self.client.id, media_session = %self.claim.id, published = self.published,
            info = ?outcome.info, reason = outcome.reason, "a stream of a client is over"
        );
        let mut status = self.status(outcome.status);
        if let Some(seat) = &seat {
            seat.admitted.end_with(Change::to(outcome.status.text()).because(outcome.info.text()));
        }
        (status.info, status.reason) = (Some(outcome.info), outcome.reason);
        let Job { claim, replies, stopped, .. } = self;
        // Who is told that it is over and says that it stops gets its word once more.
        drop((claim, seat, stopped));
        // A client that has gone needs no word.
        let _ = replies.send(Reply::Status(Box::new(status))).await;
    }

    /// Waits until the stream is to stop.
    pub(super) async fn stopped(&self) -> Stop {
        let mut stopped = self.stopped.clone();
        let found = stopped.wait_for(Option::is_some).await.map(|stop| *stop);
        found.ok().flatten().unwrap_or(Stop::Lost)
    }

    /// What it is called when a client stops a stream itself.
    pub(super) fn stopped_outcome(&self, stop: Stop) -> Outcome {
        let info = match stop {
            Stop::User => Info::ByUser,
            Stop::Disconnect | Stop::Lost => Info::ByDisconnect,
        };
        let status = if self.published { Status::Unpublished } else { Status::Stopped };
        Outcome { status, info, reason: None }
    }

    /// What it is called when the session of the media has ended.
    pub(super) fn ended_outcome(&self, ended: &Ended) -> Outcome {
        match ended {
            // A client closes its side together with saying that it stops; which of both comes first is chance.
            Ended::Deleted | Ended::PeerLeft => self.stopped_outcome(Stop::User),
            ended => Outcome::failed(info_of_end(ended, self.published), ended),
        }
    }
}

/// What it is called when the client may not have the stream, or no more.
pub(super) fn refused_outcome(refused: &NotAllowed) -> Outcome {
    let kept_alive = Info::KeepAlive.text() == refused.sentence;
    Outcome::failed(if kept_alive { Info::KeepAlive } else { Info::Restricted }, refused)
}

fn info_of_end(ended: &Ended, published: bool) -> Info {
    match ended {
        Ended::Deleted | Ended::PeerLeft => Info::ByUser,
        Ended::NeverConnected => Info::IceTimeout,
        Ended::Silent | Ended::Replaced => Info::IceKeepAlive,
        Ended::Stream(told) if told == TERMINATED => Info::ByRest,
        Ended::Stream(_) if published => Info::Shutdown,
        Ended::Stream(_) => Info::ByPublisher,
        Ended::Failed(_) => Info::Dtls,
        Ended::Stopping => Info::Shutdown,
        _ => Info::Error,
    }
}

/// How the session of the media has ended, in the words of WCS.
pub(crate) fn info(ended: &Ended, published: bool) -> String {
    info_of_end(ended, published).text()
}

/// Why a name could not be had, in the words of WCS.
pub(crate) fn publish_info(error: &PublishError) -> String {
    match error {
        PublishError::NameTaken { .. } => Info::NameInUse.text(),
        _ => Info::NotAdded.text(),
    }
}

/// What operators' order to stop a stream says.
const TERMINATED: &str = "Stopped by rest /terminate";

/// A session of the media that ends with this, whatever ends this.
pub(super) struct Held(Session);

impl Held {
    pub(super) fn new(session: Session) -> Held {
        Held(session)
    }

    pub(super) fn session(&self) -> &Session {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.has_ended().is_none() {
            let session = self.0.clone();
            tokio::spawn(async move { session.end().await });
        }
    }
}

/// What it is called when too many sessions wait for their peer.
pub(super) fn pending(refused: &Refused) -> Outcome {
    Outcome::failed(Info::NotAdded, format!("{refused}; try again in a few seconds"))
}

/// Leaves the candidates of one transport, unless there would be none.
fn keep_transport(sdp: &str, transport: Transport) -> String {
    let other = match transport {
        Transport::Any => return sdp.to_owned(),
        Transport::Udp => " tcp ",
        Transport::Tcp => " udp ",
    };
    let is_candidate = |line: &str| line.starts_with("a=candidate:");
    let is_kept = |line: &str| is_candidate(line) && !line.contains(other);
    if !sdp.lines().any(is_kept) {
        return sdp.to_owned();
    }
    let kept = sdp.split_inclusive('\n').filter(|line| !is_candidate(line) || is_kept(line));
    kept.collect()
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: &str = "a=candidate:1 1 udp 2130706431 127.0.0.1 8189 typ host\r\n";
    const TCP: &str = "a=candidate:100 1 tcp 1526726655 127.0.0.1 8189 typ host tcptype passive\r\n";

    #[test]
    fn an_answer_has_candidates_of_the_transport_asked_for() {
        let head = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
        let tail = "a=end-of-candidates\r\n";
        let both = format!("{head}{UDP}{TCP}{tail}");
        let only = |candidate: &str| format!("{head}{candidate}{tail}");
        assert_eq!(keep_transport(&both, Transport::Any), both);
        assert_eq!(keep_transport(&both, Transport::Tcp), only(TCP));
        assert_eq!(keep_transport(&both, Transport::Udp), only(UDP));
        assert_eq!(keep_transport(&only(UDP), Transport::Tcp), only(UDP), "no candidate at all would be worse");
    }
}
