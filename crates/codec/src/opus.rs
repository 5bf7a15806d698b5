//! Opus: identification header and the duration of a packet (RFC 6716, RFC 7845).

use bytes::{BufMut, Bytes, BytesMut};

use crate::{CodecError, Reader};

const WHAT: &str = "Opus identification header";
const MAGIC: &[u8] = b"OpusHead";

/// The identification header (RFC 7845 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusHead {
    /// Output channels.
    pub channels: u8,
    /// Samples at 48 kHz to discard from the beginning.
    pub pre_skip: u16,
    /// Sample rate before encoding; for information only.
    pub input_sample_rate: u32,
    /// Gain to apply, in 1/256 dB.
    pub output_gain: i16,
    /// Channel mapping family; 0 is mono or stereo.
    pub mapping_family: u8,
    /// For other families: stream count, coupled count and the table.
    pub mapping: Bytes,
}

impl OpusHead {
    /// A header for mono or stereo.
    pub fn new(channels: u8, input_sample_rate: u32) -> OpusHead {
        OpusHead {
            channels: channels.clamp(1, 2),
            pre_skip: 312,
            input_sample_rate,
            output_gain: 0,
            mapping_family: 0,
            mapping: Bytes::new(),
        }
    }

    /// Reads a header.
    ///
    /// # Errors
    /// When it ends early, is of a version that is not compatible, or its channels and mapping disagree.
    pub fn parse(data: &[u8]) -> Result<OpusHead, CodecError> {
        let reader = &mut Reader::new(WHAT, data);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(CodecError::malformed(WHAT, "it does not begin with OpusHead"));
        }
        if reader.u8()? & 0xf0 != 0 {
            return Err(CodecError::malformed(WHAT, "its version is not compatible with 1"));
        }
        let channels = reader.u8()?;
        let (pre_skip, rate, gain) = (reader.u16()?, reader.u32()?, reader.u16()?);
        let mapping_family = reader.u8()?;
        let mapping = if mapping_family == 0 { &[] } else { reader.take(2 + usize::from(channels))? };
        if channels == 0 || (mapping_family == 0 && channels > 2) {
            return Err(CodecError::malformed(WHAT, "its channels do not fit its mapping family"));
        }
        Ok(OpusHead {
            channels,
            pre_skip: pre_skip.swap_bytes(),
            input_sample_rate: rate.swap_bytes(),
            output_gain: gain.swap_bytes() as i16,
            mapping_family,
            mapping: Bytes::copy_from_slice(mapping),
        })
    }

    /// The bytes of the header.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(19 + self.mapping.len());
        out.put_slice(MAGIC);
        out.put_u8(1);
        out.put_u8(self.channels);
        out.put_u16_le(self.pre_skip);
        out.put_u32_le(self.input_sample_rate);
        out.put_i16_le(self.output_gain);
        out.put_u8(self.mapping_family);
        out.put_slice(&self.mapping);
        out.freeze()
    }
}

/// How many samples at 48 kHz a packet holds (RFC 6716 §3.1 and §3.2).
///
/// # Errors
/// When it is empty, or its frame count is missing, zero or makes more than 120 ms.
pub fn packet_samples(packet: &[u8]) -> Result<u32, CodecError> {
    const WHAT: &str = "Opus packet";
    const SAMPLES_MAX: u32 = 5_760;
    let reader = &mut Reader::new(WHAT, packet);
    let toc = reader.u8()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1_920, 2_880].get(usize::from(config % 4)).copied().unwrap_or(960),
        config @ 12..=15 => 480 << (config % 2),
        config => 120 << (config % 4),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(reader.u8()? & 0x3f),
    };
    let samples = frame * frames;
    if samples == 0 || samples > SAMPLES_MAX {
        return Err(CodecError::malformed(WHAT, "it lasts no time or more than 120 ms"));
    }
    Ok(samples)
}
