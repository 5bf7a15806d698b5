//! What has been agreed on with a publisher.

use std::net::SocketAddr;

use str0m::crypto::Fingerprint;

use crate::sdp::{Format, IceCredentials, OfferedSource, Role};

/// One medium that is received: from a media section, or from several where each holds a rendition of it.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) is_video: bool,
    /// Of all parts.
    pub(crate) formats: Vec<Format>,
    /// The media sections that it comes in; more than one only where all have labels.
    pub(crate) parts: Vec<Part>,
    /// The names of the renditions that it comes in.
    pub(crate) rids: Vec<String>,
    pub(crate) extensions: Vec<(u8, &'static str)>,
}

/// One media section.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its name in header extensions, or one of ours where it has none.
    pub(crate) mid: String,
    pub(crate) sources: Vec<OfferedSource>,
    /// The rendition that it holds; `None` where its packets say so themselves, or there is only one.
    pub(crate) label: Option<String>,
}

impl Section {
    /// Adds another section, which holds another rendition of the same medium.
    pub(crate) fn add(&mut self, other: Section) {
        let Section { formats, parts, rids, .. } = other;
        self.formats.extend(
            formats.into_iter().filter(|format| self.format(format.payload_type).is_none()).collect::<Vec<_>>(),
        );
        self.parts.extend(parts);
        self.rids.extend(rids);
    }

    /// Whether it comes in media sections that hold one rendition each.
    pub(crate) fn is_labelled(&self) -> bool {
        self.parts.iter().any(|part| part.label.is_some())
    }

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
