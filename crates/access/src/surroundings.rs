//! What the checks want of the process around them: time, hands for slow work, and keys from elsewhere.

use std::time::{Instant, SystemTime};

use headwater_graph::BoxFuture;

/// The process around the checks.
pub trait Surroundings: Send + Sync {
    /// A clock that never runs backwards.
    fn now(&self) -> Instant;

    /// The time of day.
    fn wall_clock(&self) -> SystemTime;

    /// Does work of some ten milliseconds where it holds nobody up.
    fn work(&self, work: Box<dyn FnOnce() + Send>);

    /// Fetches the set of keys (JWKS, RFC 7517 §5) that the configuration names, within the limits
    /// `ACCESS_KEY_SET_BYTES` and `ACCESS_FETCH_MS`. The error is a sentence for the log.
    fn fetch_keys(&self) -> BoxFuture<'_, Result<Vec<u8>, String>>;
}
