//! One link: a WebSocket between two nodes that have proved themselves.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use headwater_media::limits;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::{Instant, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{
    NodeId,
    cluster::Node,
    guard::{Checked, Malformed},
    hello::{Greeting, Refusal},
    switch::{Link, Outgoing, Unlinked, address_of},
};

/// What a node says that goes.
const GOODBYE: &str = "goodbye";
const CLOSE_TIME: Duration = Duration::from_millis(200);

/// How large messages may be.
pub(crate) fn config() -> WebSocketConfig {
    let bytes = limits::CLUSTER_MESSAGE_BYTES.get_usize();
    WebSocketConfig::default().max_message_size(Some(bytes)).max_frame_size(Some(bytes))
}

/// A link that is open and not yet used.
pub(crate) struct Opened {
    node: Arc<Node>,
    peer: NodeId,
    generation: u64,
    number: u64,
    queue: mpsc::Receiver<Outgoing>,
    end: tokio_util::sync::CancellationToken,
}

impl Opened {
    /// Takes its place among the links of this node.
    pub(crate) fn new(node: &Arc<Node>, greeting: &Greeting, is_dialed: bool) -> Result<Opened, Refusal> {
        let (sender, queue) = mpsc::channel(limits::CLUSTER_QUEUE.get_usize().max(1));
        let link = Link::new(greeting.node.clone(), greeting.generation, is_dialed, sender);
        let end = link.end.clone();
        let added = node.switch.add(link, &node.settings.node);
        let number = added.map_err(|unlinked| match unlinked {
            Unlinked::Doubled => Refusal::Doubled,
            Unlinked::Taken => Refusal::Taken,
        })?;
        tracing::info!(node = %greeting.node, role = %greeting.role, is_dialed, "linked with another node of the cluster");
        let (node, peer, generation) = (node.clone(), greeting.node.clone(), greeting.generation);
        Ok(Opened { node, peer, generation, number, queue, end })
    }

    /// Carries messages both ways until the link ends.
    pub(crate) async fn run<S>(mut self, socket: WebSocketStream<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut sink, mut stream) = socket.split();
        let (end, stopping) = (self.end.clone(), self.node.stopping.clone());
        let (sender, receiver) = mpsc::channel(1);
        let mut queue = std::mem::replace(&mut self.queue, receiver);
        drop(sender);
        let over = tokio::select! {
            over = speak(&mut queue, &mut sink) => over,
            over = self.hear(&mut stream) => over,
            () = end.cancelled() => Over::Replaced,
            () = stopping.cancelled() => Over::Stopping,
        };
        tracing::info!(node = %self.peer, reason = %over, "the link with another node of the cluster has ended");
        let (code, reason) = match over {
            Over::Closed(_) | Over::Gone(_) => return,
            Over::Broke(_) => (CloseCode::Policy, "this is nothing that a node may say"),
            Over::TooLarge => (CloseCode::Size, "the message is too large"),
            Over::TooMany => (CloseCode::Policy, "too many messages in a second"),
            Over::Silent => (CloseCode::Away, "nothing was heard for too long"),
            Over::Replaced => (CloseCode::Normal, "another link takes its place"),
            Over::Stopping | Over::Left => (CloseCode::Away, "the node goes"),
        };
        let farewell = async {
            let _ = sink.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
            // What was sent before the other side's close frame is read, lest the words be lost.
            while let Some(Ok(_)) = stream.next().await {}
        };
        let _ = timeout(CLOSE_TIME, farewell).await;
    }

    async fn hear(&self, stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin)) -> Over {
        let counters = &self.node.switch.counters;
        let mut pace = Pace::new();
        loop {
            let Ok(heard) = timeout(limits::CLUSTER_SILENCE_MS.get_duration(), stream.next()).await else {
                limits::CLUSTER_SILENCE_MS.hit();
                return Over::Silent;
            };
            let over = match heard {
                Some(Ok(message)) => {
                    self.node.switch.hear(&self.peer, self.number);
                    if pace.is_exceeded() { Some(Over::TooMany) } else { self.take(message).await }
                }
                Some(Err(Error::Capacity(_))) => {
                    limits::CLUSTER_MESSAGE_BYTES.hit();
                    counters.oversized.fetch_add(1, Relaxed);
                    Some(Over::TooLarge)
                }
                Some(Err(error)) => Some(Over::of(&error)),
                None => Some(Over::of(&Error::ConnectionClosed)),
            };
            if let Some(over) = over {
                if matches!(over, Over::Broke(_)) {
                    counters.malformed.fetch_add(1, Relaxed);
                }
                return over;
            }
        }
    }

    async fn take(&self, message: Message) -> Option<Over> {
        match message {
            Message::Binary(bytes) => {
                match self.node.guard.check(&bytes) {
                    Ok(Checked::Good) => self.node.switch.deliver(address_of(&self.peer), bytes).await,
                    Ok(Checked::Beyond | Checked::Stale) => {
                        _ = self.node.switch.counters.left_out.fetch_add(1, Relaxed)
                    }
                    Err(Malformed) => return Some(Over::Broke("a message that no node sends".to_owned())),
                }
                None
            }
            Message::Text(text) if text.as_str() == GOODBYE => {
                self.node.hear_goodbye(&self.peer, self.generation);
                None
            }
            Message::Text(_) => Some(Over::Broke("words that no node says".to_owned())),
            Message::Close(frame) => Some(Over::Closed(said(frame.as_ref()))),
            _ => None,
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.node.switch.take_out(&self.peer, self.number);
    }
}

/// Why a link has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Over {
    #[error("the other node has closed it: {0}")]
    Closed(String),
    /// The other node's process has ended, or something between the two has broken the connection.
    #[error("the connection broke without a word: {0}")]
    Gone(String),
    #[error("the other node breaks the protocol: {0}")]
    Broke(String),
    #[error("the other node sent a message that is too large")]
    TooLarge,
    #[error("the other node sent too many messages in a second")]
    TooMany,
    #[error("nothing was heard of the other node for {} ms", limits::CLUSTER_SILENCE_MS.get())]
    Silent,
    #[error("another link takes its place")]
    Replaced,
    #[error("this node stops")]
    Stopping,
    #[error("this node has said goodbye")]
    Left,
}

impl Over {
    /// What a connection that does not go on has come to.
    fn of(error: &Error) -> Over {
        match error {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Over::Gone("it was at its end".to_owned()),
            Error::Protocol(_) | Error::Utf8(_) => Over::Broke(error.to_string()),
            error => Over::Gone(error.to_string()),
        }
    }
}

/// What a node says when it closes a link, of which no more is logged than a line can bear.
fn said(frame: Option<&CloseFrame>) -> String {
    match frame {
        Some(frame) if !frame.reason.is_empty() => frame.reason.chars().take(200).collect(),
        Some(frame) => format!("code {}", u16::from(frame.code)),
        None => "it gives no reason".to_owned(),
    }
}

async fn speak(queue: &mut mpsc::Receiver<Outgoing>, sink: &mut (impl Sink<Message, Error = Error> + Unpin)) -> Over {
    let silence = limits::CLUSTER_SILENCE_MS.get_duration();
    // Often enough that a link that lives is known to, whatever is said over it.
    let mut ping = interval((silence / 8).max(Duration::from_millis(1)));
    loop {
        let (message, is_last) = tokio::select! {
            outgoing = queue.recv() => match outgoing {
                Some(Outgoing::Gossip(bytes)) => (Message::Binary(bytes), false),
                Some(Outgoing::Goodbye) => (Message::text(GOODBYE), true),
                None => return Over::Replaced,
            },
            _ = ping.tick() => (Message::Ping(Bytes::new()), false),
        };
        match timeout(silence, sink.send(message)).await {
            Ok(Ok(())) if is_last => return Over::Left,
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Over::of(&error),
            Err(_) => return Over::Silent,
        }
    }
}

/// Counts messages by the second.
struct Pace {
    since: Instant,
    messages: u64,
}

impl Pace {
    fn new() -> Pace {
        Pace { since: Instant::now(), messages: 0 }
    }

    fn is_exceeded(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Pace::new();
        }
        self.messages = self.messages.saturating_add(1);
        let limit = &limits::CLUSTER_MESSAGES_PER_SECOND;
        let is_exceeded = self.messages > limit.get();
        if is_exceeded {
            limit.hit();
        }
        is_exceeded
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn why_a_link_has_ended_is_told_in_words() {
        let frame = |reason: &'static str| CloseFrame { code: CloseCode::Away, reason: reason.into() };
        let reset = Error::Io(io::ErrorKind::ConnectionReset.into());
        for (over, words) in [
            (Over::of(&Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)), "broke without a word"),
            (Over::of(&reset), "connection reset"),
            (Over::of(&Error::Protocol(ProtocolError::NonZeroReservedBits)), "breaks the protocol"),
            (Over::Closed(said(Some(&frame("the node goes")))), "closed it: the node goes"),
            (Over::Closed(said(Some(&frame("")))), "closed it: code 1001"),
            (Over::Silent, "nothing was heard"),
        ] {
            assert!(over.to_string().contains(words), "{over}");
        }
    }
}
