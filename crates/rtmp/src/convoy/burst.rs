//! Messages of media, written once for all players of a convoy.

use bytes::{BufMut, Bytes, BytesMut};
use headwater_flv::Prefix;
use headwater_media::TrackKind;

use crate::{
    from_stream::Sink,
    outbox::{DELTA_END, media_header},
    wire::chunk::Time,
};

/// As much is collected for one write.
const FULL_BYTES: usize = 256 << 10;

/// Messages that are the same for everyone, in one piece of memory, as every message says only how much later it is
/// than the one before.
pub(super) struct Burst {
    chunk_size: usize,
    stream: u32,
    bytes: BytesMut,
    last_audio: u32,
    last_video: u32,
}

impl Burst {
    pub(super) fn new(chunk_size: u32, stream: u32) -> Burst {
        let chunk_size = chunk_size.max(1) as usize;
        Burst { chunk_size, stream, bytes: BytesMut::new(), last_audio: 0, last_video: 0 }
    }

    /// Begins anew after these timestamps.
    pub(super) fn begin(&mut self, timestamps: impl Iterator<Item = (TrackKind, u32)>) {
        self.bytes.clear();
        for (kind, timestamp) in timestamps {
            *self.last(kind) = timestamp;
        }
    }

    /// Whether a message that much later than the one before can be told to all players in the same way.
    pub(super) fn takes(step: i64) -> bool {
        (0..i64::from(DELTA_END)).contains(&step)
    }

    /// Takes out what has been written; its memory comes back when the last who holds it lets go.
    pub(super) fn take(&mut self) -> Bytes {
        self.bytes.split().freeze()
    }

    fn last(&mut self, kind: TrackKind) -> &mut u32 {
        match kind {
            TrackKind::Audio => &mut self.last_audio,
            TrackKind::Video => &mut self.last_video,
        }
    }
}

impl Sink for Burst {
    /// Never called: metadata comes with a change, which each player is told by its own task.
    fn metadata(&mut self, _: Bytes) {}

    fn media(&mut self, kind: TrackKind, timestamp: u32, prefix: &Prefix, payload: &Bytes) {
        let step = timestamp.wrapping_sub(std::mem::replace(self.last(kind), timestamp));
        let header = media_header(kind, self.stream, prefix.len().saturating_add(payload.len()), Time::Delta(step));
        header.write(&mut self.bytes);
        let mut room = self.chunk_size;
        for mut rest in [&prefix[..], &payload[..]] {
            while !rest.is_empty() {
                if room == 0 {
                    header.write_continuation(&mut self.bytes);
                    room = self.chunk_size;
                }
                let (piece, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
                self.bytes.put_slice(piece);
                room = room.saturating_sub(piece.len());
                rest = after;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES
    }
}
