//! WebSockets that only speak: viewers are sent media, and have nothing to say.
//!
//! A request becomes a connection by [`upgrade`]; what the viewer says is heard by an [`Ear`], and what it is sent
//! goes through a [`Mouth`], which writes the bytes that all viewers share without a copy. No protocol is known here.
//!
//! | specification | where |
//! |---|---|
//! | RFC 6455 §4, opening handshake | [`upgrade`] |
//! | RFC 6455 §5, frames | [`Mouth`]; what comes in is read by tungstenite |

mod ear;
mod mouth;
mod upgrade;

pub use ear::{Bounds, Ear, Heard};
pub use mouth::{Mouth, Replies};
pub use upgrade::{Refused, Socket, is_upgrade, upgrade};
