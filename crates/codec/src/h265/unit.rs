//! What NAL units say about their picture (ITU-T H.265 §7.3.1).

use crate::nal::Nals;

use super::nal_type;

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

/// Whether a decoder can start at this frame: its first slice is of an IRAP picture.
pub fn is_random_access(frame: &[u8]) -> bool {
    let first = Nals::new(frame).flatten().find(|nal| is_slice(nal));
    first.is_some_and(|nal| (nal_type::IRAP_FIRST..=nal_type::IRAP_LAST).contains(&unit_type(nal)))
}

/// Whether the frame carries a sequence parameter set itself.
pub fn has_parameter_sets(frame: &[u8]) -> bool {
    Nals::new(frame)
        .flatten()
        .take_while(|nal| !is_slice(nal))
        .any(|nal| unit_type(nal) == nal_type::SPS)
}
