//! EXT-X-TARGETDURATION, which all renditions of a stream share (RFC 8216 §6.2.4).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The longest segment that there has been in any rendition, in whole seconds. It only grows.
#[derive(Clone, Debug)]
pub(crate) struct Target(Arc<AtomicU64>);

impl Target {
    /// One for segments that should be as long.
    pub(crate) fn new(segment: Duration) -> Target {
        let seconds = segment.as_secs() + u64::from(segment.subsec_nanos() > 0);
        Target(Arc::new(AtomicU64::new(seconds.max(1))))
    }

    /// What it is now.
    pub(crate) fn get(&self) -> Duration {
        Duration::from_secs(self.0.load(Relaxed))
    }

    /// Takes note of a segment. RFC 8216 §4.3.3.1: the target holds for durations rounded to the nearest second.
    pub(super) fn raise(&self, segment: Duration) {
        self.0.fetch_max(segment.as_secs_f64().round() as u64, Relaxed);
    }
}
