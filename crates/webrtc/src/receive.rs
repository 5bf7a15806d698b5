//! A session that only receives, for programs that watch many streams at once to learn what a server holds.
//!
//! It does what a browser does that only watches: it offers, looks for the way as the full and controlling agent of
//! ICE, opens SRTP, reports, asks for what is lost and for key frames, and tells when packets have arrived. It decodes
//! nothing. No socket, no clock, no thread: datagrams in, packets and datagrams out, and a time to run again. It is
//! the other half of `egress`, and made of the same parts.
//!
//! | document | what |
//! |---|---|
//! | RFC 8445, RFC 7675 | ICE, and consent to go on |
//! | RFC 5764, RFC 3711, RFC 7714 | DTLS-SRTP |
//! | RFC 3550 | reports, loss, jitter |
//! | RFC 4585, RFC 5104, RFC 4588 | lost packets, key frames, retransmission |
//! | draft-holmer-rmcat-transport-wide-cc-extensions-01 | when packets have arrived |

mod arrivals;
mod header;
mod inbound;
mod key_frames;
mod losses;
mod outbox;
mod pretend;
mod reports;
mod section;
mod session;
mod source;
mod terms;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

use headwater_media::{Codec, TrackKind};

use crate::{
    OfferError,
    egress::{Common, EgressError},
};

pub(crate) use pretend::{answer, datagrams};
pub use session::Receiver;

/// What all receivers of a process have in common: a certificate, made once, and the settings of cryptography.
///
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReceiverCommon(Common);

impl ReceiverCommon {
    /// Makes a certificate.
    ///
    /// # Errors
    /// Where the cryptographic library cannot.
    pub fn new() -> Result<ReceiverCommon, ReceiveError> {
        Common::new().map(ReceiverCommon).ok_or(ReceiveError::Certificate)
    }
}

/// Why a receiver cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Ourselves.
    #[error("no certificate for DTLS could be made")]
    Certificate,
    /// The peer: its answer breaks a rule.
    #[error("the answer cannot be used: {0}")]
    Answer(#[from] OfferError),
    /// The peer: its answer is in order by itself, but it is none to this offer.
    #[error("the answer does not fit the offer: {0}")]
    Unfit(&'static str),
    /// The peer: it names no address to send to.
    #[error("the answer names no UDP address of the peer")]
    NoCandidate,
    /// The peer: it sends nothing.
    #[error("the answer agrees on no media to receive")]
    NothingAgreed,
    /// The caller.
    #[error("this session has an answer already, or has been closed")]
    NotAwaited,
    /// Ourselves.
    #[error("the session could not be set up: {0}")]
    Setup(String),
}

impl From<EgressError> for ReceiveError {
    fn from(error: EgressError) -> ReceiveError {
        ReceiveError::Setup(error.to_string())
    }
}

/// How far a receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverState {
    /// It has offered, and waits for the answer.
    New,
    /// It looks for a way to the peer, and for its proof.
    Connecting,
    /// ICE, DTLS and SRTP are up.
    Connected,
    /// It has ended.
    Closed(ReceiverEnd),
}

/// Why a receiver has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiverEnd {
    /// By [`Receiver::close`].
    #[error("closed by this side")]
    Local,
    /// The peer has said farewell.
    #[error("closed by the peer")]
    Peer,
    /// The peer, or the network: no check of ICE was answered in time.
    #[error("no address of the peer answers")]
    Unreachable,
    /// The peer, or the network: the handshake got no further in time.
    #[error("the DTLS handshake did not come to an end in time")]
    Unfinished,
    /// The peer, or the network: it has not consented to go on for too long (RFC 7675).
    #[error("the peer does not answer any more")]
    Silent,
    /// The peer: its handshake is wrong.
    #[error("{0}")]
    Handshake(String),
}

/// A media packet that has been opened.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// Sound or picture.
    pub kind: TrackKind,
    /// The codec of the payload.
    pub codec: Codec,
    /// The synchronisation source of the media, also where the packet came as a retransmission.
    pub ssrc: u32,
    /// The sequence number, extended so that it does not wrap (RFC 3550 appendix A.1).
    pub sequence: u64,
    /// The time in ticks of the codec's RTP clock, extended so that it does not wrap. Only differences count.
    pub timestamp: u64,
    /// The marker bit: of pictures, the last packet.
    pub marker: bool,
    /// It came as a retransmission (RFC 4588).
    pub is_retransmission: bool,
    /// The payload without padding. Empty where the packet was padding alone.
    pub payload: &'a [u8],
}

/// What has been received in one media section.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedMedia {
    /// Sound or picture.
    pub kind: TrackKind,
    /// The codec of the newest packet; `None` before the first.
    pub codec: Option<Codec>,
    /// Packets handed on, those that came as retransmissions among them.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that have not come in their own stream, as receiver reports count them (RFC 3550 §6.4.1); what came
    /// late does not count, and what came as a retransmission still does.
    pub lost: u64,
    /// Packets that came after one with a higher number, unasked.
    pub reordered: u64,
    /// Packets that came again, or too late to tell. They are not handed on.
    pub duplicates: u64,
    /// How much the way's time varies (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// Requests for lost packets: numbers asked for, repetitions among them.
    pub nacks: u64,
    /// Lost packets that have come after a request.
    pub recovered: u64,
    /// Retransmissions of what had come already, or that nobody missed.
    pub redundant: u64,
    /// Requests for a key frame.
    pub key_frame_requests: u64,
    /// Time that a check of ICE and its answer took; the same in all sections.
    pub round_trip: Option<Duration>,
}

impl ReceivedMedia {
    fn new(kind: TrackKind) -> ReceivedMedia {
        ReceivedMedia {
            kind,
            codec: None,
            packets: 0,
            bytes: 0,
            lost: 0,
            reordered: 0,
            duplicates: 0,
            jitter: Duration::ZERO,
            nacks: 0,
            recovered: 0,
            redundant: 0,
            key_frame_requests: 0,
            round_trip: None,
        }
    }
}
