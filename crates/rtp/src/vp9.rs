//! VP9 (RFC 9628), non-flexible mode written, one spatial layer.

use bytes::Bytes;
use headwater_codec::Reader;
use headwater_codec::vp9::{FrameHeader, VpConfig};
use headwater_media::{Frame, Packet, TrackParameters};
use smallvec::SmallVec;

use crate::video::{Built, FrameBuilder};
use crate::vp8::{PictureId, append, resize};
use crate::writer::PacketWriter;
use crate::{Packetizer, PacketizerOptions, RtpError};

const NAME: &str = "VP9";

/// Bits of the first byte (RFC 9628 §4.2).
mod flag {
    pub(super) const PICTURE_ID: u8 = 0x80;
    pub(super) const PREDICTED: u8 = 0x40;
    pub(super) const LAYERS: u8 = 0x20;
    pub(super) const FLEXIBLE: u8 = 0x10;
    pub(super) const BEGINS_FRAME: u8 = 0x08;
    pub(super) const ENDS_FRAME: u8 = 0x04;
    pub(super) const STRUCTURE: u8 = 0x02;
}

/// What stands before the media in a payload (RFC 9628 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp9Descriptor {
    /// Bytes of the descriptor.
    pub bytes: usize,
    /// Whether the frame is predicted from others.
    pub is_predicted: bool,
    /// Whether the payload begins a frame of one layer.
    pub begins_frame: bool,
    /// Whether it ends one.
    pub ends_frame: bool,
    /// The picture id.
    pub picture_id: Option<PictureId>,
    /// The spatial layer, where layers are used.
    pub spatial_layer: Option<u8>,
    /// The temporal layer, where layers are used.
    pub temporal_layer: Option<u8>,
    /// The number of the temporal base layer's frame, `TL0PICIDX`.
    pub base_layer: Option<u8>,
}

impl Vp9Descriptor {
    /// Reads the descriptor at the front of a payload.
    ///
    /// # Errors
    /// When it ends early or refers to more than three pictures.
    pub fn parse(payload: &[u8]) -> Result<Vp9Descriptor, RtpError> {
        let reader = &mut Reader::new(NAME, payload);
        let first = reader.u8()?;
        let mut descriptor = Vp9Descriptor {
            bytes: 0,
            is_predicted: first & flag::PREDICTED != 0,
            begins_frame: first & flag::BEGINS_FRAME != 0,
            ends_frame: first & flag::ENDS_FRAME != 0,
            picture_id: None,
            spatial_layer: None,
            temporal_layer: None,
            base_layer: None,
        };
        if first & flag::PICTURE_ID != 0 {
            descriptor.picture_id = Some(PictureId::read(reader, 1)?);
        }
        if first & flag::LAYERS != 0 {
            let layers = reader.u8()?;
            descriptor.temporal_layer = Some(layers >> 5);
            descriptor.spatial_layer = Some((layers >> 1) & 7);
            if first & flag::FLEXIBLE == 0 {
                descriptor.base_layer = Some(reader.u8()?);
            }
        }
        if first & flag::FLEXIBLE != 0 && descriptor.is_predicted {
            skip_references(reader)?;
        }
        if first & flag::STRUCTURE != 0 {
            skip_structure(reader)?;
        }
        descriptor.bytes = payload.len() - reader.rest().len();
        Ok(descriptor)
    }
}

fn skip_references(reader: &mut Reader<'_>) -> Result<(), RtpError> {
    for _ in 0..3 {
        if reader.u8()? & 1 == 0 {
            return Ok(());
        }
    }
    Err(RtpError::payload(NAME, "it refers to more than three pictures"))
}

fn skip_structure(reader: &mut Reader<'_>) -> Result<(), RtpError> {
    let first = reader.u8()?;
    let layers = usize::from(first >> 5) + 1;
    if first & 0x10 != 0 {
        reader.take(4 * layers)?;
    }
    if first & 0x08 != 0 {
        for _ in 0..reader.u8()? {
            let references = usize::from((reader.u8()? >> 2) & 3);
            reader.take(references)?;
        }
    }
    Ok(())
}

/// Cuts frames into parts that make equal payloads; a key frame's first has the picture size before it.
pub(crate) struct Vp9Packetizer {
    payload_max: usize,
    writer: PacketWriter,
    picture: u16,
    dropped: u64,
}

const WRITTEN_BYTES: usize = 3;
const STRUCTURE_BYTES: usize = 5;

impl Vp9Packetizer {
    pub(crate) fn new(options: PacketizerOptions) -> Vp9Packetizer {
        Vp9Packetizer { payload_max: options.payload_max(), writer: PacketWriter::default(), picture: 0, dropped: 0 }
    }
}

impl Packetizer for Vp9Packetizer {
    fn set_parameters(&mut self, _: &TrackParameters) {}

    fn packetize(&mut self, frame: &Frame, out: &mut Vec<Packet>) {
        let Ok(header) = FrameHeader::parse(&frame.data) else {
            self.dropped += 1;
            return;
        };
        let structure = header.key_frame_size.map(structure).unwrap_or_default();
        let [high, low] = self.picture.to_be_bytes();
        self.picture = (self.picture + 1) & 0x7fff;
        let part_bytes = crate::writer::spread(frame.data.len() + structure.len(), self.payload_max - WRITTEN_BYTES);
        let mut packets = self.writer.frame(frame.pts, frame.random_access, out);
        let predicted = if header.key_frame_size.is_none() { flag::PREDICTED } else { 0 };
        let (mut rest, mut is_first) = (&frame.data[..], true);
        while !rest.is_empty() {
            let before = if is_first { &structure[..] } else { &[] };
            let (part, tail) = rest.split_at_checked(part_bytes - before.len()).unwrap_or((rest, &[]));
            let begins = if is_first { flag::BEGINS_FRAME } else { 0 };
            let ends = if tail.is_empty() { flag::ENDS_FRAME } else { 0 };
            let sized = if before.is_empty() { 0 } else { flag::STRUCTURE };
            let flags = flag::PICTURE_ID | predicted | begins | ends | sized;
            packets.push([&[flags, 0x80 | high, low][..], before, part]);
            (rest, is_first) = (tail, false);
        }
        packets.finish();
    }

    fn frames_dropped(&self) -> u64 {
        self.dropped
    }
}

/// The scalability structure of one layer with its size (RFC 9628 §4.2.1).
fn structure((width, height): (u32, u32)) -> SmallVec<[u8; STRUCTURE_BYTES]> {
    const HAS_SIZE: u8 = 0x10;
    let [w1, w0] = (width as u16).to_be_bytes();
    let [h1, h0] = (height as u16).to_be_bytes();
    SmallVec::from([HAS_SIZE, w1, w0, h1, h0])
}

/// Puts the parts together again.
pub(crate) struct Vp9Builder {
    data: Vec<u8>,
    parameters: TrackParameters,
}

impl Vp9Builder {
    pub(crate) fn new(parameters: TrackParameters) -> Vp9Builder {
        Vp9Builder { data: Vec::new(), parameters }
    }

    /// The parameters that a key frame announces, if they have changed.
    fn take_note(&mut self, header: &FrameHeader, size: (u32, u32)) -> Option<TrackParameters> {
        if self.parameters.config.is_empty() {
            self.parameters.config = record(header).write();
            let _ = resize(&mut self.parameters, size);
            return Some(self.parameters.clone());
        }
        resize(&mut self.parameters, size)
    }
}

/// The record of a stream that came without one; it names level 1.0, for nothing in the stream says it.
fn record(header: &FrameHeader) -> VpConfig {
    VpConfig {
        profile: header.profile,
        level: 10,
        bit_depth: if header.profile < 2 { 8 } else { 10 },
        chroma_subsampling: if header.profile.is_multiple_of(2) { 1 } else { 3 },
        full_range: false,
        colour: [2; 3],
    }
}

impl FrameBuilder for Vp9Builder {
    fn is_start(&self, payload: &[u8]) -> bool {
        let is_base = |head: Vp9Descriptor| head.begins_frame && head.spatial_layer.unwrap_or(0) == 0;
        Vp9Descriptor::parse(payload).is_ok_and(is_base)
    }

    fn add(&mut self, payload: &[u8]) -> Result<(), RtpError> {
        let descriptor = Vp9Descriptor::parse(payload)?;
        if descriptor.spatial_layer.is_some_and(|layer| layer > 0) {
            return Ok(()); // only the base layer is put together
        }
        if self.data.is_empty() != descriptor.begins_frame {
            return Err(RtpError::payload(NAME, "a frame begins twice or not at all"));
        }
        append(&mut self.data, payload.get(descriptor.bytes..).unwrap_or_default())
    }

    fn finish(&mut self) -> Result<Option<Built>, RtpError> {
        let data = Bytes::from(std::mem::take(&mut self.data));
        if data.is_empty() {
            return Ok(None);
        }
        let header = FrameHeader::parse(&data)?;
        let parameters = header.key_frame_size.and_then(|size| self.take_note(&header, size));
        Ok(Some(Built { data, random_access: header.key_frame_size.is_some(), parameters }))
    }

    fn clear(&mut self) {
        self.data.clear();
    }
}
