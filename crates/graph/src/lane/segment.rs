//! A row of slots, and the directory that says which rows the window holds.

use headwater_media::TrackParameters;

use super::item::LaneItem;
use crate::sync::{Arc, Slot};

/// Slots of a segment.
#[cfg(not(loom))]
pub(super) const SLOTS: usize = 64;
/// Few under loom, so that the model meets the ends of segments.
#[cfg(loom)]
pub(super) const SLOTS: usize = 2;

/// One slot's content.
#[derive(Debug)]
pub(super) enum Entry<T> {
    Media {
        item: T,
        /// Media items of the lane before this one.
        ordinal: u64,
        /// Media bytes of the lane before this one.
        bytes_before: u64,
    },
    Parameters(Arc<TrackParameters>),
    Discontinuity,
}

#[derive(Debug)]
pub(super) struct Segment<T> {
    /// Counts up by one from segment to segment.
    pub(super) number: u64,
    /// The parameters in force before the first slot.
    pub(super) parameters: Option<Arc<TrackParameters>>,
    slots: Box<[Slot<Entry<T>>]>,
}

impl<T: LaneItem> Segment<T> {
    pub(super) fn new(number: u64, parameters: Option<Arc<TrackParameters>>) -> Segment<T> {
        Segment { number, parameters, slots: (0..SLOTS).map(|_| Slot::new()).collect() }
    }

    /// Fills a slot; each is filled once, by the lane's one writer.
    pub(super) fn fill(&self, index: usize, entry: Entry<T>) {
        if let Some(slot) = self.slots.get(index) {
            let filled = slot.set(entry).is_ok();
            debug_assert!(filled, "a slot is filled once");
        }
    }

    #[inline]
    pub(super) fn entry(&self, index: usize) -> Option<&Entry<T>> {
        self.slots.get(index)?.get()
    }

    /// The parameters in force before the slot at `index`.
    pub(super) fn parameters_before(&self, index: usize) -> Option<&Arc<TrackParameters>> {
        (0..index.min(SLOTS))
            .rev()
            .find_map(|i| match self.entry(i) {
                Some(Entry::Parameters(parameters)) => Some(parameters),
                _ => None,
            })
            .or(self.parameters.as_ref())
    }

    /// Time of the first media item.
    pub(super) fn first_ticks(&self) -> Option<i64> {
        (0..SLOTS).map_while(|i| self.entry(i)).find_map(|entry| match entry {
            Entry::Media { item, .. } => Some(item.ticks()),
            _ => None,
        })
    }
}

/// The segments of the window, oldest first, numbered without a gap.
#[derive(Debug)]
pub(super) struct Directory<T> {
    pub(super) segments: Vec<Arc<Segment<T>>>,
}

impl<T> Clone for Directory<T> {
    fn clone(&self) -> Self {
        Directory { segments: self.segments.clone() }
    }
}

impl<T: LaneItem> Directory<T> {
    pub(super) fn find(&self, number: u64) -> Option<&Arc<Segment<T>>> {
        let first = self.segments.first()?.number;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.segments.get(index)
    }

    pub(super) fn first_number(&self) -> u64 {
        self.segments.first().map_or(0, |segment| segment.number)
    }
}

/// A place in a lane: segment number and slot, in one number so that it fits an atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(pub(super) u64);

impl Position {
    /// No position yet.
    pub(super) const NONE: Position = Position(u64::MAX);

    pub(super) fn new(number: u64, index: usize) -> Position {
        Position(number * SLOTS as u64 + index as u64)
    }

    pub(super) fn number(self) -> u64 {
        self.0 / SLOTS as u64
    }

    pub(super) fn index(self) -> usize {
        (self.0 % SLOTS as u64) as usize
    }
}
