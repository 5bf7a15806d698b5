//! What has been agreed on with a publisher.

use std::net::SocketAddr;

use str0m::crypto::Fingerprint;

use crate::sdp::{Format, IceCredentials, OfferedSource, Role};

/// One media section in which something is received.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) is_video: bool,
    /// Its name in header extensions, or one of ours where it has none.
    pub(crate) mid: String,
    pub(crate) formats: Vec<Format>,
    pub(crate) sources: Vec<OfferedSource>,
    pub(crate) rids: Vec<String>,
    pub(crate) extensions: Vec<(u8, &'static str)>,
}

impl Section {
    /// The format of a payload type.
    pub(crate) fn format(&self, payload_type: u8) -> Option<&Format> {
        self.formats.iter().find(|format| format.payload_type == payload_type)
    }

    /// Whether the peer listens to estimates of what the network carries (REMB).
    pub(crate) fn takes_bitrates(&self) -> bool {
        self.formats.iter().any(|format| format.feedback.contains(&"goog-remb"))
    }

    /// Whether lost packets may be asked for.
    pub(super) fn resends(&self) -> bool {
        self.formats.iter().any(|format| format.feedback.contains(&"nack"))
    }
}

/// What has been agreed on for one publisher.
#[derive(Clone, Debug)]
pub(crate) struct Agreed<'a> {
    pub(crate) local_ice: &'a IceCredentials,
    pub(crate) remote_ice: &'a IceCredentials,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) role: Role,
    pub(crate) sections: &'a [Section],
    /// The port that the socket is bound to.
    pub(crate) port: u16,
    /// Where this side has begun, and looks for ways to the peer.
    pub(crate) call: Option<Call<'a>>,
}

/// A session that this side has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// Which of the shard's calls it is.
    pub(crate) number: u32,
    /// Where the peer says it can be reached.
    pub(crate) candidates: &'a [SocketAddr],
}
