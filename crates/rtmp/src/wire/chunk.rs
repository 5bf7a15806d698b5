//! Chunk headers, as they are written.
//!
//! Source: Adobe RTMP 1.0 §5.3.1.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Message, MessageKind};

/// Chunk size of both directions before anyone says otherwise.
pub const DEFAULT_CHUNK_SIZE: u32 = 128;
/// Chunk stream of protocol control messages and user control.
pub const CONTROL: u8 = 2;
/// Chunk stream that we send commands on.
pub const COMMAND: u8 = 3;
/// Chunk stream that we send sound on.
pub const AUDIO: u8 = 4;
/// Chunk stream that we send metadata on.
pub const DATA: u8 = 5;
/// Chunk stream that we send pictures on.
pub const VIDEO: u8 = 6;

/// From here on a timestamp field says only that the real value follows.
pub(super) const EXTENDED: u32 = 0xff_ffff;

/// A message's timestamp, as its first chunk gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// As such.
    Absolute(u32),
    /// As what has passed since the message before it on the same chunk stream, which must have been of the
    /// same message stream.
    Delta(u32),
}

impl Time {
    fn field(self) -> u32 {
        match self {
            Time::Absolute(value) | Time::Delta(value) => value,
        }
    }
}

/// What the header of a message's first chunk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// One of the chunk streams of two to 63.
    pub chunk_stream: u8,
    /// What the message is.
    pub kind: MessageKind,
    /// The message stream.
    pub stream: u32,
    /// Length of the payload in bytes.
    pub length: u32,
    /// Its timestamp.
    pub time: Time,
}

impl MessageHeader {
    /// Writes the header of the first chunk: type 0 for an absolute timestamp, type 1 for a delta.
    pub fn write(&self, out: &mut impl BufMut) {
        let id = self.chunk_stream & 0x3f;
        let [_, t0, t1, t2] = self.time.field().min(EXTENDED).to_be_bytes();
        let [_, l0, l1, l2] = self.length.to_be_bytes();
        let kind = self.kind.number();
        match self.time {
            Time::Absolute(_) => {
                let [s0, s1, s2, s3] = self.stream.to_le_bytes();
                out.put_slice(&[id, t0, t1, t2, l0, l1, l2, kind, s0, s1, s2, s3]);
            }
            Time::Delta(_) => out.put_slice(&[0x40 | id, t0, t1, t2, l0, l1, l2, kind]),
        }
        self.write_extended(out);
    }

    /// Writes the header of each further chunk: type 3, with the extended timestamp repeated if there is one.
    pub fn write_continuation(&self, out: &mut impl BufMut) {
        out.put_u8(0xc0 | self.chunk_stream & 0x3f);
        self.write_extended(out);
    }

    fn write_extended(&self, out: &mut impl BufMut) {
        if self.time.field() >= EXTENDED {
            out.put_u32(self.time.field());
        }
    }
}

/// Writes a whole message as chunks, copying its payload; for everything but media.
pub fn write_message(message: &Message, chunk_stream: u8, chunk_size: u32, out: &mut BytesMut) {
    let header = MessageHeader {
        chunk_stream,
        kind: message.kind,
        stream: message.stream,
        length: u32::try_from(message.payload.len()).unwrap_or(u32::MAX),
        time: Time::Absolute(message.timestamp),
    };
    header.write(out);
    let mut first = true;
    for piece in pieces(&message.payload, chunk_size) {
        if !std::mem::take(&mut first) {
            header.write_continuation(out);
        }
        out.put_slice(&piece);
    }
}

fn pieces(payload: &Bytes, chunk_size: u32) -> impl Iterator<Item = Bytes> {
    let mut rest = payload.clone();
    std::iter::from_fn(move || {
        let next = rest.split_to(rest.len().min(chunk_size.max(1) as usize));
        (!next.is_empty()).then_some(next)
    })
}
