//! Where a pulled stream comes from, and by which protocol.

use headwater_agent::{Remote, Transport};
use headwater_media::StreamName;

use crate::{routes::Routed, target::Target};

/// The protocol of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullKind {
    /// RTMP.
    Rtmp,
    /// WebRTC, begun by the session protocol or by WHEP.
    WebRtc,
}

/// Where a pulled stream comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Rtmp(Target),
    Server(Remote),
    Routed(Routed),
}

impl Source {
    pub(crate) fn kind(&self) -> PullKind {
        match self {
            Source::Rtmp(_) => PullKind::Rtmp,
            Source::Server(_) | Source::Routed(_) => PullKind::WebRtc,
        }
    }

    /// What media comes over, where that is said.
    pub(crate) fn transport(&self) -> Option<Transport> {
        match self {
            Source::Rtmp(_) => None,
            Source::Server(remote) => Some(remote.transport()),
            Source::Routed(routed) => Some(routed.transport()),
        }
    }

    /// The labels of the renditions that go; all where there are none.
    pub(crate) fn renditions(&self) -> &[String] {
        match self {
            Source::Rtmp(_) | Source::Routed(_) => &[],
            Source::Server(remote) => remote.renditions(),
        }
    }

    /// The URL without what may be a secret.
    pub(crate) fn shown(&self) -> String {
        match self {
            Source::Rtmp(target) => target.shown.clone(),
            Source::Server(remote) => remote.shown(),
            Source::Routed(routed) => routed.remote().map_or_else(String::new, |remote| remote.shown()),
        }
    }

    /// The name of the stream at its server, where the URL does not say it.
    pub(crate) fn name(&self) -> Option<StreamName> {
        match self {
            Source::Rtmp(_) => None,
            Source::Server(remote) => remote.name().cloned(),
            Source::Routed(routed) => routed.remote().and_then(|remote| remote.name().cloned()),
        }
    }

    /// Whether it is what a text asks for, by the whole URL or by what is shown of it.
    pub(crate) fn is_at(&self, text: &str) -> bool {
        match self {
            Source::Rtmp(target) => target.is(text),
            Source::Server(remote) => remote.is_at(text),
            Source::Routed(routed) => routed.remote().is_some_and(|remote| remote.is_at(text)),
        }
    }

    pub(crate) fn is_same(&self, other: &Source) -> bool {
        match (self, other) {
            (Source::Rtmp(one), Source::Rtmp(other)) => one.is_same(other),
            (Source::Server(one), Source::Server(other)) => one == other,
            _ => false,
        }
    }

    /// The server, where it is always the same.
    pub(crate) fn host_and_port(&self) -> Option<(&str, u16)> {
        match self {
            Source::Rtmp(target) => Some((&target.url.host, target.url.port)),
            Source::Server(remote) => Some((remote.host(), remote.port())),
            Source::Routed(_) => None,
        }
    }

    /// Words of the other server without what it may have repeated of the secrets.
    pub(crate) fn hide(&self, words: &str) -> String {
        match self {
            Source::Rtmp(target) => target.hide(words),
            Source::Server(remote) => remote.hide(words),
            Source::Routed(routed) => routed.remote().map_or_else(|| words.to_owned(), |remote| remote.hide(words)),
        }
    }
}
