//! What all viewers share: the hub, those who decide, and what is counted.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::Router;
use headwater_access::{Admitted, Asking, Client, Gates, Refused, Why};
use headwater_graph::Hub;
use headwater_media::limits;
use headwater_net::Quota;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{feeds::Feeds, session};

/// MSE over WebSocket for the streams of a hub. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Mse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    gates: Gates,
    feeds: Feeds,
    waiting: Quota,
    counters: Counters,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Mse {
    /// For streams of which these decide who watches.
    pub fn new(hub: Hub, gates: Gates) -> Mse {
        Mse(Arc::new(Inner {
            feeds: Feeds::new(hub.environment().clone()),
            hub,
            gates,
            waiting: Quota::new(&limits::GATE_WAITING, &limits::GATE_WAITING_PER_ADDRESS),
            counters: Counters::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }))
    }

    /// A router for requests of which [`is_mse`](crate::is_mse) is true.
    ///
    /// It reads the peer's address from the extension `ConnectInfo<SocketAddr>` of a request.
    pub fn router(&self) -> Router {
        Router::new().fallback(session::serve).with_state(self.clone())
    }

    /// What has been counted so far.
    pub fn statistics(&self) -> Statistics {
        let Counters { viewers, opened, fragments, skipped, bytes } = &self.0.counters;
        Statistics {
            viewers: viewers.load(Relaxed),
            viewers_opened: opened.load(Relaxed),
            feeds: self.0.feeds.count(),
            fragments_sent: fragments.load(Relaxed),
            fragments_skipped: skipped.load(Relaxed),
            bytes_sent: bytes.load(Relaxed),
        }
    }

    /// Tells all viewers that the server goes, and waits for them.
    pub async fn stop(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    pub(crate) fn feeds(&self) -> &Feeds {
        &self.0.feeds
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Asks those who decide, within their time and for so many at once.
    pub(crate) async fn admit(&self, client: &Client, asking: Asking, address: IpAddr) -> Result<Admitted, Refused> {
        let full = |full| Refused::new(Why::TooMany, format!("{full}; try again later"));
        let _waiting = self.0.waiting.admit(address).map_err(full)?;
        let decided = timeout(limits::GATE_MS.get_duration(), self.0.gates.admit(client, asking)).await;
        let decided = decided.unwrap_or_else(|_| {
            limits::GATE_MS.hit();
            let sentence = "it was not decided in time whether this may be; try again later";
            Err(Refused::new(Why::Unavailable, sentence))
        });
        decided.map(Admitted::new)
    }
}

/// What is counted since the start; only `viewers` and `feeds` come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Viewers that watch now.
    pub viewers: u64,
    /// Viewers that have begun to watch.
    pub viewers_opened: u64,
    /// Feeds at work now: each makes the fragments of one stream in one choice of codecs, for all who watch it so.
    pub feeds: u64,
    /// Fragments sent.
    pub fragments_sent: u64,
    /// Fragments left out for viewers that were too slow.
    pub fragments_skipped: u64,
    /// Bytes sent, with all that is around the media.
    pub bytes_sent: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    viewers: AtomicU64,
    opened: AtomicU64,
    fragments: AtomicU64,
    skipped: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    pub(crate) fn come(&self) {
        self.viewers.fetch_add(1, Relaxed);
        self.opened.fetch_add(1, Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.viewers.fetch_sub(1, Relaxed);
    }

    pub(crate) fn skip(&self, fragments: u64) {
        self.skipped.fetch_add(fragments, Relaxed);
    }

    pub(crate) fn send(&self, fragments: u64, bytes: u64) {
        self.fragments.fetch_add(fragments, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }
}
