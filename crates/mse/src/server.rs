//! MSE for the streams of a hub.

use axum::Router;
use headwater_access::Gates;
use headwater_graph::{Hub, Subscription};
use headwater_media::{Codec, limits};
use headwater_websocket::{Accept, Audience, Bounds, Protocol, Statistics, Tally, Terms, router};
use http::HeaderMap;

use crate::{feeds::Feeds, viewing::Viewing};

/// Those that browsers play from MP4.
const CODECS: [(Codec, &str); 6] = [
    (Codec::H264, "h264"),
    (Codec::H265, "h265"),
    (Codec::Av1, "av1"),
    (Codec::Vp9, "vp9"),
    (Codec::Aac, "aac"),
    (Codec::Opus, "opus"),
];

/// Whether a request is for this protocol: its path begins with `/mse/`, and it asks for a WebSocket.
pub fn is_mse(path: &str, headers: &HeaderMap) -> bool {
    Mse::TERMS.is_for(path, headers)
}

/// MSE over WebSocket for the streams of a hub. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Mse {
    audience: Audience,
    feeds: Feeds,
}

impl Mse {
    /// For streams of which these decide who watches.
    pub fn new(hub: Hub, gates: Gates) -> Mse {
        Mse { feeds: Feeds::new(hub.environment().clone()), audience: Audience::new(hub, gates) }
    }

    /// A router for requests of which [`is_mse`] is true.
    ///
    /// It reads the peer's address from the extension `ConnectInfo<SocketAddr>` of a request.
    pub fn router(&self) -> Router {
        router(self.clone())
    }

    /// What has been counted so far, in fragments.
    pub fn statistics(&self) -> Statistics {
        self.audience.statistics()
    }

    /// Feeds at work now: each makes the fragments of one stream in one choice of codecs, for all who watch it so.
    pub fn feeds(&self) -> u64 {
        self.feeds.count()
    }

    /// Tells all viewers that the server goes, and waits for them.
    pub async fn stop(&self) {
        self.audience.stop().await;
    }
}

impl Protocol for Mse {
    const TERMS: Terms = Terms {
        name: "MSE",
        session: "mse",
        path: "/mse/",
        codecs: &CODECS,
        bounds: Bounds {
            message_bytes: &limits::MSE_MESSAGE_BYTES,
            messages_per_second: &limits::MSE_MESSAGES_PER_SECOND,
        },
        queue: &limits::MSE_QUEUE_BYTES,
    };

    type Reader = Viewing;

    fn audience(&self) -> &Audience {
        &self.audience
    }

    fn reader(&self, subscription: Subscription, accept: Accept, tally: Tally) -> Viewing {
        Viewing::new(self.feeds.clone(), subscription, accept, tally)
    }
}
