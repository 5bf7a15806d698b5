//! What NAL units say about their picture (ITU-T H.265 §7.3.1).

use crate::bits::Bits;
use crate::nal::Nals;
use crate::rbsp;

use super::{Sps, nal_type};

/// `nal_unit_type`; 63 (unspecified) for an empty unit.
pub fn unit_type(nal: &[u8]) -> u8 {
    nal.first().map_or(63, |byte| (byte >> 1) & 0x3f)
}

/// Whether the unit holds a slice.
pub fn is_slice(nal: &[u8]) -> bool {
    unit_type(nal) < nal_type::VCL_END
}

/// Whether the unit is a video, sequence or picture parameter set.
pub fn is_parameter_set(nal: &[u8]) -> bool {
    (nal_type::VPS..=nal_type::PPS).contains(&unit_type(nal))
}

/// The id of a parameter set, if the unit is one and can be read.
pub fn parameter_set_id(nal: &[u8]) -> Option<u8> {
    const HEAD_BYTES: usize = 24;
    match unit_type(nal) {
        nal_type::VPS => Some(nal.get(2)? >> 4),
        nal_type::SPS => Sps::parse(nal).ok().map(|sps| sps.id),
        nal_type::PPS => {
            let head = rbsp::unescape(nal, HEAD_BYTES);
            u8::try_from(Bits::new("H.265 parameter set", head.get(2..)?).ue().ok()?).ok()
        }
        _ => None,
    }
}

/// Whether nothing in its layer refers to this frame, so that leaving it out harms no other: every slice is of a
/// sub-layer non-reference picture.
pub fn is_disposable(frame: &[u8]) -> bool {
    let mut slices = 0;
    for nal in Nals::new(frame).flatten().filter(|nal| is_slice(nal)) {
        if unit_type(nal) >= nal_type::IRAP_FIRST || unit_type(nal) % 2 == 1 {
            return false;
        }
        slices += 1;
    }
    slices > 0
}

/// Whether a decoder can start at this frame: its first slice is of an IRAP picture.
pub fn is_random_access(frame: &[u8]) -> bool {
    let first = Nals::new(frame).flatten().find(|nal| is_slice(nal));
    first.is_some_and(|nal| (nal_type::IRAP_FIRST..=nal_type::IRAP_LAST).contains(&unit_type(nal)))
}

/// Whether the frame carries a sequence parameter set itself.
pub fn has_parameter_sets(frame: &[u8]) -> bool {
    Nals::new(frame).flatten().take_while(|nal| !is_slice(nal)).any(|nal| unit_type(nal) == nal_type::SPS)
}
