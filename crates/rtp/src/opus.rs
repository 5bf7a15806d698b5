//! Opus (RFC 7587): one packet of the coder in each RTP packet.

use bytes::Bytes;
use headwater_codec::opus::packet_samples;
use headwater_media::{Frame, Packet, Ticks, TrackParameters};

use crate::audio::FrameReader;
use crate::writer::PacketWriter;
use crate::{Packetizer, RtpError};

/// Writes payloads as they are.
#[derive(Default)]
pub(crate) struct OpusPacketizer {
    writer: PacketWriter,
    has_begun: bool,
    dropped: u64,
}

impl Packetizer for OpusPacketizer {
    fn set_parameters(&mut self, _: &TrackParameters) {}

    fn packetize(&mut self, frame: &Frame, out: &mut Vec<Packet>) {
        /// What a datagram carries; a packet of 120 ms at 64 kbit/s has 960 bytes.
        const BYTES_MAX: usize = 1_400;
        if frame.data.is_empty() || frame.data.len() > BYTES_MAX {
            self.dropped += 1;
            return;
        }
        let mut packets = self.writer.frame(frame.pts, true, out);
        packets.push([&frame.data[..]]);
        // The marker says that sound begins after silence; a live encoder falls silent rarely, so the first has it.
        if !std::mem::replace(&mut self.has_begun, true) {
            packets.finish();
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
pub(crate) struct OpusReader;

impl FrameReader for OpusReader {
    fn read(&mut self, packet: &Packet, out: &mut Vec<(Ticks, Bytes)>) -> Result<(), RtpError> {
        packet_samples(&packet.payload)?;
        out.push((0, Bytes::from_owner(packet.payload.clone())));
        Ok(())
    }
}
