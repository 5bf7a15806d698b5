//! What a client and the server say to each other: messages as text, and back. No socket, no clock.
//!
//! Both ways a message is `{"message": NAME, "data": [VALUE, …]}`; all but one have one value.

mod bounds;
mod fields;
mod reply;
mod request;

pub(crate) use reply::{Event, Info, Mute, Reply, Status, StreamStatus};
pub(crate) use request::{Connection, Data, Reference, Renditions, Request, StreamRequest, Tell, Transport};

#[cfg(test)]
mod tests;
