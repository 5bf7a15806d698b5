//! HLS and Low-Latency HLS (RFC 8216, draft-pantos-hls-rfc8216bis): playlists, segments and parts in memory.
//!
//! ```text
//!  lanes ──► packager ──► Window (segments, parts) ──► playlists, bytes ──► players
//!            one task per rendition, shared by all who watch
//! ```

mod broadcast;
mod config;
mod container;
pub mod dash;
mod error;
mod gzip;
mod hls;
mod http;
mod names;
mod packager;
mod playlist;
mod rendition;
mod segmenter;
mod viewers;
mod waiting;
mod window;

pub use config::HlsConfig;
pub use container::{Container, Format};
pub use error::HlsError;
pub use hls::Hls;
pub use names::{Address, HOME_COOKIE, Item, Names, RenditionName, is_dash, is_hls, is_in_stream, is_media};
pub use playlist::{AudioGroup, CONTENT_TYPE, MediaPlaylist, Multivariant, Report, Variant};
pub use segmenter::Segmenter;
pub use window::{Ahead, Begin, Init, Numbers, Part, Position, Segment, Window, WindowOptions};
