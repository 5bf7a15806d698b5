//! AV1: OBUs, sequence header and configuration record (AV1 bitstream specification, AV1 in ISOBMFF).

mod config;
mod obu;
mod sequence;

pub use config::{Av1Config, write_sized};
pub use obu::{Obu, Obus, leb128_bytes, obu_type, read_leb128, write_leb128};
pub use sequence::SequenceHeader;
