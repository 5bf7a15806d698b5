//! Sessions against a full WebRTC client over loopback.

mod attack;
mod attack_by_publisher;
mod call;
mod flood;
mod ingest;
mod life;
mod play;
mod publisher;
mod publishing;
mod sender;
mod shards;
mod viewer;
