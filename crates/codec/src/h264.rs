//! H.264: parameter sets, their record, NAL units and slices (ITU-T H.264, ISO/IEC 14496-15).

mod config;
mod repeat;
mod rewrite;
mod sps;
mod unit;
mod vui;

pub use config::AvcConfig;
pub use repeat::Repeat;
pub use rewrite::without_reordering;
pub use sps::Sps;
pub use unit::{
    SliceType, has_parameter_sets, is_disposable, is_parameter_set, is_random_access, is_slice, parameter_set_id,
    recovery_point, ref_idc, slice_type, unit_type,
};

/// Types of NAL units (ITU-T H.264 table 7-1).
pub mod nal_type {
    /// A slice of a picture that is not IDR.
    pub const SLICE: u8 = 1;
    /// Data partition A; B and C follow.
    pub const PARTITION_A: u8 = 2;
    /// A slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const AUD: u8 = 9;
    /// Filler data.
    pub const FILLER: u8 = 12;
}
