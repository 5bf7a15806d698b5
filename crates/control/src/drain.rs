//! A server that is emptied before it stops.

use serde::Serialize;
use utoipa::ToSchema;

/// How far a server is with sending its clients elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Drain)]
pub struct DrainObject {
    /// "DRAINING", or "DRAINED" once nobody is left or the time is over.
    pub state: &'static str,
    /// Whether the process ends then.
    pub exits: bool,
    /// Viewers that are still here, other servers not counted.
    pub viewers: u64,
    /// Publishers that are still here.
    pub publishers: u64,
    /// Clients that are connected, whether they watch, publish or neither.
    pub sessions: u64,
    /// Viewers that have been sent away.
    pub viewers_moved: u64,
    /// Publishers that have been sent away.
    pub publishers_moved: u64,
    /// Milliseconds until whoever is left is cut off.
    pub remaining_ms: u64,
}

/// Empties this server.
pub trait Drain: Send + Sync + 'static {
    /// Takes nobody new from now on, sends viewers away bit by bit and publishers last; with `exits` the process then
    /// ends. Asked again, it tells how far it is; once it is to end, it stays so.
    fn drain(&self, exits: bool) -> DrainObject;
}
