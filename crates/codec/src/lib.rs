//! Bitstream headers of H.264, H.265, AV1, VP8, VP9, AAC and Opus: parse, describe, convert.
//!
//! Nothing here decodes media, keeps state or trusts a byte: every function returns an error, never panics, on bytes
//! that are not what they claim to be.
//!
//! | module | reads and writes |
//! |---|---|
//! | [`h264`] | parameter sets, slices, `avcC` (ITU-T H.264, ISO/IEC 14496-15) |
//! | [`h265`] | parameter sets, `hvcC` (ITU-T H.265, ISO/IEC 14496-15) |
//! | [`nal`] | NAL units behind lengths and behind start codes |
//! | [`av1`] | OBUs, sequence header, `av1C` (AV1, AV1 in ISOBMFF) |
//! | [`vp8`] | frame header (RFC 6386) |
//! | [`vp9`] | frame header, `vpcC` |
//! | [`aac`] | `AudioSpecificConfig`, ADTS (ISO/IEC 14496-3) |
//! | [`opus`] | identification header, packet duration (RFC 7845, RFC 6716) |
//! | [`parameters`] | from a configuration record to the parameters of a track |

mod bits;
mod codec_string;
mod error;
mod rbsp;
mod reader;

pub mod aac;
pub mod av1;
pub mod h264;
pub mod h265;
pub mod nal;
pub mod opus;
pub mod parameters;
pub mod vp8;
pub mod vp9;

pub use codec_string::codec_string;
pub use error::CodecError;
pub use reader::Reader;
