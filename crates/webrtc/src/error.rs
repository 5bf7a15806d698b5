//! What can go wrong, and whose fault it is.

use std::{io, net::SocketAddr};

use headwater_net::Refused;

use crate::OfferError;

/// Why WebRTC could not be started. All are the operator's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be bound.
    #[error("cannot listen for WebRTC media at {address} ({carrier}): {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// UDP or TCP.
        carrier: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A shard's thread did not start.
    #[error("a WebRTC shard could not be started: {0}")]
    Shard(#[source] io::Error),
    /// The cryptographic library could not make a certificate.
    #[error("no certificate for DTLS could be made")]
    Certificate,
}

/// Why a viewer gets no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The peer: its offer breaks a rule.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The peer: its offer is in order, but nothing of the stream can be sent to it.
    #[error("{0}")]
    NothingInCommon(String),
    /// A limit: too many sessions wait for their peer.
    #[error("{0}; try again in a few seconds")]
    Pending(Refused),
    /// A limit: the shards are full.
    #[error("the server has as many WebRTC viewers as it takes; try again later")]
    Full,
    /// Ourselves: the transport could not be set up.
    #[error("the session could not be set up: {0}")]
    Setup(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Why a publisher gets no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The peer: its offer breaks a rule.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The peer: its offer is in order, but not all that it wants to send can be taken.
    #[error("{0}")]
    NotTaken(String),
    /// A limit: too many sessions wait for their peer.
    #[error("{0}; try again in a few seconds")]
    Pending(Refused),
    /// A limit: the shards are full.
    #[error("the server has as many WebRTC sessions as it takes; try again later")]
    Full,
    /// Ourselves: the transport could not be set up.
    #[error("the session could not be set up: {0}")]
    Setup(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}
