//! A server that viewers may be sent to, and who knows of some.

/// A server that viewers may be sent to, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What it is told apart by.
    pub id: String,
    /// The host as it stands in a URL: an IPv6 address has brackets.
    pub host: String,
    /// The port where it takes sessions by plain WebSocket, if that is known.
    pub ws: Option<u16>,
    /// The same within TLS.
    pub wss: Option<u16>,
    /// How many viewers it has, if it says so.
    pub viewers: Option<u64>,
    /// How much of its processors' time is used, in percent, if it says so.
    pub cpu: Option<f64>,
    /// Whether it answers.
    pub is_alive: bool,
    /// Whether it wants new sessions: one that starts or stops does not.
    pub accepts: bool,
    /// How often its load was measured. While that stays, the figures above lack those who were sent there since.
    pub measured: u64,
}

impl Candidate {
    /// Whether a viewer may be sent there now.
    pub fn is_open(&self) -> bool {
        self.is_alive && self.accepts
    }
}

/// Knows servers that viewers may be sent to.
pub trait Candidates: Send + Sync + 'static {
    /// All of them as they are now, in an order that stays.
    fn list(&self) -> Vec<Candidate>;
}
