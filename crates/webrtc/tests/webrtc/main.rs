//! Sessions against a full WebRTC client over loopback.

mod attack;
mod attack_by_publisher;
mod call;
mod call_narrow;
mod call_over_tcp;
mod call_push_renditions;
mod call_renditions;
mod call_silence;
mod call_to_send;
mod flood;
mod ingest;
mod life;
mod play;
mod publisher;
mod publishing;
mod sender;
mod shards;
mod viewer;
