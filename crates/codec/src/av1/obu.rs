//! Open bitstream units (AV1 §5.3).

use crate::{CodecError, Reader};

const WHAT: &str = "AV1 OBU";

/// Types of OBUs (AV1 §6.2.2).
pub mod obu_type {
    /// Sequence header.
    pub const SEQUENCE_HEADER: u8 = 1;
    /// Temporal delimiter.
    pub const TEMPORAL_DELIMITER: u8 = 2;
    /// Frame header.
    pub const FRAME_HEADER: u8 = 3;
    /// Tile group.
    pub const TILE_GROUP: u8 = 4;
    /// Metadata.
    pub const METADATA: u8 = 5;
    /// Frame: header and tile group in one.
    pub const FRAME: u8 = 6;
    /// A frame header sent again.
    pub const REDUNDANT_FRAME_HEADER: u8 = 7;
    /// Tile list, for large-scale tile decoding.
    pub const TILE_LIST: u8 = 8;
    /// Padding.
    pub const PADDING: u8 = 15;
}

/// One OBU: header and payload, without the size between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// The header as it came, one or two bytes; its `obu_has_size_field` is not to be trusted after a rewrite.
    pub header: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Obu<'a> {
    /// `obu_type`.
    pub fn obu_type(&self) -> u8 {
        self.header.first().map_or(0, |byte| (byte >> 3) & 0x0f)
    }

    /// Reads one OBU from the front of `data`; one without a size field takes all of it.
    ///
    /// # Errors
    /// When it ends early, its forbidden bit is set or its size is not a valid leb128.
    pub fn read(data: &'a [u8]) -> Result<(Obu<'a>, &'a [u8]), CodecError> {
        let first = Reader::new(WHAT, data).u8()?;
        if first & 0x80 != 0 {
            return Err(CodecError::malformed(WHAT, "its forbidden bit is set"));
        }
        let header_bytes = if first & EXTENSION_FLAG != 0 { 2 } else { 1 };
        let reader = &mut Reader::new(WHAT, data);
        let header = reader.take(header_bytes)?;
        let size = if first & HAS_SIZE_FLAG != 0 { read_leb128(reader)? } else { reader.rest().len() };
        let payload = reader.take(size)?;
        Ok((Obu { header, payload }, reader.rest()))
    }
}

/// Bit of the first header byte: a second header byte follows.
pub(crate) const EXTENSION_FLAG: u8 = 0x04;
/// Bit of the first header byte: a size follows the header.
pub(crate) const HAS_SIZE_FLAG: u8 = 0x02;

/// The OBUs of a temporal unit, in order; stops after the first error.
#[derive(Clone, Debug)]
pub struct Obus<'a> {
    rest: &'a [u8],
}

impl<'a> Obus<'a> {
    /// Iterates over the OBUs of a temporal unit in the low-overhead format (AV1 §5.2).
    pub fn new(unit: &'a [u8]) -> Obus<'a> {
        Obus { rest: unit }
    }
}

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match Obu::read(self.rest) {
            Ok((obu, rest)) => {
                self.rest = rest;
                Some(Ok(obu))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// Reads a number of up to 32 bits in at most 8 bytes (AV1 §4.10.5).
///
/// # Errors
/// When it ends early, is longer than 8 bytes or above 2^32 - 1.
pub fn read_leb128(reader: &mut Reader<'_>) -> Result<usize, CodecError> {
    let mut value = 0u64;
    for index in 0..8 {
        let byte = reader.u8()?;
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).map_err(|_| CodecError::malformed("leb128", "it is above 2^32 - 1"))?;
            return usize::try_from(value).map_err(|_| CodecError::malformed("leb128", "it is above 2^32 - 1"));
        }
    }
    Err(CodecError::malformed("leb128", "it is longer than 8 bytes"))
}

/// Writes a number in the fewest bytes.
pub fn write_leb128(mut value: usize, out: &mut Vec<u8>) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// How many bytes [`write_leb128`] writes.
pub fn leb128_bytes(value: usize) -> usize {
    let bits = (usize::BITS - value.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}
