//! Hooks against real HTTP servers: good, refusing, slow, broken, gone and hostile ones.

mod back_end;
mod changes;
mod clients;
mod decisions;
mod events;
mod isolation;
mod keep_alive;
mod policies;
mod secure;
