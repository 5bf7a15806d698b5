//! Chunk headers, as they are read.

use std::time::Instant;

use bytes::{Buf, BytesMut};
use headwater_media::limits;

use super::{ChunkReader, ChunkStream, OpenChunk};
use crate::wire::{MessageKind, WireError, chunk::EXTENDED};

impl ChunkReader {
    /// Reads the header of the next chunk; `None` when it has not arrived whole. Nothing changes then.
    pub(super) fn open_chunk(&mut self, input: &mut BytesMut, now: Instant) -> Result<Option<OpenChunk>, WireError> {
        let mut cursor: &[u8] = input;
        let Some((format, id)) = read_basic(&mut cursor) else { return Ok(None) };
        let known = self.streams.iter().position(|stream| stream.id == id);
        // Some senders begin a chunk stream with type 1; types 2 and 3 do not even tell the kind of message.
        if known.is_none() && format >= 2 {
            return Err(WireError::NoEarlierMessage(id));
        }
        let earlier = known.and_then(|index| self.streams.get(index));
        let Some(fields) = Fields::read(format, &mut cursor, earlier) else { return Ok(None) };
        let consumed = input.len().saturating_sub(cursor.len());
        input.advance(consumed);
        let index = match known {
            Some(index) => index,
            None => self.add_stream(id)?,
        };
        if fields.starts_message {
            self.drop_partial(index);
        }
        self.begin(index, fields, now).map(Some)
    }

    fn begin(&mut self, index: usize, fields: Fields, now: Instant) -> Result<OpenChunk, WireError> {
        let Some(stream) = self.streams.get_mut(index) else {
            return Err(WireError::Malformed("chunk"));
        };
        if fields.starts_message {
            fields.apply(stream);
            let limit = stream.kind.limit();
            if stream.length as u64 > limit.get() {
                limit.hit();
                return Err(WireError::Limit("length of a message"));
            }
            stream.begun = true;
        }
        let left = stream.length.saturating_sub(stream.body.len()).min(self.chunk_size);
        self.tiny.count(left, now)?;
        let chunk = OpenChunk { index, left };
        self.open = Some(chunk);
        Ok(chunk)
    }

    fn add_stream(&mut self, id: u32) -> Result<usize, WireError> {
        if self.streams.len() >= limits::RTMP_CHUNK_STREAMS.get_usize() {
            limits::RTMP_CHUNK_STREAMS.hit();
            return Err(WireError::Limit("number of chunk streams"));
        }
        self.streams.push(ChunkStream {
            id,
            kind: MessageKind::Other(0),
            stream: 0,
            length: 0,
            timestamp: 0,
            delta: 0,
            extended: None,
            body: BytesMut::new(),
            begun: false,
        });
        Ok(self.streams.len() - 1)
    }
}

/// Format and chunk stream id, in one to three bytes.
fn read_basic(cursor: &mut &[u8]) -> Option<(u8, u32)> {
    let first = cursor.try_get_u8().ok()?;
    let id = match first & 0x3f {
        0 => u32::from(cursor.try_get_u8().ok()?) + 64,
        1 => u32::from(cursor.try_get_u16_le().ok()?) + 64,
        id => u32::from(id),
    };
    Some((first >> 6, id))
}

/// What a chunk header changes; what it leaves out stays as it was.
struct Fields {
    starts_message: bool,
    time: Option<TimeField>,
    message: Option<(usize, MessageKind)>,
    stream: Option<u32>,
}

struct TimeField {
    absolute: bool,
    value: u32,
    extended: bool,
}

impl Fields {
    fn read(format: u8, cursor: &mut &[u8], earlier: Option<&ChunkStream>) -> Option<Fields> {
        if format == 3 {
            let earlier = earlier?;
            skip_repeated_timestamp(cursor, earlier)?;
            return Some(Fields { starts_message: !earlier.begun, time: None, message: None, stream: None });
        }
        let mut value = read_u24(cursor)?;
        let message = match format {
            0 | 1 => {
                let length = read_u24(cursor)? as usize;
                Some((length, MessageKind::from_number(cursor.try_get_u8().ok()?)))
            }
            _ => None,
        };
        let stream = match format {
            0 => Some(cursor.try_get_u32_le().ok()?),
            _ => None,
        };
        let extended = value == EXTENDED;
        if extended {
            // In types 1 and 2 this is a delta, like the field that it stands in for.
            value = cursor.try_get_u32().ok()?;
        }
        let time = Some(TimeField { absolute: format == 0, value, extended });
        Some(Fields { starts_message: true, time, message, stream })
    }

    fn apply(&self, stream: &mut ChunkStream) {
        match &self.time {
            // A message that begins with type 3 repeats the last delta; after a type 0, its timestamp is the delta.
            None => stream.timestamp = stream.timestamp.wrapping_add(stream.delta),
            Some(time) => {
                let before = if time.absolute { 0 } else { stream.timestamp };
                stream.timestamp = before.wrapping_add(time.value);
                stream.delta = time.value;
                stream.extended = time.extended.then_some(time.value);
            }
        }
        if let Some((length, kind)) = self.message {
            stream.length = length;
            stream.kind = kind;
        }
        if let Some(id) = self.stream {
            stream.stream = id;
        }
    }
}

/// Passes over the extended timestamp that a type 3 chunk repeats, if it does: some senders leave it out, so that
/// only bytes that are the known value are taken for it. `None` when too little has arrived to tell.
fn skip_repeated_timestamp(cursor: &mut &[u8], stream: &ChunkStream) -> Option<()> {
    let Some(field) = stream.extended else { return Some(()) };
    let next = stream.timestamp.wrapping_add(stream.delta);
    let candidates = [field, stream.timestamp, if stream.begun { field } else { next }];
    let seen = cursor.get(..cursor.len().min(4)).unwrap_or_default();
    if !candidates.iter().any(|value| value.to_be_bytes().starts_with(seen)) {
        return Some(());
    }
    cursor.try_get_u32().ok().map(drop)
}

fn read_u24(cursor: &mut &[u8]) -> Option<u32> {
    cursor.try_get_uint(3).ok().map(|value| value as u32)
}
