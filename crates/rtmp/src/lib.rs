//! RTMP, enhanced RTMP, RTMPS and HTTP-FLV: publish and play, as server and as client.
//!
//! | specification | where |
//! |---|---|
//! | Adobe RTMP 1.0: handshake, chunks, messages, commands | [`wire`] |
//! | Enhanced RTMP v1 and v2: FourCC codecs, multitrack, ModEx, capabilities | [`wire::Capabilities`], `headwater-flv` |
//! | HTTP-FLV | [`flv_stream`] |
//!
//! RTMPE, RTMPT and RTMFP are not spoken.
//!
//! ```text
//!  publisher ─ session ─ wire ─ to_stream ─► lanes of the stream
//!  player    ─ session ─ wire ◄ outbox ◄─ from_stream ◄─ lanes of the stream
//! ```

mod access;
mod address;
mod config;
mod context;
mod convoy;
mod error;
mod from_stream;
mod http_flv;
mod outbox;
mod pace;
mod server;
mod session;
mod shared_tcp;
mod sound;
mod timeline;
mod to_stream;
mod transport;

pub mod client;
pub mod wire;

pub use address::{Address, InvalidUrl, RtmpUrl};
pub use config::RtmpConfig;
pub use context::{Context, Counters};
pub use error::{Fault, RtmpError};
pub use http_flv::{CONTENT_TYPE, flv_stream};
pub use server::{serve, serve_tls};
pub use session::handle_connection;
