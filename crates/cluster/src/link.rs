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
        tracing::info!(node = %self.peer, ?over, "the link with another node of the cluster has ended");
        let (code, reason) = match over {
            Over::Gone => return,
            Over::Broke(Malformed) => (CloseCode::Policy, "this is nothing that a node may say"),
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
                Some(Err(Error::Protocol(_) | Error::Utf8(_))) => Some(Over::Broke(Malformed)),
                Some(Err(_)) | None => Some(Over::Gone),
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
                    Ok(Checked::Beyond) => _ = self.node.switch.counters.left_out.fetch_add(1, Relaxed),
                    Err(malformed) => return Some(Over::Broke(malformed)),
                }
                None
            }
            Message::Text(text) if text.as_str() == GOODBYE => {
                self.node.hear_goodbye(&self.peer, self.generation);
                None
            }
            Message::Text(_) => Some(Over::Broke(Malformed)),
            Message::Close(_) => Some(Over::Gone),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// The other side went, or the connection broke.
    Gone,
    Broke(Malformed),
    TooLarge,
    TooMany,
    Silent,
    Replaced,
    Stopping,
    /// This node has said goodbye.
    Left,
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
            Ok(Err(_)) => return Over::Gone,
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
