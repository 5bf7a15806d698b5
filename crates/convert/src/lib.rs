//! Derives packet lanes from frame lanes and back, once per rendition and only while someone reads.
//!
//! The payload formats are those of `headwater-rtp`; here they meet the graph. How arrival order, loss, reordering
//! and B-frames are treated is written down in `docs/design/packets-and-frames.md`.

mod depacketize;
mod packetize;
mod registry;

pub mod statistics;

pub use headwater_rtp::{PacketizerOptions, Reordering};
pub use registry::{Registry, Transcoder, Transcoding};
