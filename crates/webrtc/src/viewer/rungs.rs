//! The renditions that a source sends at once, and what each takes of a network.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_graph::{Rendition, Track};
use smallvec::SmallVec;

/// A rendition of which nothing has come for this long is not there.
const SILENCE: Duration = Duration::from_millis(1_500);
/// Rates are taken over at least this time.
const PERIOD: Duration = Duration::from_secs(1);

/// The renditions of a track, as far as they have been watched.
#[derive(Debug, Default)]
pub(super) struct Rungs(SmallVec<[Watched; 3]>);

#[derive(Debug)]
struct Watched {
    rendition: Arc<Rendition>,
    /// Its bytes when it was last looked at, and when they last grew.
    bytes: u64,
    grew: Instant,
    /// Its bytes at the beginning of the present period.
    period: (u64, Instant),
    /// Bits per second; `None` before the first period is over.
    rate: Option<u64>,
}

/// A rendition that comes now.
#[derive(Clone, Debug)]
pub(super) struct Rung {
    pub(super) rendition: Arc<Rendition>,
    /// Bits per second.
    pub(super) rate: u64,
}

impl Rungs {
    /// Looks at what the renditions of a track have brought since the last look. Yields those that come, the smallest
    /// first.
    pub(super) fn look(&mut self, track: &Track, now: Instant) -> SmallVec<[Rung; 3]> {
        let named = track.named_renditions();
        self.0.retain(|watched| named.iter().any(|rendition| Arc::ptr_eq(rendition, &watched.rendition)));
        for rendition in named {
            let bytes = rendition.statistics().bytes;
            match self.0.iter_mut().find(|watched| Arc::ptr_eq(&watched.rendition, &rendition)) {
                Some(watched) => watched.update(bytes, now),
                None => {
                    self.0.push(Watched { rendition, bytes, grew: now, period: (bytes, now), rate: None });
                }
            }
        }
        let comes = |watched: &&Watched| now.saturating_duration_since(watched.grew) < SILENCE;
        let coming = self.0.iter().filter(comes);
        let mut rungs: SmallVec<[Rung; 3]> =
            coming.filter_map(|one| Some(Rung { rendition: one.rendition.clone(), rate: one.rate? })).collect();
        rungs.sort_by_key(|rung| rung.rate);
        rungs
    }
}

impl Watched {
    fn update(&mut self, bytes: u64, now: Instant) {
        if bytes != self.bytes {
            (self.bytes, self.grew) = (bytes, now);
        }
        let (before, since) = self.period;
        let passed = now.saturating_duration_since(since);
        if passed < PERIOD {
            return;
        }
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = bytes.saturating_sub(before).saturating_mul(8_000) / millis;
        // A key frame alone is no reason to think that it needs more.
        self.rate = Some(self.rate.map_or(rate, |known| (known.saturating_mul(2).saturating_add(rate)) / 3));
        self.period = (bytes, now);
    }
}
