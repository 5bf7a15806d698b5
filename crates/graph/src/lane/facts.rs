//! What is known of a rendition, counted where it is written.

use headwater_media::{Ticks, TrackParameters};

use super::item::LaneItem;
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering, Published};

/// What is known of a rendition, counted by whoever writes it.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) parameters: Published<Option<Arc<TrackParameters>>>,
    pub(crate) items: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) reorders: AtomicBool,
    /// As `LaneWriter::set_audio_level` takes it; more than `QUIETEST` is not known.
    audio_level: AtomicU64,
}

/// The least audio level that can be told, in −dBov: silence (RFC 6464 §3).
const QUIETEST: u64 = 127;

impl Facts {
    pub(crate) fn new() -> Facts {
        Facts {
            parameters: Published::new(None),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            reorders: AtomicBool::new(false),
            audio_level: AtomicU64::new(u64::MAX),
        }
    }

    /// The level of the newest sound in dBov, 0 to −127.
    pub(crate) fn audio_level(&self) -> Option<i8> {
        let level = self.audio_level.load(Ordering::Relaxed);
        (level <= QUIETEST).then(|| i8::try_from(level).map_or(i8::MIN, |level| -level))
    }

    pub(super) fn set_audio_level(&self, level: Option<u8>) {
        self.audio_level.store(level.map_or(u64::MAX, u64::from), Ordering::Relaxed);
    }

    /// Counts an item, and sees whether pictures are shown in another order than they come.
    pub(super) fn count<T: LaneItem>(&self, item: &T, last_presentation: &mut Ticks) {
        self.items.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(item.bytes() as u64, Ordering::Relaxed);
        if item.starts_group() {
            self.groups.fetch_add(1, Ordering::Relaxed);
        }
        if T::ORDERED_BY_DECODING {
            if item.presentation() < *last_presentation && !self.reorders.load(Ordering::Relaxed) {
                self.reorders.store(true, Ordering::Relaxed);
            }
            *last_presentation = item.presentation().max(*last_presentation);
        }
    }
}
