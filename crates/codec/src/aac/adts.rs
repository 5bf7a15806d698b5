//! ADTS, the header before each AAC frame in transport streams and files (ISO/IEC 14496-3 §1.A.2).

use crate::{CodecError, Reader};

use super::{AudioSpecificConfig, CHANNELS, SAMPLE_RATES};

const WHAT: &str = "ADTS header";
/// Of a header without a checksum.
const HEADER_BYTES: usize = 7;

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

    /// The header, without a checksum, of a frame of so many bytes in the core coding of a track; spectral band
    /// replication is left to be found by the decoder, as ADTS cannot say it.
    ///
    /// `None` for what ADTS cannot say at all: object types above 4, other sample rates, channels in the frames, and
    /// frames of 8 KiB and more.
    pub fn write(config: &AudioSpecificConfig, payload_bytes: usize) -> Option<[u8; HEADER_BYTES]> {
        let profile = config.object_type.checked_sub(1).filter(|profile| *profile < 4)?;
        let rate = SAMPLE_RATES.iter().position(|rate| *rate == config.core_sample_rate)? as u8;
        // Only the first eight configurations fit into three bits.
        let channels = CHANNELS.iter().take(8).position(|channels| *channels == config.core_channels)?;
        let channels = (channels as u8 != 0).then_some(channels as u8)?;
        let bytes = u16::try_from(payload_bytes.checked_add(HEADER_BYTES)?).ok().filter(|bytes| *bytes < 1 << 13)?;
        Some([
            0xff,
            0xf1,
            profile << 6 | rate << 2 | channels >> 2,
            (channels & 3) << 6 | (bytes >> 11) as u8,
            (bytes >> 3) as u8,
            (bytes << 5) as u8 | 0x1f,
            0xfc,
        ])
    }

    /// The configuration record that says the same.
    pub fn config(&self) -> AudioSpecificConfig {
        AudioSpecificConfig {
            object_type: self.object_type,
            ..AudioSpecificConfig::low_complexity(self.sample_rate, self.channels)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (rate, channels, payload) in [(44_100, 2, 0), (48_000, 1, 371), (8_000, 8, 8_184)] {
            let config = AudioSpecificConfig::low_complexity(rate, channels);
            let read = AdtsHeader::parse(&AdtsHeader::write(&config, payload).unwrap()).unwrap();
            assert_eq!((read.sample_rate, read.channels, read.object_type), (rate, channels, 2));
            assert_eq!((read.header_bytes, read.frame_bytes), (7, payload + 7));
            assert_eq!(AdtsHeader::write(&config, 8_185), None, "longer than it can say");
        }
        assert_eq!(AdtsHeader::write(&AudioSpecificConfig::low_complexity(44_000, 2), 10), None);
        assert_eq!(AdtsHeader::write(&AudioSpecificConfig::low_complexity(48_000, 9), 10), None);
    }
}
