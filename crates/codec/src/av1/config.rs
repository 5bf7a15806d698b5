//! `AV1CodecConfigurationRecord`, the record behind "av1C" (AV1 in ISOBMFF §2.3.3).

use bytes::{BufMut, Bytes, BytesMut};

use crate::{CodecError, Reader};

use super::obu::{HAS_SIZE_FLAG, Obus, obu_type, write_leb128};
use super::{Obu, SequenceHeader};

const WHAT: &str = "AV1 configuration record";

/// What stands before the first frame of an AV1 track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Av1Config {
    /// The four bytes before the OBUs: version, profile, level, tier, sample format, presentation delay.
    pub head: [u8; 4],
    /// `configOBUs`: usually one sequence header with a size field; may be empty.
    pub obus: Bytes,
}

impl Av1Config {
    /// Reads a record; the OBUs share its memory.
    ///
    /// # Errors
    /// When it ends early or its marker or version is not 1.
    pub fn parse(record: &Bytes) -> Result<Av1Config, CodecError> {
        let reader = &mut Reader::new(WHAT, record);
        let head = reader.u32()?.to_be_bytes();
        if head.first() != Some(&0x81) {
            return Err(CodecError::malformed(WHAT, "its marker and version are not 1"));
        }
        Ok(Av1Config { head, obus: record.slice_ref(reader.rest()) })
    }

    /// The record for a sequence header OBU that came on its own.
    ///
    /// # Errors
    /// When the header cannot be read.
    pub fn from_sequence_header(obu: &Obu<'_>) -> Result<Av1Config, CodecError> {
        let header = SequenceHeader::parse(obu.payload)?;
        let profile_level = (header.profile << 5) | (header.level_idx & 0x1f);
        let format = (u8::from(header.high_tier) << 7)
            | (u8::from(header.bit_depth > 8) << 6)
            | (u8::from(header.bit_depth > 10) << 5)
            | (u8::from(header.monochrome) << 4)
            | (u8::from(header.subsampling_x) << 3)
            | (u8::from(header.subsampling_y) << 2)
            | (header.chroma_sample_position & 3);
        let mut obus = Vec::with_capacity(obu.payload.len() + 4);
        write_sized(obu, &mut obus);
        Ok(Av1Config { head: [0x81, profile_level, format, 0], obus: obus.into() })
    }

    /// The sequence header in the record, if there is one.
    pub fn sequence_header(&self) -> Option<Obu<'_>> {
        Obus::new(&self.obus).flatten().find(|obu| obu.obu_type() == obu_type::SEQUENCE_HEADER)
    }

    /// The bytes of the record.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + self.obus.len());
        out.put_slice(&self.head);
        out.put_slice(&self.obus);
        out.freeze()
    }
}

/// Appends an OBU with a size field.
pub fn write_sized(obu: &Obu<'_>, out: &mut Vec<u8>) {
    let Some((first, extension)) = obu.header.split_first() else {
        return;
    };
    out.push(first | HAS_SIZE_FLAG);
    out.extend_from_slice(extension);
    write_leb128(obu.payload.len(), out);
    out.extend_from_slice(obu.payload);
}
