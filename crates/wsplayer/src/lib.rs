//! WSPlayer: the coded frames of a stream over a WebSocket, for pages that decode them with WebCodecs.
//!
//! ```text
//! page                                          server
//!   │ GET /ws/NAME with Upgrade: websocket         │  101
//!   │ ◄── {"type":"tracks", …} ────────────────────│  codecs and what their decoders must know, again at each change
//!   │ ◄── head, coded bytes ───────────────────────│  one binary message for each frame, the newest group first
//!   │ ◄── {"type":"skipped"} ──────────────────────│  it was too slow and goes on at the newest group
//!   │ ◄── {"type":"end"} or {"type":"error"} ──────│  why it is over, then a close frame
//! ```
//!
//! The messages stand in `docs/reference/wsplayer.md`. Frames go as they are in the graph: their bytes are shared by
//! all viewers, and the head before them is the same for each of them.
//!
//! | specification | where |
//! |---|---|
//! | RFC 6455, WebSocket | `headwater_websocket` |
//! | WebCodecs and its codec registrations, RFC 6381 codec strings | [`wire`] |

mod from_stream;
mod server;
mod wire;

pub use headwater_websocket::Statistics;
pub use server::{WsPlayer, is_wsplayer};
