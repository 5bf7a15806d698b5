//! VP8: frame header (RFC 6386 §9.1).

use headwater_media::limits;

use crate::error::check;
use crate::{CodecError, Reader};

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Width and height in pixels, for a key frame.
    pub key_frame_size: Option<(u32, u32)>,
    /// Whether the frame is shown.
    pub is_shown: bool,
}

impl FrameHeader {
    /// Reads the header at the front of a frame.
    ///
    /// # Errors
    /// When it ends early, a key frame lacks its start code, or the picture is beyond [`limits::PICTURE_SIDE`].
    pub fn parse(frame: &[u8]) -> Result<FrameHeader, CodecError> {
        const WHAT: &str = "VP8 frame header";
        const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];
        let reader = &mut Reader::new(WHAT, frame);
        let tag = reader.u8()?;
        reader.take(2)?;
        let is_shown = tag & 0x10 != 0;
        if tag & 1 != 0 {
            return Ok(FrameHeader { key_frame_size: None, is_shown });
        }
        if reader.take(3)? != START_CODE {
            return Err(CodecError::malformed(WHAT, "a key frame has no start code"));
        }
        // The two upper bits say how the picture is to be scaled.
        let width = u32::from(reader.u16()?.swap_bytes() & 0x3fff);
        let height = u32::from(reader.u16()?.swap_bytes() & 0x3fff);
        check("VP8 picture width", u64::from(width), &limits::PICTURE_SIDE)?;
        check("VP8 picture height", u64::from(height), &limits::PICTURE_SIDE)?;
        Ok(FrameHeader { key_frame_size: Some((width, height)), is_shown })
    }
}
