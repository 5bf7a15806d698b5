//! Audio conversion between AAC, Opus and G.711, sound files for live tracks, and the built-in test picture.
//!
//! | codec | decode | encode | by |
//! |---|---|---|---|
//! | AAC-LC, HE-AAC, HE-AAC v2 (ISO/IEC 14496-3) | yes | AAC-LC, 48 kHz | fdk-aac, cargo feature `fdk-aac` |
//! | Opus (RFC 6716) | yes | 48 kHz, 20 ms | libopus |
//! | G.711 µ-law and A-law | yes | 8 kHz mono | audio-codec-algorithms |
//!
//! Without the feature `fdk-aac`, which brings C code under the Fraunhofer FDK licence, AAC is not converted, and
//! [`transcoder`] says so by giving `None`.
//! Sound files are WAV (RIFF), read by hound: [`Clip`].
//!
//! Nothing here opens a socket, starts a thread or reads a clock.

mod clip;
mod conversion;
mod decoder;
mod encoder;
mod error;
mod framer;
mod mix;
mod pcm;
mod resample;
mod shaper;
mod splice;
mod timeline;
mod transcoder;

#[cfg(all(test, feature = "fdk-aac"))]
mod testing;

pub mod statistics;
pub mod test_pattern;

pub use clip::{Clip, ClipEncoder};
pub use conversion::transcoder;
pub use decoder::{Decoder, decoder};
pub use encoder::{Encoder, encoder, encoder_like};
pub use error::Error;
pub use pcm::Pcm;
pub use test_pattern::{PatternOptions, TestPattern};
pub use transcoder::{AudioTranscoder, Output};
