//! Sessions against a full WebRTC client over loopback.

mod attack;
mod life;
mod play;
mod publisher;
mod viewer;
