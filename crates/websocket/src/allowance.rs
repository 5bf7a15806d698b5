//! How far behind a viewer may be before it skips to the newest group.

use headwater_graph::Lag;
use headwater_media::{
    ClockRate,
    limits::{self, Limit},
};

/// How far behind a viewer may be: it starts with a whole group to catch up with, and is granted that.
///
/// A viewer that skips begins anew, with [`Allowance::default`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowance {
    bytes: u64,
    ms: u64,
    granted: bool,
}

impl Allowance {
    /// The limit that is passed if the viewer has fallen too far behind what it was granted. The lag counts in ticks
    /// of `rate`.
    pub fn limit_passed(&mut self, lag: Lag, rate: ClockRate) -> Option<&'static Limit> {
        let ms = u64::try_from(rate.duration(lag.ticks).as_millis()).unwrap_or(u64::MAX);
        if !std::mem::replace(&mut self.granted, true) {
            (self.bytes, self.ms) = (lag.bytes, ms);
        }
        self.bytes = self.bytes.min(lag.bytes);
        self.ms = self.ms.min(ms);
        if lag.bytes > self.bytes.saturating_add(limits::VIEWER_LAG_BYTES.get()) {
            Some(&limits::VIEWER_LAG_BYTES)
        } else {
            (ms > self.ms.saturating_add(limits::VIEWER_LAG_MS.get())).then_some(&limits::VIEWER_LAG_MS)
        }
    }
}
