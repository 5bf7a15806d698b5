//! `HEVCDecoderConfigurationRecord`, the record behind "hvcC" (ISO/IEC 14496-15 §8.3.3.1).

use bytes::{BufMut, Bytes, BytesMut};

use crate::{CodecError, Reader};

use super::{Sps, nal_type};

const WHAT: &str = "HEVC configuration record";
/// Bytes before the number of arrays.
const HEAD_BYTES: usize = 22;

/// The parameter sets of an H.265 track and how its NAL units are delimited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HevcConfig {
    /// The 22 bytes before the arrays: profile, tier, level, chroma format, bit depths, frame rate, length size.
    pub head: [u8; HEAD_BYTES],
    /// The parameter sets (and SEI messages) by NAL unit type, in the order of the record.
    pub arrays: Vec<NalArray>,
}

/// NAL units of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NalArray {
    /// Whether all such NAL units are here and none in the frames.
    pub complete: bool,
    /// `NAL_unit_type`.
    pub nal_type: u8,
    /// The units, with their header of two bytes.
    pub nals: Vec<Bytes>,
}

impl HevcConfig {
    /// Reads a record; the parameter sets share its memory.
    ///
    /// # Errors
    /// When it ends early or its version is not 1.
    pub fn parse(record: &Bytes) -> Result<HevcConfig, CodecError> {
        let reader = &mut Reader::new(WHAT, record);
        let head: [u8; HEAD_BYTES] =
            reader.take(HEAD_BYTES)?.try_into().map_err(|_| CodecError::Truncated { what: WHAT })?;
        // Drafts of the format, and files made by them, have version 0.
        if head.first().is_none_or(|version| *version > 1) {
            return Err(CodecError::malformed(WHAT, "its version is not 1"));
        }
        let count = reader.u8()?;
        let arrays = (0..count).map(|_| NalArray::read(reader, record)).collect::<Result<_, _>>()?;
        Ok(HevcConfig { head, arrays })
    }

    /// The record for parameter sets that came on their own, with lengths of four bytes.
    ///
    /// # Errors
    /// When there is no sequence parameter set, the first cannot be read, or a set is too long for the record.
    pub fn from_parameter_sets(vps: Vec<Bytes>, sps: Vec<Bytes>, pps: Vec<Bytes>) -> Result<HevcConfig, CodecError> {
        let first = sps.first().ok_or(CodecError::malformed(WHAT, "it has no sequence parameter set"))?;
        let facts = Sps::parse(first)?;
        let kinds = [(nal_type::VPS, vps), (nal_type::SPS, sps), (nal_type::PPS, pps)];
        let too_long = |set: &Bytes| set.len() > usize::from(u16::MAX);
        if kinds.iter().any(|(_, sets)| sets.len() > 255 || sets.iter().any(too_long)) {
            return Err(CodecError::malformed(WHAT, "it has too many or too long parameter sets"));
        }
        let arrays = kinds.into_iter().filter(|(_, sets)| !sets.is_empty());
        let arrays = arrays.map(|(nal_type, nals)| NalArray { complete: true, nal_type, nals }).collect();
        Ok(HevcConfig { head: head(&facts), arrays })
    }

    /// Bytes of the length before each NAL unit.
    pub fn length_size(&self) -> u8 {
        (self.head[HEAD_BYTES - 1] & 3) + 1
    }

    /// Sets the bytes of the length before each NAL unit: 1, 2 or 4.
    pub fn set_length_size(&mut self, size: u8) {
        let last = &mut self.head[HEAD_BYTES - 1];
        *last = (*last & !3) | (size.saturating_sub(1) & 3);
    }

    /// The NAL units of one type.
    pub fn nals(&self, nal_type: u8) -> impl Iterator<Item = &Bytes> {
        self.arrays.iter().filter(move |array| array.nal_type == nal_type).flat_map(|array| &array.nals)
    }

    /// The bytes of the record.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_slice(&self.head);
        out.put_u8(self.arrays.len() as u8);
        for array in &self.arrays {
            out.put_u8((u8::from(array.complete) << 7) | (array.nal_type & 0x3f));
            out.put_u16(array.nals.len() as u16);
            for nal in &array.nals {
                out.put_u16(nal.len() as u16);
                out.put_slice(nal);
            }
        }
        out.freeze()
    }
}

impl NalArray {
    fn read(reader: &mut Reader<'_>, record: &Bytes) -> Result<NalArray, CodecError> {
        let kind = reader.u8()?;
        let count = reader.u16()?;
        let nals = (0..count).map(|_| reader.block16(record)).collect::<Result<_, _>>()?;
        Ok(NalArray { complete: kind & 0x80 != 0, nal_type: kind & 0x3f, nals })
    }
}

fn head(sps: &Sps) -> [u8; HEAD_BYTES] {
    let profile = &sps.profile;
    let kind = (profile.profile_space << 6) | (u8::from(profile.high_tier) << 5) | (profile.profile_idc & 0x1f);
    let [c0, c1, c2, c3] = profile.compatibility.to_be_bytes();
    let [k0, k1, k2, k3, k4, k5] = profile.constraints;
    let chroma = 0xfc | sps.chroma_format_idc;
    let luma_bits = 0xf8 | (sps.bit_depth_luma.saturating_sub(8) & 7);
    let chroma_bits = 0xf8 | (sps.bit_depth_chroma.saturating_sub(8) & 7);
    let layers = (sps.temporal_layers << 3) | (u8::from(sps.temporal_id_nesting) << 2) | 3;
    // Segmentation, parallelism and frame rate are left unsaid (0).
    [
        1,
        kind,
        c0,
        c1,
        c2,
        c3,
        k0,
        k1,
        k2,
        k3,
        k4,
        k5,
        profile.level_idc,
        0xf0,
        0,
        0xfc,
        chroma,
        luma_bits,
        chroma_bits,
        0,
        0,
        layers,
    ]
}
