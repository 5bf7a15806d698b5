//! Runs of load agents that this server can start against others.

mod kind;
mod order;
mod row;

use headwater_graph::BoxFuture;

pub use kind::{LoadAbilitiesObject, LoadKindObject};
pub use order::LoadOrder;
pub use row::{LoadObject, LoadResultsObject};

/// Why a run does not begin. The words are a whole sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadRefused {
    /// The order makes no sense, or asks for more than one run may.
    Order(String),
    /// The operator of this server does not allow load to go there.
    Forbidden(String),
    /// A host of a target has no address.
    UnknownHost(String),
    /// There is a run of this name that is not over.
    NameTaken(String),
    /// There are as many runs or agents as there may be.
    TooMany(String),
}

/// The runs of load agents of this server.
pub trait Loads: Send + Sync + 'static {
    /// What agents can do here, and how much.
    fn abilities(&self) -> LoadAbilitiesObject;

    /// Begins a run.
    ///
    /// # Errors
    /// Says why not; nothing has begun then.
    fn start(&self, order: LoadOrder) -> BoxFuture<'static, Result<LoadObject, LoadRefused>>;

    /// The runs that go on, and the last of those that are over; the newest first.
    fn list(&self) -> Vec<LoadObject>;

    /// What a run has found.
    fn results(&self, uri: &str) -> Option<LoadResultsObject>;

    /// Has all agents of a run leave; `None` if there is no such run.
    fn terminate(&self, uri: &str) -> Option<LoadObject>;
}
