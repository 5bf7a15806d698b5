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
}

impl Facts {
    pub(crate) fn new() -> Facts {
        Facts {
            parameters: Published::new(None),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            reorders: AtomicBool::new(false),
        }
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
