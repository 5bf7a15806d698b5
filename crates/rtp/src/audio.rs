//! Takes the frames out of the packets of an audio track.

use std::collections::VecDeque;

use bytes::Bytes;
use headwater_media::{Frame, Packet, Ticks};

use crate::{Depacketized, Depacketizer, Losses, RtpError};

/// The payload format of an audio codec, reading.
pub(crate) trait FrameReader: Send {
    /// Reads the frames that a packet completes; each with its time after that of the packet, in ticks.
    fn read(&mut self, packet: &Packet, out: &mut Vec<(Ticks, Bytes)>) -> Result<(), RtpError>;

    /// Forgets what was begun, since packets are missing.
    fn clear(&mut self) {}
}

/// Every packet stands for itself, or begins, continues or ends one frame.
pub(crate) struct AudioDepacketizer<R> {
    reader: R,
    next: Option<u64>,
    last: Option<Ticks>,
    frames: Vec<(Ticks, Bytes)>,
    ready: VecDeque<Depacketized>,
    losses: Losses,
}

impl<R: FrameReader> AudioDepacketizer<R> {
    pub(crate) fn new(reader: R) -> AudioDepacketizer<R> {
        let (frames, ready) = (Vec::new(), VecDeque::new());
        AudioDepacketizer { reader, next: None, last: None, frames, ready, losses: Losses::default() }
    }
}

impl<R: FrameReader> Depacketizer for AudioDepacketizer<R> {
    fn push(&mut self, packet: &Packet) {
        match self.next {
            Some(next) if packet.sequence < next => return,
            Some(next) if packet.sequence > next => {
                self.losses.packets_lost = self.losses.packets_lost.saturating_add(packet.sequence - next);
                self.reader.clear();
            }
            _ => {}
        }
        self.next = packet.sequence.checked_add(1);
        if self.reader.read(packet, &mut self.frames).is_err() {
            self.losses.packets_malformed += 1;
            self.reader.clear();
        }
        for (after, data) in self.frames.drain(..) {
            let pts = packet.timestamp.saturating_add(after);
            let dts = self.last.map_or(pts, |last| last.max(pts));
            self.last = Some(dts);
            self.ready.push_back(Depacketized::Frame(Frame { dts, pts, random_access: true, data }));
        }
    }

    fn pull(&mut self) -> Option<Depacketized> {
        self.ready.pop_front()
    }

    fn reset(&mut self) {
        self.reader.clear();
        self.next = None;
        self.last = None;
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}
