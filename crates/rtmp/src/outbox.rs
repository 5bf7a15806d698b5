//! What is to be written to one peer: chunk headers of its own, and payloads shared with everyone.
//!
//! ```text
//!  headers  [hdr|prefix][C6][hdr|prefix] ...      one growing buffer, reused
//!  parts     ▲  payload  ▲ payload  ▲ payload     slices of the frames in the lane, not copied
//! ```
//!
//! Frames after the first go with the time since the one before (chunk type 1), which never needs an extended
//! timestamp. In the steady state nothing is allocated.

use std::io::IoSlice;

use bytes::{BufMut, Bytes};
use headwater_flv::Prefix;
use headwater_media::TrackKind;

use crate::{
    from_stream::Sink,
    wire::{
        Message, MessageKind,
        chunk::{self, MessageHeader, Time},
    },
};

/// As much is collected for one write.
const FULL_BYTES: usize = 256 << 10;
/// And as many parts: what one `writev` takes.
const FULL_PARTS: usize = SLICES_MAX - 32;
/// Most parts of one `writev`.
pub(crate) const SLICES_MAX: usize = 128;
/// Payloads below this are copied behind their headers: that costs less than to share them.
const COPY_BELOW: usize = 1_024;
/// Buffers beyond this are not kept for reuse.
const KEPT_BYTES: usize = 64 << 10;

/// A step of so many milliseconds does not fit the timestamp field.
pub(crate) const DELTA_END: u32 = 0xff_ffff;

/// The header of a message of media.
pub(crate) fn media_header(kind: TrackKind, stream: u32, length: usize, time: Time) -> MessageHeader {
    let (chunk_stream, kind) = match kind {
        TrackKind::Audio => (chunk::AUDIO, MessageKind::Audio),
        TrackKind::Video => (chunk::VIDEO, MessageKind::Video),
    };
    MessageHeader { chunk_stream, kind, stream, length: u32::try_from(length).unwrap_or(u32::MAX), time }
}

/// Bytes to be written to one peer, in order.
pub(crate) struct Outbox {
    chunk_size: u32,
    stream: u32,
    headers: Vec<u8>,
    parts: Vec<Part>,
    /// The part to go on with, and how much of it has been written.
    next: (usize, usize),
    pending: usize,
    /// Last timestamp on the chunk streams of sound and of pictures.
    last_audio: Option<u32>,
    last_video: Option<u32>,
}

enum Part {
    Header { from: usize, to: usize },
    Payload(Bytes),
}

impl Outbox {
    pub(crate) fn new(chunk_size: u32, stream: u32) -> Outbox {
        Outbox {
            chunk_size,
            stream,
            headers: Vec::new(),
            parts: Vec::new(),
            next: (0, 0),
            pending: 0,
            last_audio: None,
            last_video: None,
        }
    }

    /// An outbox that goes on where others have sent so far: with the rest of their last write, and the timestamps
    /// that the chunk streams have come to.
    pub(crate) fn resume(
        chunk_size: u32,
        stream: u32,
        timestamps: impl Iterator<Item = (TrackKind, u32)>,
        rest: Bytes,
    ) -> Outbox {
        let mut outbox = Outbox::new(chunk_size, stream);
        for (kind, timestamp) in timestamps {
            *outbox.last(kind) = Some(timestamp);
        }
        if !rest.is_empty() {
            outbox.push(rest);
        }
        outbox
    }

    /// Whether the chunk stream of a kind has come to this timestamp.
    pub(crate) fn has_come_to(&self, kind: TrackKind, timestamp: u32) -> bool {
        let last = match kind {
            TrackKind::Audio => self.last_audio,
            TrackKind::Video => self.last_video,
        };
        last == Some(timestamp)
    }

    fn last(&mut self, kind: TrackKind) -> &mut Option<u32> {
        match kind {
            TrackKind::Audio => &mut self.last_audio,
            TrackKind::Video => &mut self.last_video,
        }
    }

    /// Appends bytes that are chunks already.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.pending += bytes.len();
        self.parts.push(Part::Payload(bytes));
    }

    /// How many bytes are still to be written.
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// How many parts are still to be written.
    pub(crate) fn parts(&self) -> usize {
        self.parts.len().saturating_sub(self.next.0)
    }

    /// Fills in what is to be written next; says how many slices that are.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let (first, written) = self.next;
        let mut skip = written;
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(self.parts.iter().skip(first)) {
            let bytes = self.bytes(part).get(std::mem::take(&mut skip)..).unwrap_or_default();
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    /// Takes note that so many bytes have been written.
    pub(crate) fn advance(&mut self, mut count: usize) {
        self.pending = self.pending.saturating_sub(count);
        while let Some(part) = self.parts.get(self.next.0) {
            let left = self.bytes(part).len().saturating_sub(self.next.1);
            if count < left {
                self.next.1 += count;
                return;
            }
            count -= left;
            self.next = (self.next.0 + 1, 0);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.parts.clear();
        self.headers.clear();
        self.headers.shrink_to(KEPT_BYTES);
        self.next = (0, 0);
    }

    fn bytes<'a>(&'a self, part: &'a Part) -> &'a [u8] {
        match part {
            Part::Header { from, to } => self.headers.get(*from..*to).unwrap_or_default(),
            Part::Payload(bytes) => bytes,
        }
    }

    fn header(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.headers.len();
        write(&mut self.headers);
        let end = self.headers.len();
        self.pending += end - start;
        match self.parts.last_mut() {
            // One slice for what lies together.
            Some(Part::Header { to, .. }) if *to == start => *to = end,
            _ => self.parts.push(Part::Header { from: start, to: end }),
        }
    }

    /// Cuts a message into chunks.
    fn message(&mut self, header: MessageHeader, prefix: &[u8], payload: &Bytes) {
        if payload.len() < COPY_BELOW.min((self.chunk_size as usize).saturating_sub(prefix.len())) {
            return self.header(|headers| {
                header.write(headers);
                headers.put_slice(prefix);
                headers.put_slice(payload);
            });
        }
        self.header(|headers| {
            header.write(headers);
            headers.put_slice(prefix);
        });
        let chunk = self.chunk_size as usize;
        let mut room = chunk.saturating_sub(prefix.len());
        let mut rest = payload.clone();
        while rest.len() > room {
            self.push(rest.split_to(room));
            self.header(|headers| header.write_continuation(headers));
            room = chunk;
        }
        if !rest.is_empty() {
            self.push(rest);
        }
    }
}

impl Sink for Outbox {
    fn metadata(&mut self, body: Bytes) {
        let message = Message { kind: MessageKind::Data0, stream: self.stream, timestamp: 0, payload: body };
        let mut chunks = bytes::BytesMut::new();
        chunk::write_message(&message, chunk::DATA, self.chunk_size, &mut chunks);
        self.push(chunks.freeze());
    }

    fn media(&mut self, kind: TrackKind, timestamp: u32, prefix: &Prefix, payload: &Bytes) {
        let last = self.last(kind).replace(timestamp);
        let step = last.map(|last| timestamp.wrapping_sub(last)).filter(|step| *step < DELTA_END);
        let time = step.map_or(Time::Absolute(timestamp), Time::Delta);
        let header = media_header(kind, self.stream, prefix.len().saturating_add(payload.len()), time);
        self.message(header, prefix, payload);
    }

    fn is_full(&self) -> bool {
        self.pending >= FULL_BYTES || self.parts.len() >= FULL_PARTS
    }
}

#[cfg(test)]
mod tests;
