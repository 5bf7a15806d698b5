//! Numbers packets and makes their payloads.

use headwater_media::{Packet, Ticks};

/// The lane's sequence numbers and the memory in which payloads are put together.
#[derive(Debug, Default)]
pub(crate) struct PacketWriter {
    next: u64,
    scratch: Vec<u8>,
}

impl PacketWriter {
    /// Begins the packets of a frame.
    pub(crate) fn frame<'a>(
        &'a mut self,
        timestamp: Ticks,
        random_access: bool,
        out: &'a mut Vec<Packet>,
    ) -> FrameWriter<'a> {
        let first = out.len();
        FrameWriter { writer: self, out, first, timestamp, random_access }
    }
}

/// The packets of one frame.
pub(crate) struct FrameWriter<'a> {
    writer: &'a mut PacketWriter,
    out: &'a mut Vec<Packet>,
    first: usize,
    timestamp: Ticks,
    random_access: bool,
}

impl FrameWriter<'_> {
    /// Appends a packet whose payload is these parts in a row; one allocation.
    pub(crate) fn push<'p>(&mut self, parts: impl IntoIterator<Item = &'p [u8]>) {
        let scratch = &mut self.writer.scratch;
        scratch.clear();
        for part in parts {
            scratch.extend_from_slice(part);
        }
        let random_access = self.random_access && self.out.len() == self.first;
        self.out.push(Packet {
            sequence: self.writer.next,
            timestamp: self.timestamp,
            marker: false,
            random_access,
            orientation: Default::default(),
            payload: scratch.as_slice().into(),
        });
        self.writer.next = self.writer.next.wrapping_add(1);
    }

    /// Ends the frame: its last packet gets the marker.
    pub(crate) fn finish(self) {
        if self.out.len() > self.first
            && let Some(last) = self.out.last_mut()
        {
            last.marker = true;
        }
    }
}

/// The size of the parts of `total` bytes, as few as fit into `max` each and as equal as can be; the last may be
/// shorter.
pub(crate) fn spread(total: usize, max: usize) -> usize {
    let parts = total.div_ceil(max.max(1)).max(1);
    total.div_ceil(parts).max(1)
}
