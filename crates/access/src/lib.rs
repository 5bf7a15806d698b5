//! Who may publish and play: what protocols ask before they do either.
//!
//! ```text
//!  protocol ── Client ──► Gates::connect ──► Visit        a peer has come
//!           ── Asking ──► Visit::admit   ──► Admission    it wants to publish or to play
//!           ◄── the name, perhaps another ──              it does, until one of both drops the admission
//! ```
//!
//! A protocol knows credentials only as what a peer brought. Which of them are good is known to the gates: the users,
//! tokens and keys of this server, and the back end of an application, asked one after the other. Where there is no
//! gate, everything is allowed.
//!
//! Servers that work together with this one ([`Servers`]) are not asked: they ask their own viewers.
//!
//! [`Access`] is the gate of this server's own users, tokens and keys; REST asks the same [`Access`] who calls.
//! [`AccessLists`] is that of streams whose viewers need a key.

mod access;
mod access_lists;
mod admitted;
mod asking;
mod caller;
mod entry;
mod failures;
mod fingerprint;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod gates;
mod keys;
mod refusals;
mod refused;
mod request;
mod rules;
mod secret;
mod servers;
mod stream_facts;
mod surroundings;
#[doc(hidden)]
pub mod testing;
mod tokens;
mod users;

pub use access::{Access, AccessBuilder, Asked, Successor};
pub use access_lists::AccessLists;
pub use admitted::Admitted;
pub use asking::{Action, Asking, Client, Credentials, Facts};
pub use caller::Caller;
pub use entry::BadEntry;
pub use gate::{Change, Gate, Pass, Ticket, Visitor};
pub use gates::{Admission, Gates, Visit};
pub use keys::{NoRandomness, make_token};
pub use refusals::{Refusals, Wanted};
pub use refused::{Elsewhere, Refused, Why};
pub use rules::{BadPattern, Pattern, Role, UnknownRole};
pub use secret::Secret;
pub use servers::{SERVER_HEADER, Servers};
pub use stream_facts::stream_facts;
pub use surroundings::Surroundings;
pub use users::hash_password;
