//! `AVCDecoderConfigurationRecord`, the record behind "avcC" (ISO/IEC 14496-15 §5.3.3.1).

use bytes::{BufMut, Bytes, BytesMut};

use crate::{CodecError, Reader};

use super::Sps;

const WHAT: &str = "AVC configuration record";

/// The parameter sets of an H.264 track and how its NAL units are delimited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfig {
    /// `profile_idc`, constraint flags and `level_idc` as in the first sequence parameter set.
    pub profile_level: [u8; 3],
    /// Bytes of the length before each NAL unit: 1, 2 or 4 (3 is tolerated).
    pub length_size: u8,
    /// Sequence parameter sets, NAL header included.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets, NAL header included.
    pub pps: Vec<Bytes>,
    /// What follows in the record for the High profiles, as it came; empty where the writer left it out.
    pub extension: Bytes,
}

impl AvcConfig {
    /// Reads a record; the parameter sets share its memory.
    ///
    /// # Errors
    /// When it ends early or its version is not 1.
    pub fn parse(record: &Bytes) -> Result<AvcConfig, CodecError> {
        let reader = &mut Reader::new(WHAT, record);
        if reader.u8()? != 1 {
            return Err(CodecError::malformed(WHAT, "its version is not 1"));
        }
        let profile_level = [reader.u8()?, reader.u8()?, reader.u8()?];
        let length_size = (reader.u8()? & 3) + 1;
        let sps_count = reader.u8()? & 0x1f;
        let sps = (0..sps_count).map(|_| reader.block16(record)).collect::<Result<_, _>>()?;
        let pps_count = reader.u8()?;
        let pps = (0..pps_count).map(|_| reader.block16(record)).collect::<Result<_, _>>()?;
        let extension = record.slice_ref(reader.rest());
        Ok(AvcConfig { profile_level, length_size, sps, pps, extension })
    }

    /// The record for parameter sets that came on their own, with lengths of four bytes.
    ///
    /// # Errors
    /// When there is no sequence parameter set, the first cannot be read, or a set is too long for the record.
    pub fn from_parameter_sets(sps: Vec<Bytes>, pps: Vec<Bytes>) -> Result<AvcConfig, CodecError> {
        let first = sps.first().ok_or(CodecError::malformed(WHAT, "it has no sequence parameter set"))?;
        let facts = Sps::parse(first)?;
        if sps.len() > 31 || pps.len() > 255 {
            return Err(CodecError::malformed(WHAT, "it has too many parameter sets"));
        }
        if sps.iter().chain(&pps).any(|set| set.len() > usize::from(u16::MAX)) {
            return Err(CodecError::malformed(WHAT, "a parameter set is too long"));
        }
        let extension = if matches!(facts.profile_idc, 66 | 77 | 88) {
            Bytes::new()
        } else {
            let chroma = 0xfc | facts.chroma_format_idc;
            let depths = [facts.bit_depth_luma, facts.bit_depth_chroma].map(|depth| 0xf8 | depth.saturating_sub(8));
            Bytes::copy_from_slice(&[chroma, depths[0], depths[1], 0])
        };
        let profile_level = [facts.profile_idc, facts.constraint_flags, facts.level_idc];
        Ok(AvcConfig { profile_level, length_size: 4, sps, pps, extension })
    }

    /// `profile-level-id` as SDP and codec strings have it, in six hexadecimal digits (RFC 6184 §8.1).
    pub fn profile_level_id(&self) -> String {
        let [profile, constraints, level] = self.profile_level;
        format!("{profile:02x}{constraints:02x}{level:02x}")
    }

    /// The bytes of the record.
    pub fn write(&self) -> Bytes {
        let sets: usize = self.sps.iter().chain(&self.pps).map(|set| set.len() + 2).sum();
        let mut out = BytesMut::with_capacity(7 + sets + self.extension.len());
        out.put_u8(1);
        out.put_slice(&self.profile_level);
        out.put_u8(0xfc | (self.length_size.saturating_sub(1) & 3));
        out.put_u8(0xe0 | (self.sps.len() as u8 & 0x1f));
        put_sets(&mut out, &self.sps);
        out.put_u8(self.pps.len() as u8);
        put_sets(&mut out, &self.pps);
        out.put_slice(&self.extension);
        out.freeze()
    }
}

fn put_sets(out: &mut BytesMut, sets: &[Bytes]) {
    for set in sets {
        out.put_u16(set.len() as u16);
        out.put_slice(set);
    }
}
