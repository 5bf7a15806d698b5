//! G.711 and G.722 (RFC 3551 §4.5): an octet for every tick of a clock of 8 kHz.

use bytes::Bytes;
use headwater_media::{Frame, Packet, Ticks, TrackParameters};

use crate::audio::FrameReader;
use crate::writer::{PacketWriter, spread};
use crate::{Packetizer, PacketizerOptions, RtpError};

/// Cuts frames that are too long into equal parts, each with its own time.
pub(crate) struct SampledPacketizer {
    payload_max: usize,
    writer: PacketWriter,
    has_begun: bool,
    dropped: u64,
}

impl SampledPacketizer {
    pub(crate) fn new(options: PacketizerOptions) -> SampledPacketizer {
        SampledPacketizer {
            payload_max: options.payload_max(),
            writer: PacketWriter::default(),
            has_begun: false,
            dropped: 0,
        }
    }
}

impl Packetizer for SampledPacketizer {
    fn set_parameters(&mut self, _: &TrackParameters) {}

    fn packetize(&mut self, frame: &Frame, out: &mut Vec<Packet>) {
        if frame.data.is_empty() {
            self.dropped += 1;
            return;
        }
        let mut time = frame.pts;
        for part in frame.data.chunks(spread(frame.data.len(), self.payload_max)) {
            let mut packets = self.writer.frame(time, true, out);
            packets.push([part]);
            // RFC 3551 §4.1: the marker says that sound begins after silence.
            if !std::mem::replace(&mut self.has_begun, true) {
                packets.finish();
            }
            time = time.saturating_add(part.len() as Ticks);
        }
    }

    fn discontinuity(&mut self) {
        self.has_begun = false;
    }

    fn frames_dropped(&self) -> u64 {
        self.dropped
    }
}

/// Reads payloads as they are.
pub(crate) struct SampledReader;

impl FrameReader for SampledReader {
    fn read(&mut self, packet: &Packet, out: &mut Vec<(Ticks, Bytes)>) -> Result<(), RtpError> {
        if packet.payload.is_empty() {
            return Err(RtpError::payload("G.711 or G.722", "it is empty"));
        }
        out.push((0, Bytes::from_owner(packet.payload.clone())));
        Ok(())
    }
}
