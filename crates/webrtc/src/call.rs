//! Sessions that this side begins: a stream is asked of another server, as a browser would ask.
//!
//! Each has a UDP socket of its own. Between two servers that each have one port, packets of different sessions could
//! not be told apart: a viewer's address stands for its session, and here all would have the same.
//!
//! This side is the full agent of ICE (RFC 8445), as the other is most likely a lite one, and offers both roles of
//! DTLS.

use std::sync::Arc;

use headwater_graph::Publication;
use headwater_net::Permit;
use tokio::sync::oneshot;

use crate::{
    Answer, PublishOptions,
    egress::Common,
    sdp::{self, IceCredentials},
    session::Session,
};

/// An offer that asks another server for a stream, to be sent to it by whatever signalling it speaks.
#[derive(Clone, Debug)]
pub struct Proposal {
    sdp: Arc<str>,
    pub(crate) ice: IceCredentials,
}

impl Proposal {
    pub(crate) fn new(common: &Common) -> Proposal {
        let ice = IceCredentials { fragment: random_text(12), password: random_text(32) };
        let sdp = sdp::propose(&ice, &common.fingerprint()).into();
        Proposal { sdp, ice }
    }

    /// The offer.
    pub fn sdp(&self) -> &Arc<str> {
        &self.sdp
    }
}

/// Why a call does not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The peer: its answer leaves nothing to receive.
    #[error("the answer of the other server cannot be used: {0}")]
    Answer(String),
    /// The peer, or the operator: there is no address to send to.
    #[error("the answer of the other server names no UDP address that this server may send to")]
    NoCandidate,
    /// A limit: too many sessions wait for their peer, or the shards are full.
    #[error("{0}; try again later")]
    Full(String),
    /// Ourselves: the transport could not be set up.
    #[error("the session could not be set up: {0}")]
    Setup(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// A call whose answer has come.
#[derive(Debug)]
pub(crate) struct CallRequest {
    pub(crate) proposal: Proposal,
    pub(crate) peer: Answer,
    pub(crate) publication: Publication,
    pub(crate) options: PublishOptions,
    pub(crate) pending: Permit,
    pub(crate) answer: oneshot::Sender<Result<Session, CallError>>,
}

/// Letters and digits, five bits and more of chance in each.
pub(crate) fn random_text(length: usize) -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), length)
}
