//! Who decides about publishers and viewers of this server, in the order in which they are asked.

mod access;
mod announce;

use std::sync::Arc;

use headwater_access::{Access, Action, Gate, Gates};
use headwater_control::Journal;

pub(crate) use access::{AccessSection, open as open_access, tell as tell_of_access};

/// The gates that the configuration asks for: that of the server's own users, tokens and keys first, and the
/// journal's, which is the last.
pub(crate) fn open(access: &Access, journal: &Journal) -> Gates {
    let mut gates: Vec<Arc<dyn Gate>> = Vec::new();
    if access.asks(Action::Publish) || access.asks(Action::Play) {
        gates.push(Arc::new(access.clone()));
    }
    gates.push(Arc::new(announce::Announce(journal.clone())));
    Gates::new(gates)
}
