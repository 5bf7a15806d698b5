//! AAC (RFC 3640, mode AAC-hbr: `sizelength=13; indexlength=3; indexdeltalength=3`).

use bytes::Bytes;
use headwater_codec::Reader;
use headwater_codec::aac::{self, AudioSpecificConfig};
use headwater_media::{Frame, Packet, Ticks, TrackParameters};

use crate::audio::FrameReader;
use crate::writer::{PacketWriter, spread};
use crate::{Packetizer, PacketizerOptions, RtpError};

const NAME: &str = "AAC";
/// The largest frame that the 13 bits of its size can tell.
const FRAME_BYTES_MAX: usize = 0x1fff;
/// The length of the headers in bits, and one header.
const HEADER_BYTES: usize = 4;

/// One frame in each packet; one that is too long in fragments of equal size.
pub(crate) struct AacPacketizer {
    payload_max: usize,
    writer: PacketWriter,
    dropped: u64,
}

impl AacPacketizer {
    pub(crate) fn new(options: PacketizerOptions) -> AacPacketizer {
        AacPacketizer { payload_max: options.payload_max(), writer: PacketWriter::default(), dropped: 0 }
    }
}

impl Packetizer for AacPacketizer {
    fn set_parameters(&mut self, _: &TrackParameters) {}

    fn packetize(&mut self, frame: &Frame, out: &mut Vec<Packet>) {
        let size = frame.data.len();
        if size == 0 || size > FRAME_BYTES_MAX {
            self.dropped += 1;
            return;
        }
        // RFC 3640 §3.2.3.1: every fragment tells the size of the whole frame.
        let [high, low] = ((size as u16) << 3).to_be_bytes();
        let mut packets = self.writer.frame(frame.pts, true, out);
        for part in frame.data.chunks(spread(size, self.payload_max - HEADER_BYTES)) {
            packets.push([&[0, 16, high, low][..], part]);
        }
        packets.finish();
    }

    fn frames_dropped(&self) -> u64 {
        self.dropped
    }
}

/// Reads packets of one or more frames, or of a fragment.
pub(crate) struct AacReader {
    frame_ticks: Ticks,
    fragments: Vec<u8>,
    /// Size and time of the frame whose fragments come in.
    expected: Option<(usize, Ticks)>,
}

impl AacReader {
    pub(crate) fn new(parameters: &TrackParameters) -> AacReader {
        let config = AudioSpecificConfig::parse(&parameters.config);
        let samples = config.map_or(aac::FRAME_SAMPLES, |config| config.frame_samples());
        AacReader { frame_ticks: Ticks::from(samples), fragments: Vec::new(), expected: None }
    }

    fn read_fragment(
        &mut self,
        size: usize,
        time: Ticks,
        part: &[u8],
        out: &mut Vec<(Ticks, Bytes)>,
    ) -> Result<(), RtpError> {
        if self.expected != Some((size, time)) {
            self.clear();
            self.expected = Some((size, time));
        }
        self.fragments.extend_from_slice(part);
        if self.fragments.len() > size {
            return Err(RtpError::payload(NAME, "its fragments are longer than the frame"));
        }
        if self.fragments.len() == size {
            out.push((0, Bytes::from(std::mem::take(&mut self.fragments))));
            self.expected = None;
        }
        Ok(())
    }
}

impl FrameReader for AacReader {
    fn read(&mut self, packet: &Packet, out: &mut Vec<(Ticks, Bytes)>) -> Result<(), RtpError> {
        let reader = &mut Reader::new(NAME, &packet.payload);
        let header_bits = usize::from(reader.u16()?);
        if header_bits == 0 || !header_bits.is_multiple_of(16) {
            return Err(RtpError::payload(NAME, "its headers are not those of AAC-hbr"));
        }
        let headers = reader.take(header_bits / 8)?;
        let sizes =
            headers.chunks_exact(2).map(|header| header.iter().fold(0, |bits, byte| (bits << 8) | usize::from(*byte)));
        let is_single = headers.len() == 2;
        let mut time = 0;
        for header in sizes {
            let (size, index) = (header >> 3, header & 7);
            if index != 0 {
                return Err(RtpError::payload(NAME, "its frames are interleaved"));
            }
            if is_single && size > reader.rest().len() {
                return self.read_fragment(size, packet.timestamp, reader.rest(), out);
            }
            if is_single && self.expected == Some((size, packet.timestamp)) {
                return self.read_fragment(size, packet.timestamp, reader.rest(), out);
            }
            let frame = reader.take(size)?;
            if !frame.is_empty() {
                out.push((time, Bytes::copy_from_slice(frame)));
            }
            time += self.frame_ticks;
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.fragments.clear();
        self.expected = None;
    }
}
