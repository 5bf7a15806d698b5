//! What the session protocol counts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// What has been counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Connections now.
    pub connections: u64,
    /// Streams now that clients publish or play.
    pub streams: u64,
    /// Messages received.
    pub messages: u64,
    /// Messages received that nothing here knows.
    pub unknown: u64,
    /// Messages received that were none.
    pub malformed: u64,
    /// Web pages that were refused because of their origin.
    pub foreign: u64,
    /// Events not told to a viewer that was too slow.
    pub events_dropped: u64,
}

/// The same, being counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    connections: AtomicU64,
    streams: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) foreign: AtomicU64,
    pub(super) events_dropped: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Statistics {
        Statistics {
            connections: self.connections.load(Relaxed),
            streams: self.streams.load(Relaxed),
            messages: self.messages.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
            foreign: self.foreign.load(Relaxed),
            events_dropped: self.events_dropped.load(Relaxed),
        }
    }

    pub(super) fn connection(self: &Arc<Self>) -> Present {
        Present::new(self.clone(), |counters| &counters.connections)
    }

    pub(super) fn stream(self: &Arc<Self>) -> Present {
        Present::new(self.clone(), |counters| &counters.streams)
    }
}

/// Counts one for as long as it lives.
#[derive(Debug)]
pub(super) struct Present {
    counters: Arc<Counters>,
    of: fn(&Counters) -> &AtomicU64,
}

impl Present {
    fn new(counters: Arc<Counters>, of: fn(&Counters) -> &AtomicU64) -> Present {
        of(&counters).fetch_add(1, Relaxed);
        Present { counters, of }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        (self.of)(&self.counters).fetch_sub(1, Relaxed);
    }
}
