//! The one place with sockets, threads and clocks: batched UDP, TCP with limits, TLS, shards, addresses.
//!
//! | module | what it gives |
//! |---|---|
//! | [`UdpSocket`], [`Burst`], [`Volley`] | datagrams in batches: GRO in, GSO out |
//! | [`kernel_drops`] | datagrams that the kernel threw away |
//! | [`Listener`], [`Connection`] | TCP, accepted under limits |
//! | [`Conversation`], [`Shortcut`] | answers written past the task that leads a connection |
//! | [`Quota`] | a limit for all and one for each address |
//! | [`TlsAcceptor`], [`Identity`] | TLS with a time limit, from files or with a certificate made at start |
//! | [`Dialer`], [`Reach`] | connections to other servers, as far as they are allowed |
//! | [`answer_over`] | the answer to a request over a connection of its own |
//! | [`Shard`] | a thread that owns what runs on it |
//! | [`TokioEnvironment`], [`WallClock`] | the graph's executor and clock; the time of day |
//! | [`candidate_addresses`] | the addresses a peer may reach a socket at |
//!
//! It knows no protocol, and of the graph only what that wants of a runtime ([`TokioEnvironment`]).

mod addresses;
mod burst;
mod dial;
mod environment;
mod kernel_drops;
mod listener;
mod over;
mod quota;
mod reach;
mod shard;
mod shortcut;
mod tls;
mod udp;
mod volley;

pub use addresses::candidate_addresses;
pub use burst::Burst;
pub use dial::{DialError, Dialed, Dialer, connect, peer_of};
pub use environment::{TokioEnvironment, WallClock};
pub use kernel_drops::kernel_drops;
pub use listener::{Connection, IdleConnection, Listener};
pub use over::answer_over;
pub use quota::{Permit, Quota, Refused};
pub use reach::Reach;
pub use shard::{Shard, take_precedence};
pub use shortcut::{Conversation, Passed, Shortcut};
pub use tls::{Identity, PeerCertificate, TlsAcceptor, TlsError, TlsStream, refuses_certificate};
pub use udp::{Datagram, OpenDatagram, ReceiveBuffer, Sent, UdpSender, UdpSocket};
pub use volley::Volley;
