//! One WebSocket: reads, writes, pings, and ends it when its peer breaks a limit.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use headwater_media::limits::{self, Limit};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    Wcs,
    directory::Line,
    job::Stop,
    session::{Client, Over, Session},
    wire::{Reply, Request},
};

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How long a peer may take to close a connection that this side has ended.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// Why a connection is over.
enum End {
    /// The peer closed it on purpose.
    Left,
    /// The peer went away, or vanished.
    Gone,
    /// Nothing was heard of the peer for too long.
    Silent,
    /// The peer broke a rule.
    Broke(CloseCode, &'static str),
    /// It may not connect.
    Refused,
    /// It carries the media of a stream of a client that has this token.
    Media(String),
    /// The server stops.
    Stopping,
    /// An operator has sent it away.
    Dismissed,
    /// The server is emptied.
    Moved,
}

/// Talks to one client until it leaves; its streams end with it.
pub(super) async fn converse(wcs: Wcs, mut socket: Socket, client: Arc<Client>) {
    let _present = wcs.0.counters.connection();
    let (replies, mut waiting) = mpsc::channel(limits::WCS_QUEUE.get_usize().max(1));
    let mut session = Session::new(wcs.clone(), client.clone(), replies);
    tracing::debug!(session = %client.id, remote = client.remote(), "a session begins");
    let end = talk(&wcs, &mut session, &mut socket, &mut waiting).await;
    let (code, reason) = match end {
        End::Media(token) => return wcs.0.berths.hand_over(&token, socket).await,
        End::Left | End::Gone => (CloseCode::Normal, "closed by the client"),
        End::Silent => (CloseCode::Policy, "nothing was heard for too long, not even an answer to a ping"),
        End::Broke(code, reason) => (code, reason),
        End::Refused => (CloseCode::Policy, "the connection is refused"),
        End::Dismissed => (CloseCode::Normal, "Stopped by rest /terminate"),
        End::Moved => (CloseCode::Restart, "this server is about to stop; come again to be sent to another one"),
        End::Stopping => (CloseCode::Away, "the server is stopping"),
    };
    tracing::debug!(session = %client.id, reason, "a session ends");
    let stop = match end {
        End::Gone | End::Silent => Stop::Lost,
        _ => Stop::Disconnect,
    };
    if matches!(end, End::Left | End::Gone) {
        drop(waiting);
        return session.end(stop).await;
    }
    // Who says nothing is sent nothing more; the words to it are for the case that it hears.
    let session = if matches!(end, End::Silent) {
        session.end(stop).await;
        None
    } else {
        Some(session)
    };
    // What was said to the client before this must still reach it.
    let farewell = async {
        while let Ok(reply) = waiting.try_recv() {
            socket.feed(Message::text(reply.write())).await?;
        }
        socket.close(Some(CloseFrame { code, reason: reason.into() })).await
    };
    let _ = timeout(CLOSE_TIME, farewell).await;
    drop(waiting);
    if let Some(session) = session {
        session.end(stop).await;
    }
}

/// How often a peer is asked whether it is there, and how long it may say nothing.
struct Patience {
    ping: Duration,
    silence: &'static Limit,
}

impl Patience {
    /// What is sent to a browser it may come back to; another server fetches anew from elsewhere within two seconds.
    fn with(client: &Client) -> Patience {
        let ping = limits::WCS_PING_MS.get_duration();
        let (ping, silence) = match client.server {
            None => (ping, &limits::WCS_SILENCE_MS),
            Some(_) => {
                let silence = &limits::WCS_SERVER_SILENCE_MS;
                (ping.min(silence.get_duration() / 4), silence)
            }
        };
        Patience { ping: ping.max(Duration::from_millis(10)), silence }
    }
}

async fn talk(wcs: &Wcs, session: &mut Session, socket: &mut Socket, waiting: &mut mpsc::Receiver<Reply>) -> End {
    let patience = Patience::with(session.client());
    let mut ping = interval_at(Instant::now() + patience.ping, patience.ping);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pace = Pace::new(Instant::now());
    let mut deadline = Instant::now() + limits::WCS_CONNECT_MS.get_duration();
    let line = session.line().clone();
    loop {
        tokio::select! {
            () = line.dismissed.cancelled() => return End::Dismissed,
            () = line.moved.cancelled() => return End::Moved,
            () = wcs.0.stopping.cancelled() => return End::Stopping,
            () = sleep_until(deadline) => return overdue(session, &patience),
            message = socket.next(), if session.listens() => {
                let now = Instant::now();
                if let Err(end) = hear(wcs, session, message, &mut pace, now) {
                    return end;
                }
                if session.is_established() || session.is_deciding() {
                    deadline = now + patience.silence.get_duration();
                }
            }
            reply = waiting.recv() => {
                let Some(reply) = reply else { return End::Gone };
                let text = reply.write();
                note(&line, session.client(), "says", &text);
                if socket.send(Message::text(text)).await.is_err() {
                    return End::Gone;
                }
            }
            over = session.over() => {
                if let Over::Decision(decision) = over
                    && session.decide(decision).is_err()
                {
                    return End::Refused;
                }
            }
            _ = ping.tick() => {
                if socket.send(Message::text(Reply::Ping.write())).await.is_err() {
                    return End::Gone;
                }
            }
        }
    }
}

/// Logs the name and length of a message, where operators want to see them; not what is in it, as there are secrets.
fn note(line: &Line, client: &Client, direction: &str, text: &str) {
    #[derive(serde::Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        message: std::borrow::Cow<'a, str>,
    }
    if line.is_watched() {
        let head = serde_json::from_str::<Head<'_>>(text);
        let name: Option<String> = head.ok().map(|head| head.message.chars().take(64).collect());
        tracing::info!(session = %client.id, direction, message = name, bytes = text.len(), "a watched session");
    }
}

fn overdue(session: &Session, patience: &Patience) -> End {
    if session.is_established() {
        patience.silence.hit();
        return End::Silent;
    }
    limits::WCS_CONNECT_MS.hit();
    End::Broke(CloseCode::Policy, "the message connection did not come in time")
}

fn hear(
    wcs: &Wcs,
    session: &mut Session,
    message: Option<Result<Message, Error>>,
    pace: &mut Pace,
    now: Instant,
) -> Result<(), End> {
    let message = match message {
        Some(Ok(message)) => message,
        Some(Err(Error::Capacity(_))) => {
            limits::WCS_MESSAGE_BYTES.hit();
            return Err(End::Broke(CloseCode::Size, "the message is too large"));
        }
        Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) | None => return Err(End::Gone),
        Some(Err(Error::Protocol(_) | Error::Utf8(_))) => {
            return Err(End::Broke(CloseCode::Protocol, "that is not WebSocket"));
        }
        Some(Err(_)) => return Err(End::Gone),
    };
    if !pace.take(now) {
        limits::WCS_MESSAGES_PER_SECOND.hit();
        return Err(End::Broke(CloseCode::Policy, "too many messages in a second"));
    }
    wcs.0.counters.messages.fetch_add(1, Relaxed);
    let text = match &message {
        Message::Text(text) => text.as_str(),
        Message::Close(frame) => return Err(closed(frame.as_ref())),
        Message::Binary(_) => return Err(End::Broke(CloseCode::Unsupported, "only text is spoken here")),
        // Pings are answered below; a pong is a sign of life, as all else.
        _ => return Ok(()),
    };
    note(session.line(), session.client(), "hears", text);
    match Request::read(text) {
        Ok(Request::MediaTransport(token)) if !session.is_established() => return Err(End::Media(token)),
        Ok(request) => session.take(request),
        Err(error) => {
            wcs.0.counters.malformed.fetch_add(1, Relaxed);
            session.complain("", error.to_string());
        }
    }
    if session.is_choked() {
        limits::WCS_QUEUE.hit();
        return Err(End::Broke(CloseCode::Policy, "the answers are not taken"));
    }
    Ok(())
}

/// A page that calls `close` says no code or 1000; one that is closed or reloaded says 1001 (RFC 6455 §7.4.1).
fn closed(frame: Option<&CloseFrame>) -> End {
    match frame.map(|frame| frame.code) {
        None | Some(CloseCode::Normal | CloseCode::Status) => End::Left,
        Some(_) => End::Gone,
    }
}

/// Counts the messages of a second.
pub(super) struct Pace {
    since: Instant,
    count: u64,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Pace {
        Pace { since: now, count: 0 }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            (self.since, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= limits::WCS_MESSAGES_PER_SECOND.get()
    }
}
