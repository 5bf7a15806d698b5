//! Sessions that this side begins: a stream is asked of another server or brought to it, as a browser would.
//!
//! Each has a UDP socket of its own, or a TCP connection where that is asked for. Between two servers that each have
//! one port, packets of different sessions could not be told apart: a viewer's address stands for its session, and
//! here all would have the same.
//!
//! This side is the full agent of ICE (RFC 8445), as the other is most likely a lite one, and offers both roles of
//! DTLS.

use std::{collections::HashSet, net::TcpStream, sync::Arc};

use headwater_graph::{Publication, Stream, Subscription, Track};
use headwater_media::{Codec, TrackKind};
use headwater_net::{DialError, Permit};
use tokio::sync::oneshot;

use crate::{
    Answer, PublishOptions,
    egress::Common,
    sdp::{self, IceCredentials, OfferedSource, ProposedSection, Proposer},
    session::Session,
};

/// An offer that asks another server for a stream, or brings it one, to be sent to it by whatever signalling it speaks.
#[derive(Clone, Debug)]
pub struct Proposal {
    sdp: Arc<str>,
    pub(crate) ice: IceCredentials,
    pub(crate) cname: String,
    pub(crate) sections: Vec<ProposedSection>,
}

impl Proposal {
    fn new(common: &Common, sections: Vec<ProposedSection>) -> Proposal {
        let ice = IceCredentials { fragment: random_text(12), password: random_text(32) };
        let cname = format!("{:016x}", rand::random::<u64>());
        let proposer = Proposer { ice: &ice, fingerprint: &common.fingerprint(), cname: &cname };
        let sdp = sdp::propose(proposer, &sections).into();
        Proposal { sdp, ice, cname, sections }
    }

    /// Asks for whatever there is, with the picture in up to so many renditions.
    pub(crate) fn to_receive(common: &Common, labels: Vec<Option<String>>) -> Proposal {
        Proposal::new(common, ProposedSection::receiving_renditions(labels))
    }

    /// Whether it asks for more renditions of the picture than one.
    pub(crate) fn takes_renditions(&self) -> bool {
        self.sections.iter().any(|section| section.rendition_of.is_some())
    }

    /// Brings a stream: each track in its own codec, and sound in Opus as well. A picture that comes in several
    /// renditions is brought in up to so many of them, or in those that are wanted.
    pub(crate) fn to_send(
        common: &Common,
        stream: &Stream,
        renditions: usize,
        wanted: &[String],
    ) -> Result<Proposal, CallError> {
        let mut numbers = HashSet::from([0]);
        let mut fresh = || loop {
            let number = rand::random::<u32>();
            if numbers.insert(number) {
                break number;
            }
        };
        let mut sections = Vec::new();
        for kind in [TrackKind::Audio, TrackKind::Video] {
            let Some(track) = stream.track(kind) else { continue };
            let own = track.native().parameters().map(|parameters| parameters.codec);
            let codecs = codecs_sent(kind, own.ok_or(CallError::NotBegun(kind))?)?;
            let first = sections.len();
            for label in labels(&track, renditions, wanted)? {
                let retransmissions = (kind == TrackKind::Video).then(&mut fresh);
                let sources = Some(OfferedSource { main: fresh(), retransmissions });
                let rendition_of = (sections.len() > first).then_some(first);
                sections.push(ProposedSection { kind, codecs: codecs.clone(), sources, rendition_of, label });
            }
        }
        match sections.is_empty() {
            true => Err(CallError::NotBegun(TrackKind::Video)),
            false => Ok(Proposal::new(common, sections)),
        }
    }

    /// The offer.
    pub fn sdp(&self) -> &Arc<str> {
        &self.sdp
    }
}

/// What is brought of a track: each of its renditions, or of those that are wanted, up to so many; or the track itself,
/// where it has no more than one or no more are to be brought.
fn labels(track: &Track, renditions: usize, wanted: &[String]) -> Result<Vec<Option<String>>, CallError> {
    if track.kind() != TrackKind::Video || wanted.is_empty() {
        let named: Vec<_> = track.labels().into_iter().take(renditions).map(Some).collect();
        return Ok(if named.len() > 1 { named } else { vec![None] });
    }
    let there = track.labels();
    let named: Vec<_> =
        there.iter().filter(|label| wanted.contains(label)).take(renditions).cloned().map(Some).collect();
    if named.is_empty() {
        return Err(CallError::NoRendition { wanted: wanted.join(", "), there: there.join(", ") });
    }
    Ok(named)
}

/// What a track can be sent in over WebRTC.
fn codecs_sent(kind: TrackKind, own: Codec) -> Result<Vec<Codec>, CallError> {
    match (kind, own) {
        (TrackKind::Audio, Codec::Opus) => Ok(vec![Codec::Opus]),
        (TrackKind::Audio, Codec::Pcma | Codec::Pcmu | Codec::G722) => Ok(vec![own, Codec::Opus]),
        (TrackKind::Audio, _) => Ok(vec![Codec::Opus]),
        (TrackKind::Video, Codec::H264 | Codec::H265 | Codec::Vp8 | Codec::Vp9 | Codec::Av1) => Ok(vec![own]),
        (TrackKind::Video, other) => Err(CallError::Codec(other)),
    }
}

/// Why a call does not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The peer: its answer leaves nothing to receive or to send.
    #[error("the answer of the other server cannot be used: {0}")]
    Answer(String),
    /// The peer, or the operator: there is no address to send to.
    #[error("the answer of the other server names no UDP address that this server may send to")]
    NoCandidate,
    /// The peer, or the operator: there is no address to connect to.
    #[error(
        "the answer of the other server names no TCP address that this server may connect to; \
         have it take TCP as well, or ask for UDP"
    )]
    NoPassiveCandidate,
    /// The peer, or the network: it takes no connection.
    #[error("media cannot go over TCP: {0}")]
    Connect(DialError),
    /// The stream: a track has not begun.
    #[error("the stream's {0} has not begun yet")]
    NotBegun(TrackKind),
    /// The stream: its picture cannot be sent over WebRTC.
    #[error("{0} cannot be sent over WebRTC")]
    Codec(Codec),
    /// The request, or the stream: it has none of the renditions that are wanted.
    #[error("the stream has none of the sizes {wanted}; it has {}", if there.is_empty() { "one without a name" } else { there })]
    NoRendition {
        /// Their labels.
        wanted: String,
        /// Those that it has.
        there: String,
    },
    /// A limit: too many sessions wait for their peer, or the shards are full.
    #[error("{0}; try again later")]
    Full(String),
    /// Ourselves: the transport could not be set up.
    #[error("the session could not be set up: {0}")]
    Setup(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// A call whose answer has come.
#[derive(Debug)]
pub(crate) struct CallRequest {
    pub(crate) proposal: Proposal,
    pub(crate) peer: Answer,
    /// To the peer, where media goes over TCP.
    pub(crate) connection: Option<TcpStream>,
    pub(crate) purpose: Purpose,
    pub(crate) pending: Permit,
    pub(crate) answer: oneshot::Sender<Result<Begun, CallError>>,
}

/// Which way media goes in a call.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// What comes is published.
    Receive(Publication, PublishOptions),
    /// The stream is sent.
    Send(Subscription),
}

/// A session that has begun, on its way to who asked for it. One that never gets there ends.
#[derive(Debug)]
pub(crate) struct Begun {
    session: Session,
    claim: oneshot::Sender<()>,
}

impl Begun {
    /// With what fails once it is clear that nobody takes the session.
    pub(crate) fn new(session: Session) -> (Begun, oneshot::Receiver<()>) {
        let (claim, claimed) = oneshot::channel();
        (Begun { session, claim }, claimed)
    }

    /// Takes the session.
    pub(crate) fn claim(self) -> Session {
        let _ = self.claim.send(());
        self.session
    }
}

/// Letters and digits, five bits and more of chance in each.
pub(crate) fn random_text(length: usize) -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), length)
}
