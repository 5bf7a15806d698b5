//! Who is on the other side of a session.

use std::net::SocketAddr;

/// A publisher or a viewer, as the API and the logs name it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// What it speaks, for people to read: `RTMP`, `WebRTC`, `HTTP-FLV`.
    pub protocol: &'static str,
    /// The id of its session, unique in this process.
    pub session: String,
    /// Where it comes from, if from a network.
    pub remote: Option<SocketAddr>,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// The id that it has as a server beside this one, where it has proved to be one. What such a
    /// peer gets of streams that were fetched is bounded, so that none can run in a circle; see
    /// [`Hub::subscribe`](crate::Hub::subscribe).
    pub server: Option<String>,
}

impl Peer {
    /// A peer of which only protocol and session are known.
    pub fn new(protocol: &'static str, session: impl Into<String>) -> Peer {
        Peer { protocol, session: session.into(), remote: None, user_agent: None, server: None }
    }

    /// The same peer at an address.
    pub fn with_remote(self, remote: SocketAddr) -> Peer {
        Peer { remote: Some(remote), ..self }
    }

    /// The same peer with the name it gives itself, cut to 256 characters.
    pub fn with_user_agent(self, user_agent: &str) -> Peer {
        Peer { user_agent: Some(user_agent.chars().take(256).collect()), ..self }
    }

    /// The same peer as a server beside this one.
    pub fn with_server(self, id: impl Into<String>) -> Peer {
        Peer { server: Some(id.into()), ..self }
    }
}
