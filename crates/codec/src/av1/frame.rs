//! What a temporal unit says about its picture (AV1 §5.9.2).

use super::obu::{Obus, obu_type};

/// Whether a decoder can start at this temporal unit: its first frame is a key frame that is shown.
///
/// It also needs the sequence header, from the unit or from the configuration record.
pub fn is_key_frame(unit: &[u8]) -> bool {
    let is_frame = |kind| matches!(kind, obu_type::FRAME | obu_type::FRAME_HEADER);
    let first = Obus::new(unit).flatten().find(|obu| is_frame(obu.obu_type()));
    // show_existing_frame, two bits of frame_type (0 is a key frame), show_frame.
    first.and_then(|obu| obu.payload.first()).is_some_and(|byte| byte & 0xf0 == 0x10)
}

/// Whether the unit carries a sequence header itself.
pub fn has_sequence_header(unit: &[u8]) -> bool {
    Obus::new(unit).flatten().any(|obu| obu.obu_type() == obu_type::SEQUENCE_HEADER)
}
