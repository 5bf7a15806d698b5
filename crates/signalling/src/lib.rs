//! Signalling over HTTP: how a viewer's offer comes in, and how its session is spoken to afterwards.
//!
//! | document | what |
//! |---|---|
//! | draft-ietf-wish-whep | playing: WHEP |
//! | RFC 9725 §4.2 to §4.6 | the resource of a session: trickle, ICE restart, end, and what is answered |
//! | RFC 8840 §9 | fragments of a session description |
//! | RFC 9110 | conditional requests, status codes |
//!
//! ```text
//! POST    /NAME/whep        application/sdp                  201, Location, ETag, Link
//! PATCH   /NAME/whep/ID     application/trickle-ice-sdpfrag  204, or 200 with new credentials
//! DELETE  /NAME/whep/ID                                      200
//! OPTIONS both                                               204, Accept-Post or Accept-Patch
//! ```
//!
//! What is refused is refused with a status and a sentence that says what happened and what to do.

mod address;
mod reply;
mod resource;
mod whep;

pub use address::is_whep;
pub use whep::{SERVED, Whep, router};
