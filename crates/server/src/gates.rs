//! Who decides about publishers and viewers of this server, in the order in which they are asked.

mod access;
mod announce;
mod draining;
mod hooks;
mod lists;
mod roles;

use std::sync::Arc;

use headwater_access::{Access, AccessLists, Gate, Gates};
use headwater_control::Journal;
use headwater_hooks::Hooks;

use crate::traces::Traces;

pub(crate) use access::{AccessSection, begin as begin_access, open as open_access, take_up as take_up_access};
pub(crate) use draining::{Doors, Inside, Turn};
pub(crate) use hooks::{HooksSection, open as open_hooks, start as start_hooks};
pub(crate) use lists::Lists;
pub(crate) use roles::{Duty, Roles};

/// The gates that the configuration asks for: that of the server's own users, tokens and keys, then that of the
/// applications behind it, which so need not be asked about strangers, and the journal's, which is the last. That of
/// traces is the first, as it sees how long the others take; then comes whether anybody is taken at all, and what the
/// server's role leaves to clients. Keys of streams are asked for behind the applications, which may give another name to
/// a wish, and a key.
///
/// Each is there from the start, since what it decides by may change while the server runs.
pub(crate) fn open(
    traces: &Traces,
    doors: &Doors,
    roles: &Roles,
    access: &Access,
    hooks: &Hooks,
    lists: &AccessLists,
    journal: &Journal,
) -> Gates {
    let announce = announce::Announce(journal.clone());
    hooks.figures().observe(Arc::new(traces.clone()));
    let gates: [Arc<dyn Gate>; 7] = [
        Arc::new(traces.clone()),
        Arc::new(doors.clone()),
        Arc::new(roles.clone()),
        Arc::new(access.clone()),
        Arc::new(hooks.clone()),
        Arc::new(lists.clone()),
        Arc::new(announce),
    ];
    Gates::new(gates)
}
