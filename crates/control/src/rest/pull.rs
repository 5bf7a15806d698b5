//! Streams of other servers that are published here.

pub(super) mod rtmp;
pub(super) mod webrtc;
