//! WebRTC viewers and publishers, sharded over threads.
//!
//! | document | what |
//! |---|---|
//! | RFC 8825, RFC 8834, RFC 8835 | WebRTC, its media and its transport |
//! | RFC 8445 §2.5, RFC 6544 | ICE-lite, and ICE over TCP |
//! | RFC 5764, RFC 7714 | DTLS-SRTP, and its authenticated ciphers |
//! | RFC 3550, RFC 4585, RFC 4588 | RTP, feedback, retransmission |
//! | RFC 7675 | consent to go on sending |
//!
//! [`WebRtc::start`] starts the shards; signalling hands over an [`Offer`] and a subscription with [`WebRtc::view`], or
//! a publication with [`WebRtc::publish`], and gets an answer and a [`Session`] back. How a shard works stands in `docs/design/shards.md`, what is sent and
//! why in `docs/design/webrtc-egress.md`.
//!
//! [`Receiver`] is the other side of a viewer, without a server: a session that only receives, for programs that watch
//! many streams to learn what a server holds (`docs/design/webrtc-receiver.md`).

mod backlog;
mod call;
mod config;
mod dtls;
mod egress;
mod error;
mod framing;
pub mod fuzzing;
pub mod measuring;
mod participant;
mod prefetch;
mod publisher;
mod publishers;
mod receive;
mod rewrite;
mod rtc;
mod sdp;
mod server;
mod session;
mod shard;
mod srtp;
mod statistics;
mod transport;
mod viewer;

pub use call::{CallError, Proposal};
pub use config::Config;
pub use error::{PublishError, StartError, ViewError};
pub use publisher::{PublishOptions, Received};
pub use receive::{Arrived, ReceiveError, ReceivedMedia, Receiver, ReceiverCommon, ReceiverEnd, ReceiverState};
pub use sdp::{Answer, Direction, Fragment, Kind, Offer, OfferError};
pub use server::WebRtc;
pub use session::{Accepted, Ended, Session};
pub use statistics::ShardStatistics;
pub use transport::{Transport, UnknownTransport};
pub use viewer::RenditionChoice;
