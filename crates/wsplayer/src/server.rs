//! WSPlayer for the streams of a hub.

use axum::Router;
use headwater_access::Gates;
use headwater_graph::{Hub, Subscription};
use headwater_media::{Codec, limits};
use headwater_websocket::{Accept, Audience, Bounds, Protocol, Statistics, Tally, Terms, router};
use http::HeaderMap;

use crate::from_stream::FromStream;

const CODECS: [(Codec, &str); 7] = [
    (Codec::H264, "h264"),
    (Codec::H265, "h265"),
    (Codec::Vp8, "vp8"),
    (Codec::Vp9, "vp9"),
    (Codec::Av1, "av1"),
    (Codec::Opus, "opus"),
    (Codec::Aac, "aac"),
];

/// Whether a request is for this protocol: its path begins with `/ws/`, and it asks for a WebSocket.
pub fn is_wsplayer(path: &str, headers: &HeaderMap) -> bool {
    WsPlayer::TERMS.is_for(path, headers)
}

/// WSPlayer for the streams of a hub. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct WsPlayer(Audience);

impl WsPlayer {
    /// For streams of which these decide who watches.
    pub fn new(hub: Hub, gates: Gates) -> WsPlayer {
        WsPlayer(Audience::new(hub, gates))
    }

    /// A router for requests of which [`is_wsplayer`] is true.
    ///
    /// It reads the peer's address from the extension `ConnectInfo<SocketAddr>` of a request.
    pub fn router(&self) -> Router {
        router(self.clone())
    }

    /// What has been counted so far, in frames.
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }

    /// Tells all viewers that the server goes, and waits for them.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

impl Protocol for WsPlayer {
    const TERMS: Terms = Terms {
        name: "WSPlayer",
        session: "wsplayer",
        path: "/ws/",
        codecs: &CODECS,
        bounds: Bounds {
            message_bytes: &limits::WSPLAYER_MESSAGE_BYTES,
            messages_per_second: &limits::WSPLAYER_MESSAGES_PER_SECOND,
        },
        queue: &limits::WSPLAYER_QUEUE_BYTES,
    };

    type Reader = FromStream;

    fn audience(&self) -> &Audience {
        &self.0
    }

    fn reader(&self, subscription: Subscription, accept: Accept, tally: Tally) -> FromStream {
        FromStream::new(subscription, accept, tally)
    }
}

#[cfg(test)]
mod tests;
