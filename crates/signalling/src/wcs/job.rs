//! What publishing and playing have in common: who asked for what, and how it is told what becomes of it.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

use headwater_graph::Peer;
use headwater_media::StreamName;
use headwater_net::Refused;
use headwater_webrtc::{Ended, Session};
use tokio::sync::{broadcast::error::RecvError, mpsc, watch};

use super::{
    Claim, Wcs,
    audience::Place,
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

/// One stream that a client publishes or plays.
pub(super) struct Job {
    pub(super) wcs: Wcs,
    pub(super) client: Arc<Client>,
    pub(super) connection: Arc<Connection>,
    pub(super) request: StreamRequest,
    pub(super) published: bool,
    pub(super) name: StreamName,
    pub(super) place: Place,
    pub(super) claim: Claim,
    pub(super) stopped: watch::Receiver<Option<Stop>>,
    pub(super) replies: mpsc::Sender<Reply>,
    pub(super) since: SystemTime,
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
    /// The peer as operators see it: by the id that its client knows it by.
    pub(super) fn peer(&self) -> Peer {
        let peer = Peer::new("WebRTC", &*self.claim.id);
        let peer = match self.client.remote {
            Some(remote) => peer.with_remote(remote),
            None => peer,
        };
        match &self.client.user_agent {
            Some(user_agent) => peer.with_user_agent(user_agent),
            None => peer,
        }
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

    /// Frees the stream's id, and tells the client how it has ended.
    pub(super) async fn finish(self, outcome: Outcome) {
        tracing::info!(
            stream = %self.name, media_session = %self.claim.id, published = self.published,
            info = ?outcome.info, reason = outcome.reason, "a stream of a client is over"
        );
        let mut status = self.status(outcome.status);
        (status.info, status.reason) = (Some(outcome.info), outcome.reason);
        let Job { claim, place, replies, .. } = self;
        drop((claim, place));
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
        let reason = ended.to_string();
        match ended {
            // A client closes its side together with saying that it stops; which of both comes first is chance.
            Ended::Deleted | Ended::PeerLeft => self.stopped_outcome(Stop::User),
            Ended::NeverConnected => Outcome::failed(Info::IceTimeout, reason),
            Ended::Silent | Ended::Replaced => Outcome::failed(Info::IceKeepAlive, reason),
            Ended::Stream(told) if told == TERMINATED => Outcome::failed(Info::ByRest, reason),
            Ended::Stream(_) if self.published => Outcome::failed(Info::Shutdown, reason),
            Ended::Stream(_) => Outcome::failed(Info::ByPublisher, reason),
            Ended::Failed(_) => Outcome::failed(Info::Dtls, reason),
            Ended::Stopping => Outcome::failed(Info::Shutdown, reason),
            _ => Outcome::failed(Info::Error, reason),
        }
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
