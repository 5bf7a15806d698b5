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

mod asking;
mod gate;
mod gates;
mod refused;
mod secret;

pub use asking::{Action, Asking, Client, Credentials, Facts};
pub use gate::{Change, Gate, Pass, Ticket, Visitor};
pub use gates::{Admission, Gates, Visit};
pub use refused::{Refused, Why};
pub use secret::Secret;
