//! Why an agent did not come about or did not stay: one word to count by, and what was said.

use headwater_agent::AgentError;
use headwater_net::DialError;
use serde::Serialize;

/// What failures are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The plan: the address is out of bounds.
    NotAllowed,
    /// The plan, or the network: the name has no address.
    NotFound,
    /// The server: nobody takes the connection.
    ConnectionRefused,
    /// The server, or the plan: TLS fails.
    Tls,
    /// The server does not answer a request in time.
    NoAnswer,
    /// The server: HTTP 401 or 403, or the same in words.
    Denied,
    /// The server: HTTP 404, or the same in words.
    NoStream,
    /// The server refuses otherwise.
    Refused,
    /// The server: what it says is not what it should speak.
    Protocol,
    /// The server, or the network: ICE or DTLS comes to no end.
    NotConnected,
    /// The server: it is connected and sends nothing.
    NoMedia,
    /// The server: media has stopped.
    Silent,
    /// The server: the session has been ended by it.
    Ended,
    /// The network: the connection is lost.
    Lost,
    /// Here: no descriptors, no memory, too much at once.
    Generator,
}

/// Why one agent has failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Failure {
    /// What it is counted by.
    pub reason: Reason,
    /// What was said, for people.
    pub words: String,
}

impl Failure {
    /// A failure, with what is of use of a peer's words.
    pub(crate) fn new(reason: Reason, words: impl ToString) -> Failure {
        let words = words.to_string();
        Failure { reason, words: words.chars().filter(|letter| !letter.is_control()).take(300).collect() }
    }

    pub(crate) fn generator(words: impl ToString) -> Failure {
        Failure::new(Reason::Generator, words)
    }
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Failure {
        let reason = match &error {
            DialError::NotFound { .. } | DialError::BadName(_) => Reason::NotFound,
            DialError::Forbidden { .. } => Reason::NotAllowed,
            DialError::Refused { .. } => Reason::ConnectionRefused,
            DialError::Tls { .. } => Reason::Tls,
            DialError::TimedOut { .. } => Reason::NoAnswer,
            _ => Reason::Lost,
        };
        match error {
            // Agents are told the addresses that they may go to, and no others.
            DialError::Forbidden { host } => Failure::new(reason, format!("agents may not connect to {host}")),
            error => Failure::new(reason, error),
        }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Failure {
        let reason = match &error {
            AgentError::Protocol { .. } | AgentError::Answer(_) => Reason::Protocol,
            AgentError::Refused(words) if words.starts_with("404") || words.contains("not found") => Reason::NoStream,
            AgentError::Refused(_) => Reason::Refused,
            AgentError::Denied(_) => Reason::Denied,
            AgentError::TimedOut(_) => Reason::NoAnswer,
            AgentError::Call(_) | AgentError::Publish(_) => Reason::Generator,
            AgentError::Ended(ended) => return Failure::new(of_session(ended), error),
            AgentError::Stopped(_) | AgentError::Terminated(_) => Reason::Ended,
            AgentError::Lost(_) => Reason::Lost,
            _ => Reason::Refused,
        };
        match error {
            AgentError::Dial(error) => error.into(),
            error => Failure::new(reason, error),
        }
    }
}

fn of_session(ended: &headwater_webrtc::Ended) -> Reason {
    use headwater_webrtc::Ended;
    match ended {
        Ended::PeerLeft | Ended::Deleted | Ended::Stream(_) => Reason::Ended,
        Ended::NeverConnected => Reason::NotConnected,
        Ended::Silent => Reason::Silent,
        _ => Reason::Lost,
    }
}
