//! Who sees relays come and go, as an operator's traces do.

use headwater_media::StreamName;

use crate::course::Status;

/// Sees each relay from its beginning on.
pub trait Observer: Send + Sync {
    /// A relay begins. What is given back is told of it, and dropped when it is over.
    fn begins(&self, relay: &Begun<'_>) -> Box<dyn Observed>;
}

/// Sees what becomes of one relay.
pub trait Observed: Send + Sync {
    /// It is at this now, for this reason if it was interrupted or is over.
    fn changed(&self, status: Status, reason: Option<&str>);
}

/// A relay that begins.
#[derive(Clone, Copy, Debug)]
pub struct Begun<'a> {
    /// `push` or `pull`.
    pub kind: &'static str,
    /// Its id.
    pub id: &'a str,
    /// The stream of this server.
    pub stream: &'a StreamName,
    /// The URL of the other server without what may be a secret.
    pub url: &'a str,
}
