//! The transport of one viewer: ICE, DTLS, SRTP and RTCP of a session that only sends media.
//!
//! Datagrams in, packets in, datagrams out, and a time to run again. No socket, no clock, no stream. What stands in
//! the parts:
//!
//! | file | what |
//! |---|---|
//! | `session` | the parts together |
//! | `ice` | proof that a path leads to the peer, and which of them to use |
//! | `full` | the same where this side has begun the session and looks for the way |
//! | `dtls` | proof that the peer is who its offer says, and keys |
//! | `stream`, `wire` | packets of one medium, sealed where they are sent from |
//! | `resend` | what a viewer has missed |
//! | `rtcp` | reports and feedback |

mod dtls;
mod echo;
pub(crate) mod estimate;
mod full;
mod ice;
mod resend;
pub(crate) mod rtcp;
mod session;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use headwater_media::Orientation;
use headwater_net::WallClock;
use str0m::{RtcConfig, config::CryptoProvider, crypto::Fingerprint};

use crate::{
    sdp::{Format, IceCredentials, OfferedSource, Role},
    srtp::Patch,
};

pub(crate) use dtls::{Handshake, Keys, Said};
pub(crate) use estimate::Estimator;
pub(crate) use full::Full;
pub(crate) use ice::Check;
pub(crate) use session::Egress;
pub(crate) use stream::Writer;

/// Over what a datagram travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Carrier {
    Udp,
    Tcp,
    /// UDP from the socket of a call of this number (see `call`).
    Call(u32),
}

/// The other end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Remote {
    pub(crate) carrier: Carrier,
    pub(crate) address: SocketAddr,
}

/// Both ends of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) remote: Remote,
    /// The address that the peer used, where the socket has several.
    pub(crate) local: Option<IpAddr>,
}

/// What takes datagrams on their way out.
pub(crate) trait Sink {
    /// Takes a datagram of `length` bytes, which `write` fills; it says `false` to take it back. Says whether the
    /// datagram was taken.
    fn write(&mut self, path: &Path, length: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool;
}

/// What all sessions have in common: the certificate, made once, and what DTLS is to do.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    dtls: Arc<dtls::Settings>,
    crypto: Arc<CryptoProvider>,
    clock: WallClock,
}

impl Common {
    /// Makes a certificate. `None` if the cryptographic library cannot.
    pub(crate) fn new() -> Option<Common> {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        Some(Common { dtls: Arc::new(dtls::Settings::new()?), crypto, clock: WallClock::read() })
    }

    /// One side of a handshake with a peer whose certificate has this SHA-256.
    pub(crate) fn handshake(&self, fingerprint: &[u8], role: Role, now: Instant) -> Result<Handshake, EgressError> {
        Handshake::new(&self.dtls, fingerprint, role, now)
    }

    /// The fingerprint of the certificate.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint { hash_func: "sha-256".into(), bytes: self.dtls.fingerprint() }
    }

    /// What every session of str0m is built from.
    pub(crate) fn config(&self) -> RtcConfig {
        RtcConfig::new().set_crypto_provider(self.crypto.clone()).set_dtls_cert(self.dtls.certificate())
    }
}

/// One medium that a session sends.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) mid: String,
    pub(crate) formats: Vec<Format>,
    /// The number of the extension by which its packets can be numbered among all of the transport.
    pub(crate) transport_extension: Option<u8>,
    /// The number of the extension that says how its pictures are to be turned.
    pub(crate) orientation_extension: Option<u8>,
    /// The numbers of its sources, where they have been told to the peer already.
    pub(crate) sources: Option<OfferedSource>,
}

/// What has been agreed on for one session.
#[derive(Clone, Debug)]
pub(crate) struct Agreed<'a> {
    pub(crate) local_ice: &'a IceCredentials,
    pub(crate) remote_ice: &'a IceCredentials,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) role: Role,
    pub(crate) mid_extension: Option<u8>,
    pub(crate) media: &'a [Outgoing],
    /// The canonical name of the sources (RFC 7022).
    pub(crate) cname: &'a str,
    /// Where the peer can be reached, if this side has begun the session and looks for the way. `None` if it waits.
    pub(crate) candidates: Option<&'a [Remote]>,
}

/// The numbers of an outgoing stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources {
    /// Which of the session's streams.
    pub(crate) index: usize,
    pub(crate) main: u32,
    pub(crate) retransmissions: Option<u32>,
}

/// What the peer or the transport has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// ICE, DTLS and SRTP are up.
    Connected,
    /// The peer cannot decode this stream without a random access point.
    KeyFrameWanted { stream: usize },
    /// The peer misses a packet of this stream, which may be sent again.
    Lost { stream: usize, sequence: u64 },
    /// The peer has closed the session.
    Closed,
}

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EgressError {
    /// The peer, or the network.
    #[error("the DTLS handshake failed: {0}")]
    Dtls(#[from] dimpl::Error),
    /// The peer, or somebody between.
    #[error("the peer's certificate is not the one that its offer names")]
    Fingerprint,
    /// The peer.
    #[error("the peer and this server know no SRTP profile in common")]
    NoProfile,
    /// Ourselves.
    #[error("no SRTP keys could be made")]
    Keys,
    /// Ourselves.
    #[error("a DTLS record is too large for a datagram")]
    Record,
}

/// One packet on its way out.
#[derive(Debug)]
pub(crate) struct OutPacket<'a> {
    pub(crate) payload_type: u8,
    /// Extended: the part beyond 16 bits is the rollover counter.
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    /// How the picture that it ends is to be turned.
    pub(crate) orientation: Orientation,
    pub(crate) payload: &'a [u8],
    /// What of the payload reads otherwise for this peer.
    pub(crate) patch: Option<Patch>,
}

/// How much a compound packet has to say; for fuzzers.
pub(crate) fn count_feedback(compound: &[u8]) -> usize {
    let mut count = 0;
    rtcp::read(compound, &mut |_| count += 1);
    count
}

/// For fuzzers and tests.
impl Sink for Vec<Vec<u8>> {
    fn write(&mut self, _path: &Path, length: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        let mut datagram = vec![0; length];
        let is_written = write(&mut datagram);
        if is_written {
            self.push(datagram);
        }
        is_written
    }
}
