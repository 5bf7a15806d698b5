//! VP9: frame header and configuration record.

use bytes::Bytes;

use crate::{CodecError, Reader};

/// `VPCodecConfigurationRecord` in its full box, as MP4 and enhanced RTMP carry it
/// (VP codec ISO media file format binding).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpConfig {
    /// VP9 profile, 0 to 3.
    pub profile: u8,
    /// Ten times the level.
    pub level: u8,
    /// Bits of a sample.
    pub bit_depth: u8,
    /// `chromaSubsampling`; 0 and 1 are 4:2:0.
    pub chroma_subsampling: u8,
    /// Whether samples use the full range.
    pub full_range: bool,
    /// Colour primaries, transfer characteristics and matrix, as in ISO/IEC 23001-8.
    pub colour: [u8; 3],
}

impl VpConfig {
    /// Reads a record, version 1.
    ///
    /// # Errors
    /// When it ends early or has another version.
    pub fn parse(record: &[u8]) -> Result<VpConfig, CodecError> {
        const WHAT: &str = "VP9 configuration record";
        let reader = &mut Reader::new(WHAT, record);
        if reader.u32()? >> 24 != 1 {
            return Err(CodecError::malformed(WHAT, "its version is not 1"));
        }
        let (profile, level, format) = (reader.u8()?, reader.u8()?, reader.u8()?);
        let colour = [reader.u8()?, reader.u8()?, reader.u8()?];
        Ok(VpConfig {
            profile,
            level,
            bit_depth: format >> 4,
            chroma_subsampling: (format >> 1) & 7,
            full_range: format & 1 != 0,
            colour,
        })
    }

    /// The bytes of the record.
    pub fn write(&self) -> Bytes {
        let format = (self.bit_depth << 4)
            | ((self.chroma_subsampling & 7) << 1)
            | u8::from(self.full_range);
        let [primaries, transfer, matrix] = self.colour;
        Bytes::copy_from_slice(&[
            1,
            0,
            0,
            0,
            self.profile,
            self.level,
            format,
            primaries,
            transfer,
            matrix,
            0,
            0,
        ])
    }
}
