//! MSE over WebSocket: a stream as fragmented MP4, for pages that play it with Media Source Extensions.
//!
//! ```text
//! page                                          server
//!   │ GET /mse/NAME with Upgrade: websocket        │  101
//!   │ ◄── {"type":"init", "mime": …} ──────────────│  what the next message is, again at each change
//!   │ ◄── init segment ────────────────────────────│
//!   │ ◄── fragment ────────────────────────────────│  one binary message for each frame, the newest group first
//!   │ ◄── {"type":"skipped"} or {"type":"break"} ──│  it was too slow, or the source's time made a jump
//!   │ ◄── {"type":"end"} or {"type":"error"} ──────│  why it is over, then a close frame
//! ```
//!
//! The messages stand in `docs/reference/mse.md`. Fragments are made once for a stream in a choice of codecs by a
//! [`feed`], into a lane that all viewers read; their media is the bytes of the stream's own lanes.

mod chunk;
mod feed;
mod feeds;
mod server;
mod tags;
mod viewing;
mod wire;

pub use headwater_websocket::Statistics;
pub use server::{Mse, is_mse};
pub use tags::Tags;
