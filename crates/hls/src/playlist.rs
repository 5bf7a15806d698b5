//! Playlists as text (RFC 8216, rfc8216bis).

mod media;
mod multivariant;

pub use media::{MediaPlaylist, Report};
pub use multivariant::{AudioGroup, Multivariant, Variant};

/// The media type of playlists (RFC 8216 §4).
pub const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";

#[cfg(test)]
mod tests;
