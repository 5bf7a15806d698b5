//! Sessions against a full WebRTC client over loopback.

mod attack;
mod ingest;
mod life;
mod play;
mod publisher;
mod publishing;
mod sender;
mod viewer;
