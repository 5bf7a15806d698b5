//! The FLV file: its header and its tags, as HTTP-FLV sends them.
//!
//! Source: Flash Video File Format 10.1, §E.2 to §E.4.1.

use bytes::{Buf, Bytes, BytesMut};
use headwater_media::limits;

use crate::FlvError;

/// What a tag carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    /// An audio tag body.
    Audio,
    /// A video tag body.
    Video,
    /// AMF 0 metadata.
    Script,
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it carries.
    pub kind: TagKind,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// The tag body.
    pub body: Bytes,
}

const HEADER_BYTES: usize = 9;
const TAG_HEADER_BYTES: usize = 11;
const BACK_POINTER_BYTES: usize = 4;

/// The file header together with the first, empty back pointer.
pub fn file_header(audio: bool, video: bool) -> [u8; HEADER_BYTES + BACK_POINTER_BYTES] {
    let flags = u8::from(audio) << 2 | u8::from(video);
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// The header in front of a tag body of `size` bytes; sizes beyond 24 bits do not fit and give `None`.
pub fn tag_header(kind: TagKind, size: usize, timestamp: u32) -> Option<[u8; TAG_HEADER_BYTES]> {
    let [0, a, b, c] = u32::try_from(size).ok()?.to_be_bytes() else {
        return None;
    };
    let [high, x, y, z] = timestamp.to_be_bytes();
    let kind = match kind {
        TagKind::Audio => 8,
        TagKind::Video => 9,
        TagKind::Script => 18,
    };
    Some([kind, a, b, c, x, y, z, high, 0, 0, 0])
}

/// The back pointer that follows a tag body of `size` bytes.
pub fn back_pointer(size: usize) -> [u8; BACK_POINTER_BYTES] {
    u32::try_from(size.saturating_add(TAG_HEADER_BYTES)).unwrap_or(u32::MAX).to_be_bytes()
}

/// Splits an FLV byte stream, in pieces of any size, into tags.
#[derive(Debug, Default)]
pub struct TagReader {
    data: BytesMut,
    header_read: bool,
    skip: usize,
}

impl TagReader {
    /// A reader before the file header.
    pub fn new() -> TagReader {
        TagReader::default()
    }

    /// Takes the next piece of the stream.
    pub fn push(&mut self, data: &[u8]) {
        self.data.extend_from_slice(data);
    }

    /// The next whole tag; `None` until more data comes. Tags of unknown kinds are passed over.
    ///
    /// # Errors
    /// This is no FLV stream, a tag is encrypted, or it is longer than RTMP_MEDIA_MESSAGE_BYTES.
    /// The stream cannot be read on after an error.
    pub fn pull(&mut self) -> Result<Option<Tag>, FlvError> {
        if !self.header_read && !self.read_header()? {
            return Ok(None);
        }
        loop {
            let skipped = self.skip.min(self.data.len());
            self.data.advance(skipped);
            self.skip -= skipped;
            if self.skip > 0 {
                return Ok(None);
            }
            let Some((kind, size, timestamp)) = self.peek_tag()? else {
                return Ok(None);
            };
            let whole = TAG_HEADER_BYTES + size + BACK_POINTER_BYTES;
            let Some(kind) = kind else {
                self.skip = whole;
                continue;
            };
            if self.data.len() < whole {
                return Ok(None);
            }
            let mut tag = self.data.split_to(whole).freeze();
            tag.advance(TAG_HEADER_BYTES);
            tag.truncate(size);
            return Ok(Some(Tag { kind, timestamp, body: tag }));
        }
    }

    fn read_header(&mut self) -> Result<bool, FlvError> {
        let signature = self.data.get(..self.data.len().min(3)).unwrap_or_default();
        if !b"FLV".starts_with(signature) {
            return Err(FlvError::Malformed("no FLV signature"));
        }
        let Some([_, _, _, _, _, a, b, c, d]) = self.data.first_chunk::<HEADER_BYTES>() else {
            return Ok(false);
        };
        let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if !(HEADER_BYTES..=1_024).contains(&size) {
            return Err(FlvError::Malformed("size of the FLV header"));
        }
        self.skip = size + BACK_POINTER_BYTES;
        self.header_read = true;
        Ok(true)
    }

    fn peek_tag(&self) -> Result<Option<(Option<TagKind>, usize, u32)>, FlvError> {
        let Some([kind, a, b, c, x, y, z, high, ..]) = self.data.first_chunk::<TAG_HEADER_BYTES>() else {
            return Ok(None);
        };
        if kind & 0x20 != 0 {
            return Err(FlvError::Malformed("encrypted FLV tag"));
        }
        let size = u32::from_be_bytes([0, *a, *b, *c]);
        if u64::from(size) > limits::RTMP_MEDIA_MESSAGE_BYTES.get() {
            limits::RTMP_MEDIA_MESSAGE_BYTES.hit();
            return Err(FlvError::Limit("size of an FLV tag"));
        }
        let kind = match kind & 0x1f {
            8 => Some(TagKind::Audio),
            9 => Some(TagKind::Video),
            18 => Some(TagKind::Script),
            _ => None,
        };
        Ok(Some((kind, size as usize, u32::from_be_bytes([*high, *x, *y, *z]))))
    }
}

#[cfg(test)]
mod tests;
