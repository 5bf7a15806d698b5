//! Reads and writes bits, most significant first, as the video and audio specifications write them.

use std::io::{Cursor, ErrorKind};

use bitstream_io::{BigEndian, BitRead, BitReader};

use crate::CodecError;

/// A position in a run of bits; nothing it reads can make it panic.
///
/// The names of its methods are those of the descriptors in ITU-T H.264 §7.2 and AV1 §4.10.
pub(crate) struct Bits<'a> {
    reader: BitReader<Cursor<&'a [u8]>, BigEndian>,
    what: &'static str,
    position: u64,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(what: &'static str, data: &'a [u8]) -> Bits<'a> {
        Bits { reader: BitReader::new(Cursor::new(data)), what, position: 0 }
    }

    /// Bits read so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// An unsigned number of up to 32 bits.
    pub(crate) fn u(&mut self, bits: u32) -> Result<u32, CodecError> {
        if bits == 0 {
            return Ok(0);
        }
        let value = self.reader.read_unsigned_var::<u32>(bits).map_err(|e| self.error(&e))?;
        self.position = self.position.saturating_add(u64::from(bits));
        Ok(value)
    }

    /// An unsigned number of up to 8 bits.
    pub(crate) fn u8(&mut self, bits: u32) -> Result<u8, CodecError> {
        u8::try_from(self.u(bits)?).map_err(|_| CodecError::malformed(self.what, "a number is too large"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, CodecError> {
        Ok(self.u(1)? == 1)
    }

    pub(crate) fn skip(&mut self, bits: u32) -> Result<(), CodecError> {
        self.reader.skip(bits).map_err(|e| self.error(&e))?;
        self.position = self.position.saturating_add(u64::from(bits));
        Ok(())
    }

    /// Exp-Golomb code of an unsigned number (H.264 §9.1).
    pub(crate) fn ue(&mut self) -> Result<u32, CodecError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(CodecError::malformed(self.what, "an Exp-Golomb code has more than 32 bits"));
            }
        }
        let rest = u64::from(self.u(zeros)?);
        u32::try_from((1u64 << zeros) - 1 + rest).map_err(|_| CodecError::malformed(self.what, "a number is too large"))
    }

    /// Exp-Golomb code of a signed number (H.264 §9.1.1).
    pub(crate) fn se(&mut self) -> Result<i64, CodecError> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 0 { -(code / 2) } else { (code + 1) / 2 })
    }

    /// A number of variable length as AV1 codes it (AV1 §4.10.3).
    pub(crate) fn uvlc(&mut self) -> Result<u32, CodecError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros >= 32 {
                return Ok(u32::MAX);
            }
        }
        let rest = u64::from(self.u(zeros)?);
        Ok(u32::try_from((1u64 << zeros) - 1 + rest).unwrap_or(u32::MAX))
    }

    fn error(&self, error: &std::io::Error) -> CodecError {
        match error.kind() {
            ErrorKind::UnexpectedEof => CodecError::Truncated { what: self.what },
            _ => CodecError::malformed(self.what, "a bit field cannot be read"),
        }
    }
}

/// Collects bits, most significant first.
#[derive(Default)]
pub(crate) struct BitSink {
    bytes: Vec<u8>,
    used: u32,
}

impl BitSink {
    pub(crate) fn put(&mut self, value: u32, bits: u32) {
        for shift in (0..bits).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
                self.used = 0;
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= (((value >> shift) & 1) as u8) << (7 - self.used);
            }
            self.used += 1;
        }
    }

    /// Exp-Golomb code of an unsigned number.
    pub(crate) fn put_ue(&mut self, value: u32) {
        let code = value.saturating_add(1);
        let bits = u32::BITS - code.leading_zeros();
        self.put(0, bits - 1);
        self.put(code, bits);
    }

    /// Whether the next bit begins a byte.
    pub(crate) fn is_aligned(&self) -> bool {
        self.used.is_multiple_of(8)
    }

    /// The bytes, the last filled up with zeros.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
