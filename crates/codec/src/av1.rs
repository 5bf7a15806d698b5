//! AV1: OBUs, sequence header and configuration record (AV1 bitstream specification, AV1 in ISOBMFF).

mod config;
mod frame;
mod obu;
mod sequence;

pub use config::{Av1Config, write_sized};
pub use frame::{has_sequence_header, is_key_frame};
pub use obu::{Obu, Obus, leb128_bytes, obu_type, read_leb128, write_leb128};
pub use sequence::SequenceHeader;
