//! One viewer, from its request to its end.

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::pin,
    time::Duration,
};

use headwater_access::{Action, Admitted, Asking, Client, Credentials};
use headwater_graph::{Peer, StreamState, Subscription};
use headwater_media::{StreamName, limits};
use headwater_websocket::{Bounds, Ear, Heard, Mouth, Replies};
use http::{HeaderMap, header};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split},
    time::timeout,
};

use crate::{accept::Accept, error::Trouble, from_stream::FromStream, server::WsPlayer, wire::Message};

/// How long a viewer waits for the tracks of a stream that has just begun.
const START_TIME: Duration = Duration::from_secs(10);
/// How long a peer may take to hear the last words.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// Status codes of RFC 6455 §7.4.1.
const NORMAL: u16 = 1000;
const AWAY: u16 = 1001;
const BOUNDS: Bounds = Bounds {
    message_bytes: &limits::WSPLAYER_MESSAGE_BYTES,
    messages_per_second: &limits::WSPLAYER_MESSAGES_PER_SECOND,
};

/// Who watches, and what it asked for.
pub(crate) struct Viewer {
    asked: StreamName,
    peer: Peer,
    client: Client,
    address: IpAddr,
}

impl Viewer {
    pub(crate) fn new(
        asked: StreamName,
        remote: Option<SocketAddr>,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Viewer {
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let mut peer = Peer::new("WSPlayer", format!("wsplayer-{:016x}", rand::random::<u64>()));
        if let Some(remote) = remote {
            peer = peer.with_remote(remote);
        }
        if let Some(user_agent) = text(header::USER_AGENT) {
            peer = peer.with_user_agent(user_agent);
        }
        let credentials = Credentials::of_request(headers, query);
        let mut client = Client { app_key: credentials.app_key(), ..Client::new(peer.clone()) };
        if let Some(origin) = text(header::ORIGIN) {
            client.facts.insert("origin".to_owned(), origin.into());
        }
        let address = remote.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |remote| remote.ip());
        Viewer { asked, peer, client: client.with_credentials(credentials), address }
    }

    pub(crate) fn session(&self) -> &str {
        &self.peer.session
    }

    async fn admit(&self, wsplayer: &WsPlayer) -> Result<Admitted, Trouble> {
        let mut asking = Asking::new(Action::Play, self.asked.clone(), self.session());
        asking.facts.insert("mediaProvider".to_owned(), "WSPlayer".into());
        let admitted = wsplayer.admit(&self.client, asking, self.address).await;
        admitted.map_err(|refused| {
            tracing::info!(stream = %self.asked, session = self.session(), %refused, "a WSPlayer viewer is refused");
            refused.into()
        })
    }

    async fn subscribe(&self, wsplayer: &WsPlayer, name: &StreamName) -> Result<Subscription, Trouble> {
        let subscribed = timeout(START_TIME, wsplayer.hub().subscribe(name, self.peer.clone())).await;
        let subscribed = subscribed.map_err(|_| Trouble::not_ready())?;
        subscribed.map_err(|error| Trouble::of_subscribing(error, &self.asked))
    }
}

/// What ends a session.
enum End {
    /// The viewer has closed it.
    Left,
    /// The viewer went away, or takes nothing more.
    Gone,
    /// The viewer broke a rule.
    Broke(u16, &'static str),
    /// The stream has ended, or the viewer is sent away.
    Over(String),
    /// The viewer gets nothing.
    Failed(Trouble),
    /// The server stops.
    Stopping,
}

/// Talks to one viewer until one of both ends it.
pub(crate) async fn converse<S>(wsplayer: WsPlayer, socket: S, viewer: Viewer, accept: Accept)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (reader, writer) = split(socket);
    let replies = Replies::default();
    let mut mouth = Mouth::new(writer, replies.clone(), &limits::WSPLAYER_QUEUE_BYTES);
    let mut ear = Ear::new(reader, replies, BOUNDS).await;
    let stopping = wsplayer.stopping().clone();
    let begin = async {
        let admitted = viewer.admit(&wsplayer).await?;
        let name = admitted.admission().stream.clone();
        let subscribed = viewer.subscribe(&wsplayer, &name).await;
        subscribed.map(|subscription| (subscription, admitted))
    };
    let begun = tokio::select! {
        begun = begin => begun.map_err(End::Failed),
        end = silence(&mut ear) => Err(end),
        () = stopping.cancelled() => Err(End::Stopping),
    };
    let end = match begun {
        Ok((subscription, admitted)) => {
            tracing::info!(stream = %admitted.admission().stream, session = viewer.session(), remote = ?viewer.peer.remote, "a WSPlayer viewer has come");
            wsplayer.counters().come();
            let end = watch(&wsplayer, subscription, admitted, accept, &mut mouth, &mut ear).await;
            wsplayer.counters().leave();
            tracing::info!(session = viewer.session(), "a WSPlayer viewer has left");
            end
        }
        Err(end) => end,
    };
    farewell(end, &mut mouth, &mut ear).await;
}

/// Hears the viewer until there is nothing more to be heard.
async fn silence<R: AsyncRead + Unpin>(ear: &mut Ear<R>) -> End {
    loop {
        if let Some(end) = end_of(ear.hear().await) {
            return end;
        }
    }
}

fn end_of(heard: Heard) -> Option<End> {
    match heard {
        Heard::Something => None,
        Heard::Left => Some(End::Left),
        Heard::Gone => Some(End::Gone),
        Heard::Broke(code, reason) => Some(End::Broke(code, reason)),
    }
}

async fn watch<S>(
    wsplayer: &WsPlayer,
    subscription: Subscription,
    admitted: Admitted,
    accept: Accept,
    mouth: &mut Mouth<WriteHalf<S>>,
    ear: &mut Ear<ReadHalf<S>>,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = subscription.stream().clone();
    let mut ended = pin!(subscription.ended());
    let mut revoked = pin!(admitted.revoked());
    let mut from = FromStream::new(wsplayer.clone(), subscription, accept);
    let end = loop {
        mouth.take_replies();
        if mouth.is_empty() {
            match from.read(mouth) {
                Ok(()) if from.has_sent() => admitted.flow(&stream),
                Ok(()) => {}
                Err(trouble) => break End::Failed(trouble),
            }
        }
        tokio::select! {
            biased;
            reason = &mut ended => break End::Over(reason),
            refused = &mut revoked => break End::Over(refused.sentence),
            () = wsplayer.stopping().cancelled() => break End::Stopping,
            heard = ear.hear() => if let Some(end) = end_of(heard) {
                break end;
            },
            written = mouth.write(), if !mouth.is_empty() => {
                from.count_sent(mouth.count());
                if written.is_err() {
                    break End::Gone;
                }
            }
            () = from.bell().rung(), if mouth.is_empty() => {}
        }
    };
    if let End::Over(_) = end {
        // What came with the end of the stream.
        let _ = from.read(mouth);
    }
    tell_gates(&admitted, &end, stream.state());
    end
}

fn tell_gates(admitted: &Admitted, end: &End, state: StreamState) {
    match end {
        End::Left => {}
        End::Gone | End::Broke(..) => admitted.disconnect(),
        End::Over(reason) if reason == TERMINATED || state != StreamState::Ended => admitted.fail(reason),
        End::Over(_) => admitted.fail("Stopped by publisher stop"),
        End::Failed(trouble) => admitted.fail(trouble.info),
        End::Stopping => admitted.fail("the server is stopping"),
    }
}

/// What operators' order to stop a stream says.
const TERMINATED: &str = "Stopped by rest /terminate";

/// Says why it is over, and closes (RFC 6455 §7.1.1: the server closes the connection first).
async fn farewell<S>(end: End, mouth: &mut Mouth<WriteHalf<S>>, ear: &mut Ear<ReadHalf<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match &end {
        End::Gone => return,
        End::Left => mouth.close(NORMAL, ""),
        End::Broke(code, reason) => mouth.close(*code, reason),
        End::Over(reason) => {
            mouth.text(&Message::End { reason }.write());
            mouth.close(NORMAL, reason);
        }
        End::Failed(trouble) => {
            mouth.text(&Message::Error { code: trouble.code, message: &trouble.sentence }.write());
            mouth.close(trouble.close_code(), &trouble.sentence);
        }
        End::Stopping => {
            mouth.text(&Message::End { reason: "the server is stopping" }.write());
            mouth.close(AWAY, "the server is stopping");
        }
    }
    let last_words = async {
        mouth.write().await?;
        // The peer answers with its own close frame; what it sent before that is read, lest the words be lost.
        if !matches!(end, End::Left | End::Broke(..)) {
            silence(ear).await;
        }
        mouth.shutdown().await
    };
    if timeout(CLOSE_TIME.min(limits::HTTP_WRITE_MS.get_duration()), last_words).await.is_err() {
        tracing::debug!("a WSPlayer viewer did not answer the close frame");
    }
}
