//! The one place with sockets, threads and clocks: batched UDP, TCP with limits, TLS, shards, addresses.
//!
//! | module | what it gives |
//! |---|---|
//! | [`UdpSocket`], [`Burst`] | datagrams in batches: GRO in, GSO out |
//! | [`Listener`], [`Connections`], [`Connection`] | TCP accepted under a limit for all and one for each address |
//! | [`TlsAcceptor`], [`Identity`] | TLS with a time limit, from files or with a certificate made at start |
//! | [`Shard`] | a thread that owns what runs on it |
//! | [`candidate_addresses`] | the addresses a peer may reach a socket at |
//!
//! It knows neither streams nor protocols.

mod addresses;
mod burst;
mod connections;
mod listener;
mod shard;
mod tls;
mod udp;

pub use addresses::candidate_addresses;
pub use burst::Burst;
pub use connections::{Connections, Permit, Refused};
pub use listener::{Connection, Listener};
pub use shard::Shard;
pub use tls::{Identity, TlsAcceptor, TlsError, TlsStream};
pub use udp::{Datagram, ReceiveBuffer, Sent, UdpSocket};
