//! What all viewers of a protocol share: the hub, those who decide, and what is counted.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use headwater_access::{Admitted, Asking, Client, Gates, Refused, Why};
use headwater_graph::{Hub, Subscription, Viewer};
use headwater_media::limits;
use headwater_net::Quota;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Counters that all viewers share are touched once for so many items.
const COUNT_TOGETHER: u64 = 64;

/// The viewers of a hub's streams by one protocol. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Audience(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    gates: Gates,
    waiting: Quota,
    counters: Counters,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Audience {
    /// For streams of which these decide who watches.
    pub fn new(hub: Hub, gates: Gates) -> Audience {
        Audience(Arc::new(Inner {
            hub,
            gates,
            waiting: Quota::new(&limits::GATE_WAITING, &limits::GATE_WAITING_PER_ADDRESS),
            counters: Counters::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }))
    }

    /// What has been counted so far.
    pub fn statistics(&self) -> Statistics {
        let Counters { viewers, opened, sent, skipped, bytes } = &self.0.counters;
        Statistics {
            viewers: viewers.load(Relaxed),
            viewers_opened: opened.load(Relaxed),
            sent: sent.load(Relaxed),
            skipped: skipped.load(Relaxed),
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

    /// Counts a viewer who begins to watch.
    pub(crate) fn tally(&self, subscription: &Subscription) -> Tally {
        self.0.counters.viewers.fetch_add(1, Relaxed);
        self.0.counters.opened.fetch_add(1, Relaxed);
        let viewer = subscription.viewer().clone();
        Tally { audience: self.clone(), viewer, uncounted: 0, uncounted_bytes: 0, has_sent: false }
    }
}

/// What is counted since the start; only `viewers` comes and goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Viewers that watch now.
    pub viewers: u64,
    /// Viewers that have begun to watch.
    pub viewers_opened: u64,
    /// Frames or fragments sent.
    pub sent: u64,
    /// Frames or fragments left out for viewers that were too slow.
    pub skipped: u64,
    /// Bytes sent, with all that is around the media.
    pub bytes_sent: u64,
}

#[derive(Debug, Default)]
struct Counters {
    viewers: AtomicU64,
    opened: AtomicU64,
    sent: AtomicU64,
    skipped: AtomicU64,
    bytes: AtomicU64,
}

/// What is counted of one viewer. It is one viewer of the audience until it is dropped.
#[derive(Debug)]
pub struct Tally {
    audience: Audience,
    viewer: Arc<Viewer>,
    /// Items handed on, and bytes sent, that are not yet counted where others see them.
    uncounted: u64,
    uncounted_bytes: u64,
    has_sent: bool,
}

impl Tally {
    /// A frame or fragment has been handed on.
    pub fn send(&mut self) {
        self.uncounted = self.uncounted.saturating_add(1);
        self.has_sent = true;
    }

    /// So many frames or fragments have been left out.
    pub fn skip(&mut self, items: u64) {
        self.audience.0.counters.skipped.fetch_add(items, Relaxed);
    }

    /// Whether anything has been handed on.
    pub(crate) fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// So many bytes have been written to the viewer.
    pub(crate) fn write(&mut self, bytes: usize) {
        self.uncounted_bytes = self.uncounted_bytes.saturating_add(bytes as u64);
        if self.uncounted >= COUNT_TOGETHER {
            self.count();
        }
    }

    fn count(&mut self) {
        let (items, bytes) = (std::mem::take(&mut self.uncounted), std::mem::take(&mut self.uncounted_bytes));
        self.audience.0.counters.sent.fetch_add(items, Relaxed);
        self.audience.0.counters.bytes.fetch_add(bytes, Relaxed);
        self.viewer.count_sent(bytes);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.count();
        self.audience.0.counters.viewers.fetch_sub(1, Relaxed);
    }
}
