//! AAC: the record that describes a track, and ADTS headers (ISO/IEC 14496-3).

mod adts;
mod config;

pub use adts::AdtsHeader;
pub use config::AudioSpecificConfig;

/// Samples of the core coder in a frame of nearly every stream.
pub const FRAME_SAMPLES: u32 = 1_024;

/// Sampling frequencies by index (ISO/IEC 14496-3 table 1.18).
pub(crate) const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Channels by channel configuration (ISO/IEC 14496-3 table 1.19); zero where a program config element says.
pub(crate) const CHANNELS: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8];
