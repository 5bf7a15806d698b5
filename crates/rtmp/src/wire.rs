//! RTMP as bytes: parse and write, without socket, clock or hub.
//!
//! ```text
//!  bytes ─ handshake ─ chunks ─ messages ─ commands ─ conversation ─ events
//! ```
//!
//! [`server::Conversation`] and [`client::Conversation`] put the layers together: bytes in, events out, and the
//! bytes of the answers to be sent.

pub mod chunk;
pub mod client;
pub mod command;
pub mod control;
pub mod handshake;
pub mod message;
pub mod server;

mod capabilities;
mod link;
mod reader;

pub use capabilities::Capabilities;
pub use link::Link;
pub use message::{Message, MessageKind};
pub use reader::ChunkReader;

/// How a peer breaks the protocol, or what it asks too much of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The first byte is not that of RTMP.
    #[error("not RTMP: the connection begins with byte {0:#04x} instead of 0x03")]
    NotRtmp(u8),
    /// A chunk stream goes on that never began.
    #[error("chunk stream {0} refers to an earlier message that was never sent")]
    NoEarlierMessage(u32),
    /// A chunk size of zero or with its top bit set.
    #[error("a chunk size of {0} is not allowed")]
    ChunkSize(u32),
    /// More than a limit of `headwater_media::limits` allows.
    #[error("over the limit: {0}")]
    Limit(&'static str),
    /// A control message that is too short or makes no sense.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A command or data message that cannot be read.
    #[error("{what} cannot be read: {source}")]
    Amf {
        /// What was being read.
        what: &'static str,
        /// Why it cannot.
        source: headwater_flv::FlvError,
    },
    /// Something that does not fit the state of the conversation.
    #[error("{0}")]
    OutOfOrder(&'static str),
}
