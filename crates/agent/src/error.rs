//! Why a stream does not come from another server or go to it, or does so no more.

use headwater_graph::PublishError;
use headwater_net::DialError;
use headwater_webrtc::{CallError, Ended, OfferError};

/// Why a stream does not come from another server or go to it, or does so no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// Network or request: there is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Peer: it does not speak what its URL says.
    #[error("the other server does not speak {protocol}: {reason}")]
    Protocol {
        /// What was expected.
        protocol: &'static str,
        /// What came instead.
        reason: String,
    },
    /// Peer: it does not give or take the stream.
    #[error("the other server refuses: {0}")]
    Refused(String),
    /// Peer: who asks may not, and will not be allowed to without another token.
    #[error("the other server refuses: {0}")]
    Denied(String),
    /// Request, or peer: it is older than what it is asked for.
    #[error("the other server gives and takes one size only; leave out which sizes are wanted")]
    OneSize,
    /// Peer: it does not answer in time.
    #[error("the other server has not answered to {0}")]
    TimedOut(&'static str),
    /// Peer: its answer breaks a rule.
    #[error("the answer of the other server: {0}")]
    Answer(#[from] OfferError),
    /// The session does not come about.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Here: the name is taken, or there are too many streams.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Peer: it has stopped the stream.
    #[error("the other server has ended it: {0}")]
    Stopped(String),
    /// Network or peer: the signalling connection is lost.
    #[error("the connection to the other server is lost: {0}")]
    Lost(String),
    /// The session has ended.
    #[error("the session with the other server has ended: {0}")]
    Ended(Ended),
    /// Here: an operator or a rule has ended the stream.
    #[error("the stream was ended: {0}")]
    Terminated(String),
}

impl AgentError {
    pub(crate) fn protocol(protocol: &'static str, reason: impl ToString) -> AgentError {
        AgentError::Protocol { protocol, reason: clean(&reason.to_string()) }
    }

    pub(crate) fn refused(words: &str) -> AgentError {
        AgentError::Refused(clean(words))
    }

    pub(crate) fn denied(words: &str) -> AgentError {
        AgentError::Denied(clean(words))
    }
}

/// A peer's words, as far as they are of use.
fn clean(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).take(300).collect()
}
