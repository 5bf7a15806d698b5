//! What a protocol brings of its own: its names and limits, and who reads a stream in its form.

use axum::Router;
use headwater_graph::{Bell, Subscription};
use headwater_media::{Codec, limits::Limit};
use http::HeaderMap;
use tokio::io::AsyncWrite;

use crate::{Accept, Audience, Bounds, Mouth, Tally, Trouble, is_upgrade, request};

/// The names and limits of a protocol.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// As peers and gates know it.
    pub name: &'static str,
    /// What its sessions' names begin with.
    pub session: &'static str,
    /// What stands before the name of a stream in the path, with both slashes.
    pub path: &'static str,
    /// Every codec that goes over it and its name in the query, the best to convert to first.
    pub codecs: &'static [(Codec, &'static str)],
    /// What a viewer may say.
    pub bounds: Bounds,
    /// Bytes that may wait for one viewer's socket.
    pub queue: &'static Limit,
}

impl Terms {
    /// Whether a request is for this protocol: its path begins as it should, and it asks for a WebSocket.
    pub fn is_for(&self, path: &str, headers: &HeaderMap) -> bool {
        path.starts_with(self.path) && is_upgrade(headers)
    }
}

/// A protocol by which viewers are sent a stream over a WebSocket.
pub trait Protocol: Clone + Send + Sync + 'static {
    /// Its names and limits.
    const TERMS: Terms;

    /// Reads a stream for one viewer.
    type Reader: Reader + Send;

    /// Its viewers.
    fn audience(&self) -> &Audience;

    /// Reads a stream, in the codecs that the viewer takes. What it hands on is counted by the tally.
    fn reader(&self, subscription: Subscription, accept: Accept, tally: Tally) -> Self::Reader;
}

/// Reads a stream for one viewer.
pub trait Reader {
    /// Hands on everything that is new, until as much waits as may wait.
    ///
    /// # Errors
    /// The stream has nothing that the viewer can be sent.
    fn read<W: AsyncWrite + Unpin>(&mut self, mouth: &mut Mouth<W>) -> Result<(), Trouble>;

    /// Rings when there is something to read.
    fn bell(&self) -> &Bell;

    /// What is counted.
    fn tally(&mut self) -> &mut Tally;

    /// Whether it is to be read again in a moment though nothing rings.
    fn looks_again(&self) -> bool {
        false
    }
}

/// A router for the requests that the [`Terms`] of a protocol are for.
///
/// It reads the peer's address from the extension `ConnectInfo<SocketAddr>` of a request.
pub fn router<P: Protocol>(protocol: P) -> Router {
    Router::new().fallback(request::serve::<P>).with_state(protocol)
}
