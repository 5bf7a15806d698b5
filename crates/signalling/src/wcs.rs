//! The session protocol of WCS over WebSocket: one connection, over which a client publishes and plays streams.
//!
//! ```text
//! client                                        server
//!   │ GET / with Upgrade: websocket               │  101, or 403 where the page may not
//!   │ connection {appKey, custom, …} ───────────► │
//!   │ ◄─────────────── getUserData {authToken, …} │  or fail, where it may not connect
//!   │ publishStream or playStream {sdp, …} ─────► │  offer
//!   │ ◄───────── notifyStreamStatusEvent PENDING  │
//!   │ ◄──────────────── setRemoteSDP [id, answer] │  ICE, DTLS, media: by WebRTC
//!   │ ◄─── notifyStreamStatusEvent PUBLISHING or PLAYING
//!   │ unPublishStream or stopStream ────────────► │
//!   │ ◄─── notifyStreamStatusEvent UNPUBLISHED or STOPPED
//! ```
//!
//! The messages stand in `docs/reference/session-protocol.md`. When the connection ends, so do its streams.
//! Media, codecs and ICE are `headwater_webrtc`'s; the stream graph is reached by its hub alone.

mod audience;
mod connection;
mod data;
mod decision;
mod directory;
pub mod fuzzing;
mod job;
mod media_socket;
mod origin;
mod play;
mod publish;
mod rendition;
mod session;
mod statistics;
mod upgrade;
mod wire;

use std::{collections::HashSet, sync::Arc};

use axum::Router;
use headwater_graph::Hub;
use headwater_media::StreamName;
use headwater_webrtc::WebRtc;
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{entrance::Entrance, wanted::Wanted};
use audience::Audiences;
use directory::Directory;
use media_socket::Berths;
use statistics::Counters;
use wire::Event;

pub(crate) use job::{info, publish_info};

pub use directory::{Connected, Untold};
pub use origin::Origins;
pub use statistics::Statistics;
pub use upgrade::is_upgrade;

/// The session protocol for the streams of a hub. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Wcs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    webrtc: WebRtc,
    origins: Origins,
    entrance: Entrance,
    wanted: Wanted,
    audiences: Audiences,
    directory: Directory,
    claims: Claims,
    berths: Berths,
    counters: Arc<Counters>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Wcs {
    /// The session protocol for pages of these origins.
    pub fn new(hub: Hub, webrtc: WebRtc, origins: Origins) -> Wcs {
        Wcs::with_entrance(hub, webrtc, origins, Entrance::default())
    }

    /// The same where it is decided who may connect, publish and play.
    pub fn with_entrance(hub: Hub, webrtc: WebRtc, origins: Origins, entrance: Entrance) -> Wcs {
        Wcs::asking(hub, webrtc, origins, entrance, Wanted::default())
    }

    /// The same where publishers are asked for something that their pages do not say.
    pub fn asking(hub: Hub, webrtc: WebRtc, origins: Origins, entrance: Entrance, wanted: Wanted) -> Wcs {
        Wcs(Arc::new(Inner {
            hub,
            webrtc,
            origins,
            entrance,
            wanted,
            audiences: Audiences::default(),
            directory: Directory::default(),
            claims: Claims::default(),
            berths: Berths::default(),
            counters: Arc::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }))
    }

    /// A router for requests of which [`is_upgrade`] is true, whatever their path.
    ///
    /// It reads the peer's address from the extension `ConnectInfo<SocketAddr>` of a request.
    pub fn router(&self) -> Router {
        Router::new().fallback(upgrade::serve).with_state(self.clone())
    }

    /// What has been counted so far.
    pub fn statistics(&self) -> Statistics {
        self.0.counters.read()
    }

    /// The clients that are connected now, in the order of their sessions.
    pub fn connections(&self) -> Vec<Connected> {
        self.0.directory.list()
    }

    /// Ends the connection of a session, and its streams with it. Says whether there was one.
    pub fn dismiss(&self, session: &str) -> bool {
        self.0.directory.dismiss(session)
    }

    /// Ends the connection of a session, and says that the client is to come again: this server is about to stop, and
    /// its page will be sent to another. Says whether there was one.
    pub fn send_elsewhere(&self, session: &str) -> bool {
        self.0.directory.send_elsewhere(session)
    }

    /// Has each message of a session logged, or no more. Says whether there is such a session.
    pub fn watch(&self, session: &str, is_watched: bool) -> bool {
        self.0.directory.watch(session, is_watched)
    }

    /// Sends data of the application to the page of a session.
    ///
    /// # Errors
    /// There is no such session, or it does not take what waits for it.
    pub fn send_data(&self, session: &str, operation_id: Option<String>, payload: Value) -> Result<(), Untold> {
        self.0.directory.send(session, operation_id, payload)
    }

    /// Tells the publisher and all viewers of a stream who are connected by this protocol; says how many there are.
    pub fn tell_stream(&self, stream: &StreamName, payload: Value) -> usize {
        self.0.audiences.announce(stream, Event { kind: "data".to_owned(), payload: Some(payload) })
    }

    /// Tells all clients that the server goes, ends their connections and waits for them.
    pub async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

/// The ids of media sessions in use. Clients choose them, and operators end sessions by them, so none is there twice.
#[derive(Clone, Debug, Default)]
struct Claims(Arc<Mutex<HashSet<Arc<str>>>>);

/// An id that nobody else has as long as this lives.
#[derive(Debug)]
struct Claim {
    claims: Claims,
    id: Arc<str>,
}

impl Claims {
    fn claim(&self, id: &str) -> Option<Claim> {
        let id: Arc<str> = id.into();
        let is_new = self.0.lock().insert(id.clone());
        is_new.then(|| Claim { claims: self.clone(), id })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().remove(&self.id);
    }
}
