//! Sessions against a full WebRTC client over loopback.

mod play;
mod publisher;
mod viewer;
