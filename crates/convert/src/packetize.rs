//! A packet lane from a frame lane.

use std::sync::Arc;

use headwater_graph::{Conversion, LaneWriter};
use headwater_media::{Frame, Packet, TrackParameters};
use headwater_rtp::Packetizer;

use crate::statistics::FRAMES_NOT_PACKETIZED;

/// Cuts each frame into packets.
pub(crate) struct Packetize {
    packetizer: Box<dyn Packetizer>,
    packets: Vec<Packet>,
    dropped: u64,
    has_reordered: bool,
}

impl Packetize {
    pub(crate) fn new(packetizer: Box<dyn Packetizer>) -> Packetize {
        Packetize { packetizer, packets: Vec::new(), dropped: 0, has_reordered: false }
    }

    fn take_note(&mut self) {
        let dropped = self.packetizer.frames_dropped();
        FRAMES_NOT_PACKETIZED.follow(self.dropped, dropped);
        self.dropped = dropped;
        if self.packetizer.has_reordered() && !std::mem::replace(&mut self.has_reordered, true) {
            tracing::warn!("the source sends B-frames, which RTP viewers see only in part");
        }
    }
}

impl Conversion<Frame, Packet> for Packetize {
    fn parameters(&mut self, parameters: &Arc<TrackParameters>, out: &mut LaneWriter<Packet>) {
        self.packetizer.set_parameters(parameters);
        out.share_parameters(parameters);
    }

    fn item(&mut self, frame: &Frame, out: &mut LaneWriter<Packet>) {
        self.packetizer.packetize(frame, &mut self.packets);
        for packet in self.packets.drain(..) {
            out.push(packet);
        }
        self.take_note();
    }

    fn discontinuity(&mut self, out: &mut LaneWriter<Packet>) {
        self.packetizer.discontinuity();
        out.discontinuity();
    }
}
