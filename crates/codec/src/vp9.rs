//! VP9: frame header and configuration record.

use bytes::Bytes;
use headwater_media::limits;

use crate::bits::Bits;
use crate::error::check;
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
        let format = (self.bit_depth << 4) | ((self.chroma_subsampling & 7) << 1) | u8::from(self.full_range);
        let [primaries, transfer, matrix] = self.colour;
        Bytes::copy_from_slice(&[1, 0, 0, 0, self.profile, self.level, format, primaries, transfer, matrix, 0, 0])
    }
}

/// What the uncompressed header of a frame says (VP9 bitstream specification §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// VP9 profile, 0 to 3.
    pub profile: u8,
    /// Width and height in pixels, for a key frame.
    pub key_frame_size: Option<(u32, u32)>,
}

impl FrameHeader {
    /// Reads the header at the front of a frame or superframe.
    ///
    /// # Errors
    /// When it ends early, breaks the syntax, or the picture is beyond [`limits::PICTURE_SIDE`].
    pub fn parse(frame: &[u8]) -> Result<FrameHeader, CodecError> {
        const WHAT: &str = "VP9 frame header";
        const SYNC_CODE: u32 = 0x49_83_42;
        let bits = &mut Bits::new(WHAT, frame);
        if bits.u(2)? != 2 {
            return Err(CodecError::malformed(WHAT, "its marker is wrong"));
        }
        let profile = bits.u8(1)? | (bits.u8(1)? << 1);
        if profile == 3 {
            bits.skip(1)?;
        }
        let shows_existing = bits.flag()?;
        if shows_existing || bits.flag()? {
            return Ok(FrameHeader { profile, key_frame_size: None });
        }
        bits.skip(2)?; // show_frame, error_resilient_mode
        if bits.u(24)? != SYNC_CODE {
            return Err(CodecError::malformed(WHAT, "a key frame has no sync code"));
        }
        skip_colour(bits, profile)?;
        let (width, height) = (bits.u(16)? + 1, bits.u(16)? + 1);
        check("VP9 picture width", u64::from(width), &limits::PICTURE_SIDE)?;
        check("VP9 picture height", u64::from(height), &limits::PICTURE_SIDE)?;
        Ok(FrameHeader { profile, key_frame_size: Some((width, height)) })
    }
}

/// `color_config()`.
fn skip_colour(bits: &mut Bits<'_>, profile: u8) -> Result<(), CodecError> {
    const RGB: u32 = 7;
    let has_subsampling = profile & 1 == 1;
    if profile >= 2 {
        bits.skip(1)?; // ten_or_twelve_bit
    }
    if bits.u(3)? == RGB {
        return bits.skip(u32::from(has_subsampling));
    }
    bits.skip(if has_subsampling { 4 } else { 1 })
}
