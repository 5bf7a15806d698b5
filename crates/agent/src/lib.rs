//! The client side of WebRTC signalling: a stream is asked of another server, as a browser would ask, and published
//! here; or a stream of this server is published at another.
//!
//! | URL | what is spoken |
//! |---|---|
//! | `ws://HOST:PORT`, `wss://HOST:PORT` | the session protocol of WCS |
//! | `http://…`, `https://…` | WHEP (draft-ietf-wish-whep-03) at that URL, or WHIP (RFC 9725) |
//!
//! Signalling goes over a [`Dialer`], which says where to this server may connect; media goes only to addresses that
//! it allows as well, or to the one that signalling came from.

mod error;
mod http;
mod remote;
mod wcs;

use std::{convert::Infallible, net::IpAddr};

use headwater_graph::{BoxFuture, Publication, PublishError, Subscription};
use headwater_net::Dialer;
use headwater_webrtc::{Answer, Ended, Proposal, PublishOptions, Session, WebRtc};
use tokio_util::sync::CancellationToken;

pub use error::AgentError;
pub use headwater_webrtc::Transport;
use remote::Signalling;
pub use remote::{InvalidRemote, Remote};

/// Asks other servers for streams, and brings them streams. Cloning is cheap.
#[derive(Clone)]
pub struct Agent {
    webrtc: WebRtc,
    dialer: Dialer,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").finish_non_exhaustive()
    }
}

/// What the stream becomes here.
pub trait Local: Sync {
    /// Takes the name, as soon as the other server has agreed to send.
    ///
    /// # Errors
    /// Somebody else has it.
    fn publish(&self) -> Result<Publication, PublishError>;

    /// The other server has agreed; media is awaited. It calls the session by this id.
    fn agreed(&self, remote_session: &str);

    /// Media comes by this session from now on.
    fn begun(&self, session: &Session) {
        let _ = session;
    }

    /// Waits until the other server is known to be of no use any more, and says why: the session is abandoned then, and
    /// the stream waits for whoever brings it again.
    fn lost(&self) -> BoxFuture<'_, String> {
        Box::pin(std::future::pending())
    }
}

/// How a stream fares that is brought to another server.
pub trait Bringing: Sync {
    /// The other server has agreed to take it. It calls the session by this id.
    fn agreed(&self, remote_session: &str);

    /// The first media has been sent.
    fn flows(&self);
}

impl Agent {
    /// An agent whose media is received and sent by these shards.
    pub fn new(webrtc: WebRtc, dialer: Dialer) -> Agent {
        Agent { webrtc, dialer }
    }

    /// Asks for a stream and publishes it, until `stop` is cancelled, which is no error.
    ///
    /// # Errors
    /// Why it does not begin, or how it ended otherwise.
    pub async fn play(&self, remote: &Remote, local: &dyn Local, stop: &CancellationToken) -> Result<(), AgentError> {
        self.run(remote, Purpose::Fetch(local), stop).await
    }

    /// Publishes a stream of this server at another, until `stop` is cancelled, which is no error. At a URL of `http`
    /// or `https` it does so by WHIP.
    ///
    /// # Errors
    /// Why it does not begin, or how it ended otherwise.
    pub async fn publish(
        &self,
        remote: &Remote,
        subscription: Subscription,
        told: &dyn Bringing,
        stop: &CancellationToken,
    ) -> Result<(), AgentError> {
        self.run(remote, Purpose::Bring(subscription, told), stop).await
    }

    async fn run(&self, remote: &Remote, purpose: Purpose<'_>, stop: &CancellationToken) -> Result<(), AgentError> {
        match remote.signalling() {
            Signalling::Wcs => wcs::run(self, remote, purpose, stop).await,
            Signalling::Http => http::run(self, remote, purpose, stop).await,
        }
    }

    /// Begins the session that the other server has agreed to.
    async fn begin(
        &self,
        remote: &Remote,
        proposal: Proposal,
        answer: &str,
        purpose: Purpose<'_>,
        (peer, remote_session): (IpAddr, &str),
    ) -> Result<Session, AgentError> {
        let mut answer = Answer::parse(answer)?;
        answer.over(remote.transport());
        answer.keep_candidates(|ip| ip == peer || self.dialer.reaches(remote.host(), ip));
        Ok(match purpose {
            Purpose::Fetch(local) => {
                let publication = local.publish()?;
                let session = self.webrtc.call(proposal, answer, publication, PublishOptions::default(), peer).await?;
                local.begun(&session);
                local.agreed(remote_session);
                session
            }
            Purpose::Bring(subscription, told) => {
                let session = self.webrtc.send(proposal, answer, subscription, peer).await?;
                told.agreed(remote_session);
                session
            }
        })
    }
}

/// What the other server is asked for.
enum Purpose<'a> {
    /// To send a stream.
    Fetch(&'a dyn Local),
    /// To take a stream.
    Bring(Subscription, &'a dyn Bringing),
}

/// What another server says it understands of a picture in several renditions at once. One that says nothing is asked
/// for one, and brought one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Renditions {
    /// It can be asked for all of them.
    sends: bool,
    /// It can be brought all of them.
    takes: bool,
}

impl<'a> Purpose<'a> {
    /// The offer, with all renditions of a picture where the other server understands that, or with those that are
    /// wanted.
    fn propose(&self, webrtc: &WebRtc, renditions: Renditions, wanted: &[String]) -> Result<Proposal, AgentError> {
        let understands = match self {
            Purpose::Fetch(_) => renditions.sends,
            Purpose::Bring(..) => renditions.takes,
        };
        if !understands && !wanted.is_empty() {
            return Err(AgentError::OneSize);
        }
        Ok(match self {
            Purpose::Fetch(_) if renditions.sends => webrtc.propose_renditions(wanted),
            Purpose::Fetch(_) => webrtc.propose(),
            Purpose::Bring(subscription, _) if renditions.takes => {
                webrtc.propose_sending_renditions(subscription.stream(), wanted)?
            }
            Purpose::Bring(subscription, _) => webrtc.propose_sending(subscription.stream())?,
        })
    }

    fn lost(&self) -> BoxFuture<'a, String> {
        match self {
            Purpose::Fetch(local) => local.lost(),
            Purpose::Bring(..) => Box::pin(std::future::pending()),
        }
    }

    fn told(&self) -> Option<&'a dyn Bringing> {
        match self {
            Purpose::Fetch(_) => None,
            Purpose::Bring(_, told) => Some(*told),
        }
    }
}

/// Tells when the first media has been sent; for ever.
async fn tell_flow(session: &Session, told: Option<&dyn Bringing>) -> Infallible {
    if let Some(told) = told
        && session.flowing().await
    {
        told.flows();
    }
    std::future::pending().await
}

/// How a session that was not told to stop has ended.
fn over(ended: Ended) -> AgentError {
    match ended {
        Ended::Stream(reason) => AgentError::Terminated(reason),
        ended => AgentError::Ended(ended),
    }
}
