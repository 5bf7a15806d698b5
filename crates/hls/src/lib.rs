//! HLS and Low-Latency HLS (RFC 8216, draft-pantos-hls-rfc8216bis): playlists, segments and parts in memory.
//!
//! ```text
//!  lanes ──► packager ──► Window (segments, parts) ──► playlists, bytes ──► players
//!            one task per rendition, shared by all who watch
//! ```

mod names;
mod playlist;
mod window;

pub use names::{Address, Item, Names, RenditionName, is_hls};
pub use playlist::{AudioGroup, CONTENT_TYPE, MediaPlaylist, Multivariant, Report, Variant};
pub use window::{Ahead, Begin, Init, Numbers, Part, Position, Segment, Window, WindowOptions};
