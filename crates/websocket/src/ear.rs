//! What a viewer says: pings, and that it leaves. Anything else is passed over, within limits.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BufMut;
use futures_util::StreamExt;
use headwater_media::limits::Limit;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::mouth::Replies;

const READ_BUFFER_BYTES: usize = 1 << 10;
/// Answers to pings that wait at most; more comes only from peers that take nothing and go on asking.
const REPLIES_BYTES_MAX: usize = 4 << 10;

/// Why nothing more is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something that needs no answer but perhaps the one that lies in the replies.
    Something,
    /// It has closed the connection on purpose.
    Left,
    /// It went away.
    Gone,
    /// It broke a rule: the status code of RFC 6455 §7.4.1 and the reason.
    Broke(u16, &'static str),
}

/// The hearing half of a WebSocket.
pub struct Ear<R> {
    socket: WebSocketStream<Half<R>>,
    since: Instant,
    messages: u64,
    bounds: Bounds,
}

/// What a viewer may say.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of one message.
    pub message_bytes: &'static Limit,
    /// Messages in a second, pings included.
    pub messages_per_second: &'static Limit,
}

impl<R: AsyncRead + Unpin> Ear<R> {
    /// Hears `reader`; answers to pings are put into the replies.
    pub async fn new(reader: R, replies: Replies, bounds: Bounds) -> Ear<R> {
        let message = bounds.message_bytes.get_usize();
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(message))
            .max_frame_size(Some(message));
        let half = Half { reader, replies };
        let socket = WebSocketStream::from_raw_socket(half, Role::Server, Some(config)).await;
        Ear { socket, since: Instant::now(), messages: 0, bounds }
    }

    /// Waits for the next thing that the viewer says.
    pub async fn hear(&mut self) -> Heard {
        let heard = match self.socket.next().await {
            None => Heard::Gone,
            Some(Ok(Message::Close(_))) => Heard::Left,
            Some(Ok(_)) if self.is_in_pace() => Heard::Something,
            Some(Ok(_)) => {
                self.bounds.messages_per_second.hit();
                Heard::Broke(1008, "there are too many messages in a second")
            }
            Some(Err(Error::Capacity(_))) => {
                self.bounds.message_bytes.hit();
                Heard::Broke(1009, "the message is too long")
            }
            Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => Heard::Gone,
            Some(Err(Error::Protocol(_) | Error::Utf8(_))) => Heard::Broke(1002, "that was no WebSocket frame"),
            Some(Err(_)) => Heard::Gone,
        };
        // A pong is made when the socket is polled again; this does it without waiting for the viewer.
        if heard == Heard::Something {
            let _ = futures_util::SinkExt::flush(&mut self.socket).await;
        }
        heard
    }

    fn is_in_pace(&mut self) -> bool {
        let now = Instant::now();
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            (self.since, self.messages) = (now, 0);
        }
        self.messages = self.messages.saturating_add(1);
        self.messages <= self.bounds.messages_per_second.get()
    }
}

/// Reads from the connection, and leaves what it writes to who writes to the connection.
struct Half<R> {
    reader: R,
    replies: Replies,
}

impl<R: AsyncRead + Unpin> AsyncRead for Half<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buffer)
    }
}

impl<R: Unpin> AsyncWrite for Half<R> {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut replies = self.replies.lock();
        if replies.len() + bytes.len() > REPLIES_BYTES_MAX {
            return Poll::Ready(Err(io::Error::other("the peer asks and does not take the answers")));
        }
        replies.put_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt;
    use headwater_media::limits;

    use super::*;

    const BOUNDS: Bounds =
        Bounds { message_bytes: &limits::MSE_MESSAGE_BYTES, messages_per_second: &limits::MSE_MESSAGES_PER_SECOND };

    async fn check(message: Message, expected: Heard) -> Vec<u8> {
        let (here, there) = tokio::io::duplex(64 << 10);
        let mut client = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
        client.send(message).await.unwrap();
        let replies = Replies::default();
        let mut ear = Ear::new(here, replies.clone(), BOUNDS).await;
        assert_eq!(ear.hear().await, expected);
        drop(ear);
        replies.lock().to_vec()
    }

    #[tokio::test]
    async fn a_ping_is_answered_and_a_word_is_passed_over() {
        assert_eq!(check(Message::Ping(vec![1, 2].into()), Heard::Something).await, [0x8a, 2, 1, 2]);
        assert!(check(Message::text("hello"), Heard::Something).await.is_empty());
    }

    #[tokio::test]
    async fn one_that_leaves_is_known_from_one_that_breaks_rules() {
        check(Message::Close(None), Heard::Left).await;
        let long = Message::binary(vec![0; 40_000]);
        check(long, Heard::Broke(1009, "the message is too long")).await;
        let (here, mut there) = tokio::io::duplex(64);
        let mut ear = Ear::new(here, Replies::default(), BOUNDS).await;
        // A frame of a client that is not masked (RFC 6455 §5.1).
        tokio::io::AsyncWriteExt::write_all(&mut there, &[0x81, 1, b'a']).await.unwrap();
        assert!(matches!(ear.hear().await, Heard::Broke(1002, _)));
        let (here, there) = tokio::io::duplex(64);
        let mut ear = Ear::new(here, Replies::default(), BOUNDS).await;
        drop(there);
        assert_eq!(ear.hear().await, Heard::Gone);
    }

    #[tokio::test]
    async fn one_that_asks_without_end_is_not_heard_to_the_end() {
        let (here, there) = tokio::io::duplex(64 << 10);
        let mut client = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
        for _ in 0..=BOUNDS.messages_per_second.get() {
            client.send(Message::text("again")).await.unwrap();
        }
        let mut ear = Ear::new(here, Replies::default(), BOUNDS).await;
        let mut heard = Heard::Something;
        let mut count = 0;
        while heard == Heard::Something {
            heard = ear.hear().await;
            count += 1;
        }
        assert!(matches!(heard, Heard::Broke(1008, _)) && count > 10, "{heard:?} after {count}");
    }
}
