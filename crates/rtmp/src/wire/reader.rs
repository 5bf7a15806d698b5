//! Chunks -> messages.
//!
//! Source: Adobe RTMP 1.0 §5.3.1.

mod header;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use headwater_media::limits;

use super::{Message, MessageKind, WireError, chunk::DEFAULT_CHUNK_SIZE};

/// Messages up to this size are copied out of the read buffer, so that a small frame that is kept for long does
/// not keep a large buffer alive.
const COPY_BELOW: usize = 4_096;
/// Chunks below this size count against RTMP_TINY_CHUNKS.
const TINY: usize = 64;
/// Messages cannot be longer than this, so neither need chunks be.
const CHUNK_SIZE_MAX: u32 = 0xff_ffff;

/// Puts messages together from the chunks of one direction of a connection.
///
/// Memory follows what has arrived, never what was announced.
#[derive(Debug)]
pub struct ChunkReader {
    chunk_size: usize,
    streams: Vec<ChunkStream>,
    /// The chunk whose payload is being read.
    open: Option<OpenChunk>,
    /// Bytes of all messages begun and not ended.
    partial: usize,
    tiny: TinyChunks,
}

#[derive(Clone, Copy, Debug)]
struct OpenChunk {
    index: usize,
    left: usize,
}

/// What is known of a chunk stream, which later chunks may refer to.
#[derive(Debug)]
struct ChunkStream {
    id: u32,
    kind: MessageKind,
    stream: u32,
    length: usize,
    timestamp: u32,
    delta: u32,
    /// The extended field of the last header that had one.
    extended: Option<u32>,
    body: BytesMut,
    begun: bool,
}

#[derive(Debug, Default)]
struct TinyChunks {
    since: Option<Instant>,
    count: u64,
}

impl Default for ChunkReader {
    fn default() -> ChunkReader {
        ChunkReader {
            chunk_size: DEFAULT_CHUNK_SIZE as usize,
            streams: Vec::new(),
            open: None,
            partial: 0,
            tiny: TinyChunks::default(),
        }
    }
}

impl ChunkReader {
    /// A reader at the start of a connection, after the handshake.
    pub fn new() -> ChunkReader {
        ChunkReader::default()
    }

    /// Obeys a Set Chunk Size of the peer.
    ///
    /// # Errors
    /// The size is zero or has its top bit set.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), WireError> {
        if size == 0 || size > i32::MAX as u32 {
            return Err(WireError::ChunkSize(size));
        }
        self.chunk_size = size.min(CHUNK_SIZE_MAX) as usize;
        Ok(())
    }

    /// Obeys an Abort of the peer: drops what has come of the message on that chunk stream.
    pub fn abort(&mut self, chunk_stream: u32) {
        if let Some(index) = self.streams.iter().position(|stream| stream.id == chunk_stream) {
            self.drop_partial(index);
        }
    }

    /// Takes bytes off the input until a message is whole; `None` when more input is needed.
    ///
    /// A payload that lies in the input as one piece is handed out without copying.
    ///
    /// # Errors
    /// The chunks break the protocol or a limit; the connection cannot be read on.
    pub fn read(&mut self, input: &mut BytesMut, now: Instant) -> Result<Option<Message>, WireError> {
        loop {
            let chunk = match self.open {
                Some(chunk) => chunk,
                None => match self.open_chunk(input, now)? {
                    Some(chunk) => chunk,
                    None => return Ok(None),
                },
            };
            match self.read_payload(chunk, input)? {
                Payload::Message(message) => return Ok(Some(message)),
                Payload::ChunkEnds => {}
                Payload::NeedsInput => return Ok(None),
            }
        }
    }

    fn read_payload(&mut self, chunk: OpenChunk, input: &mut BytesMut) -> Result<Payload, WireError> {
        let Some(stream) = self.streams.get_mut(chunk.index) else {
            return Err(WireError::Malformed("chunk"));
        };
        let length = stream.length;
        if stream.body.is_empty() && chunk.left >= length && input.len() >= length {
            let payload = take(input, length);
            return Ok(self.message(chunk.index, payload));
        }
        let count = chunk.left.min(input.len());
        if self.partial.saturating_add(count) > limits::RTMP_PARTIAL_BYTES.get_usize() {
            limits::RTMP_PARTIAL_BYTES.hit();
            return Err(WireError::Limit("messages begun and not ended"));
        }
        stream.body.extend_from_slice(&input.split_to(count));
        self.partial += count;
        if stream.body.len() >= length {
            let payload = std::mem::take(&mut stream.body).freeze();
            self.partial = self.partial.saturating_sub(payload.len());
            return Ok(self.message(chunk.index, payload));
        }
        let left = chunk.left - count;
        self.open = (left > 0).then_some(OpenChunk { left, ..chunk });
        Ok(if left > 0 { Payload::NeedsInput } else { Payload::ChunkEnds })
    }

    fn message(&mut self, index: usize, payload: Bytes) -> Payload {
        self.open = None;
        match self.streams.get_mut(index) {
            None => Payload::ChunkEnds,
            Some(stream) => {
                stream.begun = false;
                Payload::Message(Message {
                    kind: stream.kind,
                    stream: stream.stream,
                    timestamp: stream.timestamp,
                    payload,
                })
            }
        }
    }

    fn drop_partial(&mut self, index: usize) {
        if let Some(stream) = self.streams.get_mut(index) {
            self.partial = self.partial.saturating_sub(stream.body.len());
            stream.body = BytesMut::new();
            stream.begun = false;
        }
    }
}

enum Payload {
    Message(Message),
    ChunkEnds,
    NeedsInput,
}

fn take(input: &mut BytesMut, length: usize) -> Bytes {
    let payload = input.split_to(length);
    if length < COPY_BELOW { Bytes::copy_from_slice(&payload) } else { payload.freeze() }
}

impl TinyChunks {
    /// Counts a chunk; too many tiny ones in a second cost more to decode than they carry.
    fn count(&mut self, size: usize, now: Instant) -> Result<(), WireError> {
        if size >= TINY {
            return Ok(());
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= Duration::from_secs(1) {
            *self = TinyChunks { since: Some(now), count: 0 };
        }
        self.count += 1;
        if self.count > limits::RTMP_TINY_CHUNKS.get() {
            limits::RTMP_TINY_CHUNKS.hit();
            return Err(WireError::Limit("chunks of less than 64 bytes in a second"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
