//! The client side of WebRTC signalling: a stream is asked of another server, as a browser would ask, and published
//! here.
//!
//! | URL | what is spoken |
//! |---|---|
//! | `ws://HOST:PORT`, `wss://HOST:PORT` | the session protocol of WCS |
//! | `http://…`, `https://…` | WHEP (draft-ietf-wish-whep-03) at that URL |
//!
//! Signalling goes over a [`Dialer`], which says where to this server may connect; media goes only to addresses that
//! it allows as well, or to the one that signalling came from.

mod error;
mod remote;
mod wcs;
mod whep;

use std::net::IpAddr;

use headwater_graph::{BoxFuture, Publication, PublishError};
use headwater_net::Dialer;
use headwater_webrtc::{Answer, Ended, Proposal, PublishOptions, Session, WebRtc};
use tokio_util::sync::CancellationToken;

pub use error::AgentError;
use remote::Signalling;
pub use remote::{InvalidRemote, Remote};

/// Asks other servers for streams. Cloning is cheap.
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

    /// Waits until the other server is known to be of no use any more, and says why: the session is abandoned then, and
    /// the stream waits for whoever brings it again.
    fn lost(&self) -> BoxFuture<'_, String> {
        Box::pin(std::future::pending())
    }
}

impl Agent {
    /// An agent whose media is received by these shards.
    pub fn new(webrtc: WebRtc, dialer: Dialer) -> Agent {
        Agent { webrtc, dialer }
    }

    /// Asks for a stream and publishes it, until `stop` is cancelled, which is no error.
    ///
    /// # Errors
    /// Why it does not begin, or how it ended otherwise.
    pub async fn play(&self, remote: &Remote, local: &dyn Local, stop: &CancellationToken) -> Result<(), AgentError> {
        let play = async {
            match remote.signalling() {
                Signalling::Wcs => wcs::play(self, remote, local, stop).await,
                Signalling::Whep => whep::play(self, remote, local, stop).await,
            }
        };
        play.await
    }

    fn propose(&self) -> Proposal {
        self.webrtc.propose()
    }

    /// Begins to receive what the other server has agreed to send.
    async fn receive(
        &self,
        remote: &Remote,
        proposal: Proposal,
        answer: &str,
        local: &dyn Local,
        (peer, remote_session): (IpAddr, &str),
    ) -> Result<Session, AgentError> {
        let mut answer = Answer::parse(answer)?;
        answer.keep_candidates(|ip| ip == peer || self.dialer.reaches(remote.host(), ip));
        let publication = local.publish()?;
        let session = self.webrtc.call(proposal, answer, publication, PublishOptions::default(), peer).await?;
        local.agreed(remote_session);
        Ok(session)
    }
}

/// How a session that was not told to stop has ended.
fn over(ended: Ended) -> AgentError {
    match ended {
        Ended::Stream(reason) => AgentError::Terminated(reason),
        ended => AgentError::Ended(ended),
    }
}
