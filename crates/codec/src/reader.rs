//! Reads bytes, big endian, with an error where they end.

use bytes::Bytes;

use crate::CodecError;

/// A position in a slice; what it reads can neither panic nor overflow.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `data`; `what` names the structure in errors.
    pub fn new(what: &'static str, data: &'a [u8]) -> Reader<'a> {
        Reader { what, rest: data }
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] when fewer are left; so do all methods.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(CodecError::Truncated { what: self.what })?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(CodecError::Truncated { what: self.what })?;
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A block behind its length in two bytes, sharing the memory of `source`, of which this reads a part.
    pub(crate) fn block16(&mut self, source: &Bytes) -> Result<Bytes, CodecError> {
        let length = self.u16()?;
        Ok(source.slice_ref(self.take(usize::from(length))?))
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
