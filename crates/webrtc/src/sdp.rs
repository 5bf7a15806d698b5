//! Session descriptions: what a peer offers, what of it can be served, and the answer.
//!
//! Offers are read here and answers written here, not by str0m: an offer is checked against limits before anything
//! is kept for it, an H.264 source of any profile finds a payload type that a browser takes, and the order of the
//! answer's candidates suits clients that use only the first.
//!
//! | document | what |
//! |---|---|
//! | RFC 8866 | SDP |
//! | RFC 3264, RFC 8829 | offer and answer |
//! | RFC 8839, RFC 8840 | ICE in SDP, and fragments of it |
//! | RFC 8843 | BUNDLE |
//! | RFC 4574 | names of media sections |
//! | RFC 6184 §8, RFC 7587 §7, RFC 9143 | payload formats in SDP |

mod answer;
pub(crate) mod extension;
mod format;
mod fragment;
mod offer;
mod proposal;
mod reply;
mod section;

pub(crate) use answer::{Candidates, Decision, Local, write};
pub(crate) use format::{BitrateRange, Format, choose, receivable};
pub use fragment::Fragment;
pub(crate) use fragment::write as write_fragment;
pub(crate) use offer::{IceCredentials, Role};
pub use offer::{Offer, OfferError};
pub(crate) use proposal::{ProposedSection, Proposer, propose};
pub use reply::Answer;
pub use section::{Direction, Kind};
pub(crate) use section::{MediaSection, OfferedSource, Payload};

#[cfg(test)]
pub(crate) mod tests;
