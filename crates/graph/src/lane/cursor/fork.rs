//! Several readers at one place: how one of them takes over where another has come to.

use std::cmp::Ordering;

use super::Cursor;
use crate::lane::{bell::Bell, item::LaneItem};

impl<T: LaneItem> Cursor<T> {
    /// A second reader that stands exactly where this one does, woken by another bell.
    pub fn fork(&self, bell: &Bell) -> Cursor<T> {
        self.shared.reader_came(bell);
        Cursor {
            shared: self.shared.clone(),
            bell: bell.clone(),
            segment: self.segment.clone(),
            parameters: self.parameters.clone(),
            ..*self
        }
    }

    /// Whether it will yield the same item next as another reader, an earlier or a later one; `None` where that
    /// cannot be said, because they read different lanes, or one of them has not begun.
    ///
    /// Says nothing of what comes between two items: of parameters, see [`Cursor::parameters`].
    pub fn compare(&self, other: &Cursor<T>) -> Option<Ordering> {
        let same_lane = std::ptr::eq(&*self.shared, &*other.shared);
        let (here, there) = (self.ordinal.filter(|_| same_lane)?, other.ordinal?);
        Some(here.cmp(&there))
    }
}
