//! ADTS, the header before each AAC frame in transport streams and files (ISO/IEC 14496-3 §1.A.2).

use crate::{CodecError, Reader};

use super::{AudioSpecificConfig, CHANNELS, SAMPLE_RATES};

const WHAT: &str = "ADTS header";

/// The header of one ADTS frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdtsHeader {
    /// The audio object type; 2 is AAC-LC.
    pub object_type: u8,
    /// Samples in a second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u8,
    /// Bytes of the header: 7, or 9 with a checksum.
    pub header_bytes: usize,
    /// Bytes of the frame, header included.
    pub frame_bytes: usize,
}

impl AdtsHeader {
    /// Reads the header at the front of `data`.
    ///
    /// # Errors
    /// When it ends early, does not begin with the sync word, or holds reserved values or several blocks.
    pub fn parse(data: &[u8]) -> Result<AdtsHeader, CodecError> {
        let reader = &mut Reader::new(WHAT, data);
        let (sync, rest, tail) = (reader.u16()?, reader.u32()?, reader.u8()?);
        if sync & 0xfff6 != 0xfff0 {
            return Err(CodecError::malformed(WHAT, "it does not begin with the sync word"));
        }
        let header_bytes = if sync & 1 == 1 { 7 } else { 9 };
        let sample_rate = SAMPLE_RATES.get((rest >> 26) as usize & 15).copied();
        let sample_rate = sample_rate.ok_or(CodecError::malformed(WHAT, "its sample rate is reserved"))?;
        let channels = CHANNELS.get((rest >> 22) as usize & 7).copied().unwrap_or(0);
        if channels == 0 {
            return Err(CodecError::Unsupported { what: "ADTS with its channels in the frames" });
        }
        let frame_bytes = (rest >> 5) as usize & 0x1fff;
        if frame_bytes < header_bytes {
            return Err(CodecError::malformed(WHAT, "its frame is shorter than itself"));
        }
        if tail & 3 != 0 {
            return Err(CodecError::Unsupported { what: "ADTS with several blocks in a frame" });
        }
        let object_type = (rest >> 30) as u8 + 1;
        Ok(AdtsHeader { object_type, sample_rate, channels, header_bytes, frame_bytes })
    }

    /// The configuration record that says the same.
    pub fn config(&self) -> AudioSpecificConfig {
        AudioSpecificConfig {
            object_type: self.object_type,
            ..AudioSpecificConfig::low_complexity(self.sample_rate, self.channels)
        }
    }
}
