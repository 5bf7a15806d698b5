//! Whoever wants to know of each request to an application, as traces do.

use crate::{error::HookError, method::Method};

/// Is told of each request. It must not take time.
pub trait Observer: Send + Sync {
    /// A request about a session is about to be made; `None` if that is of no interest.
    fn begin(&self, session: &str, method: Method) -> Option<Box<dyn Observation>>;
}

/// A request that is under way; dropped without an end if nobody waits for the answer any more.
pub trait Observation: Send + Sync {
    /// The header `traceparent` of the request (W3C Trace Context §3.2).
    fn parent(&self) -> String;

    /// It has been answered, or has failed.
    fn end(&mut self, error: Option<&HookError>);
}
