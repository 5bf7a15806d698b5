//! WebSockets that only speak: viewers are sent media, and have nothing to say.
//!
//! A request becomes a connection by [`upgrade`]; what the viewer says is heard by an [`Ear`], and what it is sent
//! goes through a [`Mouth`], which writes the bytes that all viewers share without a copy.
//!
//! Whatever the form of the media, a viewer asks, is let in, is sent what is new, skips when it is too slow, and is
//! told why it is over. That is [`converse`]; what a [`Protocol`] brings is its [`Terms`] and its [`Reader`]. No
//! protocol is known here.
//!
//! | specification | where |
//! |---|---|
//! | RFC 6455 §4, opening handshake | [`upgrade`] |
//! | RFC 6455 §5, frames | [`Mouth`]; what comes in is read by tungstenite |
//! | RFC 6455 §7, closing | [`converse`] |

mod accept;
mod allowance;
mod audience;
mod ear;
mod mouth;
mod protocol;
mod request;
mod session;
mod trouble;
mod upgrade;
mod words;

pub use accept::Accept;
pub use allowance::Allowance;
pub use audience::{Audience, Statistics, Tally};
pub use ear::{Bounds, Ear, Heard};
pub use mouth::{Mouth, Replies};
pub use protocol::{Protocol, Reader, Terms, router};
pub use request::Visitor;
pub use session::converse;
pub use trouble::Trouble;
pub use upgrade::{Refused, Socket, is_upgrade, upgrade};
pub use words::{Missing, kind_name};
