//! What is sent to one viewer: a bounded queue of WebSocket frames, whose payloads are the bytes in the lane.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use headwater_media::limits::Limit;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;

/// Payloads up to this size are copied together with their heads: one large piece costs less than many small.
const COPY_BELOW: usize = 8 << 10;
/// A piece is not collected beyond this size, and one so large is not kept for the next: whoever has caught up with a
/// group needs no more than a message.
const PIECE_BYTES: usize = 16 << 10;
/// Pieces of one system call.
const SLICES: usize = 16;
/// The head of a frame that is not masked (RFC 6455 §5.2).
const HEAD_BYTES_MAX: usize = 10;
/// The payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// RFC 6455 §5.2.
#[derive(Clone, Copy)]
enum Opcode {
    Text = 1,
    Binary = 2,
    Close = 8,
}

/// Answers to the viewer's pings, which its reader makes and its writer sends between two messages.
pub type Replies = Arc<Mutex<BytesMut>>;

/// The sending half of a WebSocket.
pub struct Mouth<W> {
    writer: W,
    replies: Replies,
    /// The piece that is being collected.
    open: BytesMut,
    ready: VecDeque<Bytes>,
    ready_bytes: usize,
    queue: &'static Limit,
    /// Bytes written and not yet counted by [`Mouth::count`].
    written: usize,
    is_closing: bool,
}

impl<W: AsyncWrite + Unpin> Mouth<W> {
    /// Speaks on `writer`; as much as `queue` says, in bytes, may wait.
    pub fn new(writer: W, replies: Replies, queue: &'static Limit) -> Mouth<W> {
        Mouth {
            writer,
            replies,
            queue,
            open: BytesMut::new(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            written: 0,
            is_closing: false,
        }
    }

    /// Whether all has been handed to the system.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.open.is_empty()
    }

    /// Whether as much waits as may wait.
    pub fn is_full(&self) -> bool {
        self.ready_bytes + self.open.len() >= self.queue.get_usize()
    }

    /// A text message.
    pub fn text(&mut self, text: &str) {
        self.frame_head(Opcode::Text, text.len());
        self.open.put_slice(text.as_bytes());
    }

    /// A binary message in so many parts.
    pub fn binary<'a>(&mut self, parts: impl Iterator<Item = &'a Bytes> + Clone) {
        self.frame_head(Opcode::Binary, parts.clone().map(Bytes::len).sum());
        for part in parts {
            self.part(part);
        }
    }

    /// A binary message that is a head of one's own before bytes that are shared.
    pub fn binary_with_head(&mut self, head: &[u8], payload: &Bytes) {
        self.frame_head(Opcode::Binary, head.len() + payload.len());
        self.open.put_slice(head);
        self.part(payload);
    }

    fn part(&mut self, part: &Bytes) {
        if part.len() < COPY_BELOW {
            self.open.put_slice(part);
            if self.open.len() >= PIECE_BYTES {
                let piece = std::mem::take(&mut self.open).freeze();
                self.push(piece);
            }
        } else {
            self.seal();
            self.push(part.clone());
        }
    }

    /// The close frame, the last that is said (RFC 6455 §5.5.1).
    pub fn close(&mut self, code: u16, reason: &str) {
        let room = CONTROL_BYTES_MAX - size_of::<u16>();
        let reason = reason.get(..reason.floor_char_boundary(room)).unwrap_or_default();
        self.frame_head(Opcode::Close, size_of::<u16>() + reason.len());
        self.open.put_u16(code);
        self.open.put_slice(reason.as_bytes());
        self.is_closing = true;
    }

    /// Answers to pings go between two messages.
    pub fn take_replies(&mut self) {
        let replies = self.replies.lock().split();
        if !replies.is_empty() && !self.is_closing {
            self.open.put_slice(&replies);
        }
    }

    /// How many bytes have been written since the last time.
    pub fn count(&mut self) -> usize {
        std::mem::take(&mut self.written)
    }

    /// Writes all that waits. What has been written stays so when this is dropped before its end.
    pub async fn write(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write(cx)).await
    }

    /// Ends the connection.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.writer).poll_shutdown(cx)).await
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seal();
        while !self.ready.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.ready) {
                *slice = IoSlice::new(piece);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            match ready!(Pin::new(&mut self.writer).poll_write_vectored(cx, slices))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
        }
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn advance(&mut self, mut written: usize) {
        self.written += written;
        self.ready_bytes = self.ready_bytes.saturating_sub(written);
        while written > 0 {
            let Some(piece) = self.ready.front_mut() else { return };
            let part = piece.len().min(written);
            piece.advance(part);
            written -= part;
            if piece.is_empty() {
                self.ready.pop_front();
            }
        }
    }

    fn seal(&mut self) {
        let piece = self.open.split().freeze();
        self.push(piece);
    }

    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.ready_bytes += piece.len();
            self.ready.push_back(piece);
        }
    }

    /// A whole message in one frame, unmasked, as servers send it (RFC 6455 §5.1, §5.2).
    fn frame_head(&mut self, opcode: Opcode, length: usize) {
        // Once for all that is copied, and not for each part of it.
        self.open.reserve(HEAD_BYTES_MAX + length.min(COPY_BELOW));
        self.open.put_u8(0x80 | opcode as u8);
        match length {
            0..=125 => self.open.put_u8(length as u8),
            126..=0xffff => {
                self.open.put_u8(126);
                self.open.put_u16(length as u16);
            }
            _ => {
                self.open.put_u8(127);
                self.open.put_u64(length as u64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use headwater_media::limits;
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol::Role},
    };

    use super::*;

    static HEAD: Bytes = Bytes::from_static(&[7; 20]);

    #[tokio::test]
    async fn messages_of_every_length_arrive_whole_and_in_order() {
        let (here, there) = tokio::io::duplex(1_000);
        let mut mouth = Mouth::new(here, Replies::default(), &limits::MSE_QUEUE_BYTES);
        let lengths = [0, 1, 80, 105, 106, 8_191, 8_192, 65_515, 65_516, 300_000];
        let payloads: Vec<Bytes> = lengths.iter().map(|length| Bytes::from(vec![*length as u8; *length])).collect();
        let sent = payloads.clone();
        let sender = async move {
            for payload in &sent {
                mouth.binary([&HEAD, payload].into_iter());
                mouth.text("and");
            }
            mouth.binary_with_head(b"head", &sent[3]);
            mouth.close(4404, &"é".repeat(80));
            mouth.write().await.unwrap();
            mouth.count()
        };
        let receiver = async {
            let mut socket = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
            for payload in &payloads {
                let message = socket.next().await.unwrap().unwrap().into_data();
                assert_eq!((&message[..20], &message[20..]), (&HEAD[..], &payload[..]));
                assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("and"));
            }
            let message = socket.next().await.unwrap().unwrap().into_data();
            assert_eq!((&message[..4], &message[4..]), (&b"head"[..], &payloads[3][..]));
            let Some(Ok(Message::Close(Some(close)))) = socket.next().await else { panic!("no close frame") };
            assert_eq!((u16::from(close.code), close.reason.as_str()), (4404, &*"é".repeat(61)));
        };
        let (written, ()) = tokio::join!(sender, receiver);
        assert!(written > lengths.iter().sum::<usize>());
    }

    #[tokio::test]
    async fn a_viewer_who_has_caught_up_keeps_no_more_than_a_message() {
        let (here, _there) = tokio::io::duplex(1 << 20);
        let mut mouth = Mouth::new(here, Replies::default(), &limits::MSE_QUEUE_BYTES);
        let part = Bytes::from(vec![1; COPY_BELOW - 1]);
        while !mouth.is_full() {
            mouth.binary([&HEAD, &part].into_iter());
        }
        mouth.write().await.unwrap();
        mouth.binary([&HEAD, &part].into_iter());
        // What it has room for without asking for memory again.
        mouth.write().await.unwrap();
        while mouth.open.try_reclaim(mouth.open.capacity() + 1) {}
        assert!(mouth.open.capacity() <= 2 * PIECE_BYTES, "{} bytes are kept", mouth.open.capacity());
    }

    #[tokio::test]
    async fn the_bytes_of_a_large_part_are_not_copied() {
        let (here, _there) = tokio::io::duplex(64);
        let mut mouth = Mouth::new(here, Replies::default(), &limits::MSE_QUEUE_BYTES);
        let payload = Bytes::from(vec![1; 100_000]);
        mouth.binary([&HEAD, &payload].into_iter());
        assert!(mouth.ready.iter().any(|piece| piece.as_ptr() == payload.as_ptr()));
        assert!(!mouth.is_full());
        mouth.binary([&HEAD, &payload].into_iter());
        mouth.binary([&HEAD, &payload].into_iter());
        assert!(mouth.is_full());
    }
}
