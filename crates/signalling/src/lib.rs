//! Signalling over HTTP: how the offers of viewers and publishers come in, and how their sessions are spoken to
//! afterwards.
//!
//! | document | what |
//! |---|---|
//! | draft-ietf-wish-whep | playing: WHEP |
//! | RFC 9725 | publishing: WHIP; the resource of a session: trickle, ICE restart, end, and what is answered |
//! | RFC 6750 §2.1 | bearer tokens |
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
//! `whip` in place of `whep` publishes.
//!
//! What is refused is refused with a status and a sentence that says what happened and what to do.

mod address;
mod endpoint;
mod entrance;
mod layer;
mod name;
mod reply;
mod request;
mod resource;
mod wanted;
pub mod wcs;
mod whep;
mod whip;

pub use address::{is_session, is_whep, is_whip};
pub use entrance::Entrance;
pub use wanted::Wanted;
pub use whep::{SERVED, Whep};
pub use whip::Whip;
