//! Where a pushed stream goes to, and by which protocol.

use headwater_agent::{Remote, Transport};
use headwater_media::StreamName;

use crate::{error::RelayError, push::PushRequest, target::Target};

/// The protocol of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushKind {
    /// RTMP.
    Rtmp,
    /// WebRTC, begun by the session protocol or by WHIP.
    WebRtc,
}

/// Where a pushed stream goes to.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    Rtmp { target: Target, is_whole: bool },
    Server(Remote),
}

impl Goal {
    /// What a request asks for. At a server of WebRTC the stream has the name that it has here.
    pub(crate) fn of(request: &PushRequest, prefix: &str) -> Result<Goal, RelayError> {
        let PushRequest { stream, url, is_whole, transport, .. } = request;
        let (is_whole, transport) = (*is_whole, *transport);
        let target = match url.split(':').next() {
            Some("ws" | "wss") => {
                return Ok(Goal::Server(Remote::parse(url, Some(stream.as_str()))?.over(transport)));
            }
            Some("http" | "https") => return Ok(Goal::Server(Remote::parse(url, None)?.over(transport))),
            _ if is_whole => Target::whole(url, true)?,
            _ => Target::application(url, prefix, stream)?,
        };
        Ok(Goal::Rtmp { target, is_whole })
    }

    pub(crate) fn kind(&self) -> PushKind {
        match self {
            Goal::Rtmp { .. } => PushKind::Rtmp,
            Goal::Server(_) => PushKind::WebRtc,
        }
    }

    /// What media goes over, where that is said.
    pub(crate) fn transport(&self) -> Option<Transport> {
        match self {
            Goal::Rtmp { .. } => None,
            Goal::Server(remote) => Some(remote.transport()),
        }
    }

    /// The labels of the renditions that go; all where there are none.
    pub(crate) fn renditions(&self) -> &[String] {
        match self {
            Goal::Rtmp { .. } => &[],
            Goal::Server(remote) => remote.renditions(),
        }
    }

    /// The URL without what may be a secret.
    pub(crate) fn shown(&self) -> String {
        match self {
            Goal::Rtmp { target, .. } => target.shown.clone(),
            Goal::Server(remote) => remote.shown(),
        }
    }

    /// What the stream is called there; nothing where that is a secret or part of the URL.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Goal::Rtmp { is_whole: true, .. } => None,
            Goal::Rtmp { target, .. } => Some(target.url.key.split('?').next().unwrap_or_default().to_owned()),
            Goal::Server(remote) => remote.name().map(StreamName::to_string),
        }
    }

    /// Whether it is what a text asks for, by the whole URL or by what is shown of it.
    pub(crate) fn is_at(&self, text: &str) -> bool {
        match self {
            Goal::Rtmp { target, .. } => target.is(text),
            Goal::Server(remote) => remote.is_at(text),
        }
    }

    pub(crate) fn is_same(&self, other: &Goal) -> bool {
        match (self, other) {
            (Goal::Rtmp { target: one, .. }, Goal::Rtmp { target: other, .. }) => one.is_same(other),
            (Goal::Server(one), Goal::Server(other)) => one == other,
            _ => false,
        }
    }

    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        match self {
            Goal::Rtmp { target, .. } => (&target.url.host, target.url.port),
            Goal::Server(remote) => (remote.host(), remote.port()),
        }
    }

    /// Words of the other server without what it may have repeated of the secrets.
    pub(crate) fn hide(&self, words: &str) -> String {
        match self {
            Goal::Rtmp { target, .. } => target.hide(words),
            Goal::Server(remote) => remote.hide(words),
        }
    }
}
