//! VP8 (RFC 7741).

use bytes::Bytes;
use headwater_codec::vp8::FrameHeader;
use headwater_codec::{CodecError, Reader};
use headwater_media::{Format, Frame, Packet, TrackParameters, VideoFormat, limits};

use crate::video::{Built, FrameBuilder};
use crate::writer::{PacketWriter, spread};
use crate::{Packetizer, PacketizerOptions, RtpError};

const NAME: &str = "VP8";

/// What stands before the media in a payload (RFC 7741 §4.2).
///
/// A viewer that skips frames writes its own picture id over the one in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// Bytes of the descriptor.
    pub bytes: usize,
    /// Whether the payload begins a partition.
    pub starts_partition: bool,
    /// The partition's number.
    pub partition: u8,
    /// Whether no other frame refers to this one.
    pub is_disposable: bool,
    /// The picture id.
    pub picture_id: Option<PictureId>,
    /// The number of the temporal base layer's frame, `TL0PICIDX`.
    pub base_layer: Option<u8>,
    /// The temporal layer.
    pub temporal_layer: Option<u8>,
}

/// A picture id and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureId {
    /// The number, of 7 or 15 bits.
    pub value: u16,
    /// Whether it has 15 bits, in two bytes of which the first has its highest bit set.
    pub is_long: bool,
    /// Where in the payload it begins.
    pub at: usize,
}

impl PictureId {
    pub(crate) fn read(reader: &mut Reader<'_>, at: usize) -> Result<PictureId, CodecError> {
        let first = reader.u8()?;
        if first & 0x80 == 0 {
            return Ok(PictureId { value: u16::from(first), is_long: false, at });
        }
        let value = (u16::from(first & 0x7f) << 8) | u16::from(reader.u8()?);
        Ok(PictureId { value, is_long: true, at })
    }
}

impl Vp8Descriptor {
    /// Reads the descriptor at the front of a payload.
    ///
    /// # Errors
    /// When it ends early.
    pub fn parse(payload: &[u8]) -> Result<Vp8Descriptor, RtpError> {
        let reader = &mut Reader::new(NAME, payload);
        let first = reader.u8()?;
        let mut descriptor = Vp8Descriptor {
            bytes: 0,
            starts_partition: first & 0x10 != 0,
            partition: first & 0x07,
            is_disposable: first & 0x20 != 0,
            picture_id: None,
            base_layer: None,
            temporal_layer: None,
        };
        if first & 0x80 != 0 {
            let extension = reader.u8()?;
            if extension & 0x80 != 0 {
                descriptor.picture_id = Some(PictureId::read(reader, 2)?);
            }
            if extension & 0x40 != 0 {
                descriptor.base_layer = Some(reader.u8()?);
            }
            if extension & 0x30 != 0 {
                let layer = reader.u8()?;
                descriptor.temporal_layer = (extension & 0x20 != 0).then_some(layer >> 6);
            }
        }
        descriptor.bytes = payload.len() - reader.rest().len();
        Ok(descriptor)
    }
}

/// Cuts frames into equal parts, each behind a descriptor with a picture id of 15 bits.
pub(crate) struct Vp8Packetizer {
    payload_max: usize,
    writer: PacketWriter,
    picture: u16,
    dropped: u64,
}

const WRITTEN_BYTES: usize = 4;

impl Vp8Packetizer {
    pub(crate) fn new(options: PacketizerOptions) -> Vp8Packetizer {
        Vp8Packetizer { payload_max: options.payload_max(), writer: PacketWriter::default(), picture: 0, dropped: 0 }
    }
}

impl Packetizer for Vp8Packetizer {
    fn set_parameters(&mut self, _: &TrackParameters) {}

    fn packetize(&mut self, frame: &Frame, out: &mut Vec<Packet>) {
        if frame.data.is_empty() {
            self.dropped += 1;
            return;
        }
        let [high, low] = self.picture.to_be_bytes();
        self.picture = (self.picture + 1) & 0x7fff;
        let part_bytes = spread(frame.data.len(), self.payload_max - WRITTEN_BYTES);
        let mut packets = self.writer.frame(frame.pts, frame.random_access, out);
        for (index, part) in frame.data.chunks(part_bytes).enumerate() {
            let start = if index == 0 { 0x10 } else { 0 };
            packets.push([&[0x80 | start, 0x80, 0x80 | high, low][..], part]);
        }
        packets.finish();
    }

    fn frames_dropped(&self) -> u64 {
        self.dropped
    }
}

/// Puts the parts together again.
pub(crate) struct Vp8Builder {
    data: Vec<u8>,
    parameters: TrackParameters,
}

impl Vp8Builder {
    pub(crate) fn new(parameters: TrackParameters) -> Vp8Builder {
        Vp8Builder { data: Vec::new(), parameters }
    }
}

impl FrameBuilder for Vp8Builder {
    fn is_start(&self, payload: &[u8]) -> bool {
        Vp8Descriptor::parse(payload).is_ok_and(|head| head.starts_partition && head.partition == 0)
    }

    fn add(&mut self, payload: &[u8]) -> Result<(), RtpError> {
        if self.data.is_empty() && !self.is_start(payload) {
            return Err(RtpError::payload(NAME, "a frame does not begin with its first partition"));
        }
        let descriptor = Vp8Descriptor::parse(payload)?;
        append(&mut self.data, payload.get(descriptor.bytes..).unwrap_or_default())
    }

    fn finish(&mut self) -> Result<Option<Built>, RtpError> {
        let data = Bytes::from(std::mem::take(&mut self.data));
        if data.is_empty() {
            return Ok(None);
        }
        let size = FrameHeader::parse(&data)?.key_frame_size;
        let parameters = size.and_then(|size| resize(&mut self.parameters, size));
        Ok(Some(Built { data, random_access: size.is_some(), parameters }))
    }

    fn clear(&mut self) {
        self.data.clear();
    }
}

/// Appends a part to a frame, within the limit.
pub(crate) fn append(frame: &mut Vec<u8>, part: &[u8]) -> Result<(), RtpError> {
    if frame.len().saturating_add(part.len()) > limits::FRAME_BYTES.get_usize() {
        limits::FRAME_BYTES.hit();
        return Err(RtpError::TooLarge { limit: limits::FRAME_BYTES.name });
    }
    frame.extend_from_slice(part);
    Ok(())
}

/// Takes note of the size of a key frame; gives the new parameters if it has changed.
pub(crate) fn resize(parameters: &mut TrackParameters, (width, height): (u32, u32)) -> Option<TrackParameters> {
    let video = parameters.video().unwrap_or_default();
    if (video.width, video.height) == (width, height) {
        return None;
    }
    parameters.format = Format::Video(VideoFormat { width, height, ..video });
    Some(parameters.clone())
}
