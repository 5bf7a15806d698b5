//! What NAL units and slices say about their picture (ITU-T H.264 §7.3.1, §7.3.3, §D.1).

use crate::bits::Bits;
use crate::nal::Nals;
use crate::{Reader, rbsp};

use super::nal_type;

/// `nal_unit_type`; zero for an empty unit.
pub fn unit_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |byte| byte & 0x1f)
}

/// `nal_ref_idc`: zero says that no other picture refers to this one.
pub fn ref_idc(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |byte| (byte >> 5) & 3)
}

/// Whether the unit holds a slice or a partition of one.
pub fn is_slice(nal: &[u8]) -> bool {
    (nal_type::SLICE..=nal_type::IDR).contains(&unit_type(nal))
}

/// Whether the unit is a sequence or picture parameter set.
pub fn is_parameter_set(nal: &[u8]) -> bool {
    matches!(unit_type(nal), nal_type::SPS | nal_type::PPS)
}

/// The id of a sequence or picture parameter set, if the unit is one and can be read.
pub fn parameter_set_id(nal: &[u8]) -> Option<u8> {
    const HEAD_BYTES: usize = 24;
    let id_at = match unit_type(nal) {
        nal_type::SPS => 4,
        nal_type::PPS => 1,
        _ => return None,
    };
    let head = rbsp::unescape(nal, HEAD_BYTES);
    u8::try_from(Bits::new("H.264 parameter set", head.get(id_at..)?).ue().ok()?).ok()
}

/// The type of a slice (ITU-T H.264 table 7-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceType {
    /// Predicted from pictures of one list.
    P,
    /// Predicted from pictures of two lists.
    B,
    /// Not predicted from other pictures.
    I,
    /// Switching P.
    SP,
    /// Switching I.
    SI,
}

/// The type of a slice, if the unit is one and can be read.
pub fn slice_type(nal: &[u8]) -> Option<SliceType> {
    /// Two Exp-Golomb codes of 32 bits have 126 bits.
    const HEAD_BYTES: usize = 24;
    if !matches!(unit_type(nal), nal_type::SLICE | nal_type::PARTITION_A | nal_type::IDR) {
        return None;
    }
    let head = rbsp::unescape(nal, HEAD_BYTES);
    let mut bits = Bits::new("H.264 slice header", head.get(1..)?);
    bits.ue().ok()?; // first_mb_in_slice
    match bits.ue().ok()? {
        0 | 5 => Some(SliceType::P),
        1 | 6 => Some(SliceType::B),
        2 | 7 => Some(SliceType::I),
        3 | 8 => Some(SliceType::SP),
        4 | 9 => Some(SliceType::SI),
        _ => None,
    }
}

/// `recovery_frame_cnt` of a recovery point message, if the unit is an SEI with one (ITU-T H.264 §D.1.8).
pub fn recovery_point(sei: &[u8]) -> Option<u32> {
    const RECOVERY_POINT: u32 = 6;
    /// Recovery points come first; a long user message is not searched to its end.
    const SEARCHED_BYTES: usize = 1_024;
    if unit_type(sei) != nal_type::SEI {
        return None;
    }
    let data = rbsp::unescape(sei, SEARCHED_BYTES);
    let mut reader = Reader::new("H.264 SEI", data.get(1..)?);
    loop {
        let kind = read_sei_number(&mut reader)?;
        let size = read_sei_number(&mut reader)?;
        if kind == RECOVERY_POINT {
            return Bits::new("H.264 recovery point", reader.rest()).ue().ok();
        }
        reader.take(size as usize).ok()?;
    }
}

/// A number as a run of 0xff and a last byte (ITU-T H.264 §7.3.2.3.1).
fn read_sei_number(reader: &mut Reader<'_>) -> Option<u32> {
    let mut value = 0u32;
    loop {
        let byte = reader.u8().ok()?;
        value = value.checked_add(u32::from(byte))?;
        if byte != 0xff {
            return Some(value);
        }
    }
}

/// Whether a decoder can start at this frame: it has an IDR picture or a recovery point.
pub fn is_random_access(frame: &[u8]) -> bool {
    for nal in Nals::new(frame).flatten() {
        match unit_type(nal) {
            nal_type::IDR => return true,
            nal_type::SEI if recovery_point(nal).is_some() => return true,
            nal_type::SLICE => return false,
            _ => {}
        }
    }
    false
}

/// Whether nothing refers to this frame, so that leaving it out harms no other: every slice has `nal_ref_idc` 0.
pub fn is_disposable(frame: &[u8]) -> bool {
    let mut slices = 0;
    for nal in Nals::new(frame).flatten().filter(|nal| is_slice(nal)) {
        if ref_idc(nal) != 0 {
            return false;
        }
        slices += 1;
    }
    slices > 0
}

/// Whether the frame carries a sequence parameter set itself.
pub fn has_parameter_sets(frame: &[u8]) -> bool {
    Nals::new(frame).flatten().take_while(|nal| !is_slice(nal)).any(|nal| unit_type(nal) == nal_type::SPS)
}
