//! RTP payload formats: packetize and depacketize, and a header view.
//!
//! Pure functions of bytes: no socket, no clock, no graph.
//!
//! | codec | payload format |
//! |---|---|
//! | H.264 | RFC 6184, packetization mode 1 written, 0 and 1 read |
//! | H.265 | RFC 7798 |
//! | VP8 | RFC 7741 |
//! | VP9 | RFC 9628, one spatial layer |
//! | AV1 | RTP Payload Format for AV1 1.0 |
//! | Opus | RFC 7587 |
//! | AAC | RFC 3640, AAC-hbr |
//! | G.711, G.722 | RFC 3551 |

mod aac;
mod audio;
mod av1;
mod depacketizer;
mod entry;
mod error;
mod extend;
mod h264;
mod h265;
mod header;
mod nal;
mod opus;
mod order;
mod packetizer;
mod reorder;
mod sampled;
mod video;
mod vp8;
mod vp9;
mod writer;

pub use depacketizer::{Depacketized, Depacketizer, Losses, depacketizer};
pub use entry::EntryFinder;
pub use error::RtpError;
pub use extend::{SequenceExtender, TimestampExtender};
pub use header::{Extensions, Header};
pub use packetizer::{Packetizer, PacketizerOptions, Reordering, packetizer};
pub use reorder::Reorder;
pub use vp8::{PictureId, Vp8Descriptor};
pub use vp9::Vp9Descriptor;
