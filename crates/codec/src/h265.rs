//! H.265: parameter sets, their record and NAL units (ITU-T H.265, ISO/IEC 14496-15).

mod config;
mod sps;
mod unit;

pub use config::{HevcConfig, NalArray};
pub use sps::{ProfileTierLevel, Sps};
pub use unit::{
    has_parameter_sets, is_disposable, is_parameter_set, is_random_access, is_slice, parameter_set_id, unit_type,
};

/// Types of NAL units (ITU-T H.265 table 7-1).
pub mod nal_type {
    /// The first type of a picture that a decoder can start at (BLA_W_LP).
    pub const IRAP_FIRST: u8 = 16;
    /// The last type of a picture that a decoder can start at (RSV_IRAP_VCL23).
    pub const IRAP_LAST: u8 = 23;
    /// Types below are slices.
    pub const VCL_END: u8 = 32;
    /// Video parameter set.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;
    /// Access unit delimiter.
    pub const AUD: u8 = 35;
    /// Filler data.
    pub const FILLER: u8 = 38;
}
