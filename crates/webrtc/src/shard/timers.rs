//! When which viewer has to run.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use crate::session::Place;

/// The viewers' deadlines, the earliest first.
///
/// A viewer's deadline moves with almost each of its packets, mostly to later. So an entry that is too early stays
/// where it is and is looked at again when it comes up; only an earlier deadline makes a new entry.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
}

/// A viewer's deadline, kept with the viewer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    /// The earliest entry in the heap.
    entered: Option<Instant>,
}

impl Timers {
    /// The earliest time at which something may have to run.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Sets a viewer's deadline. Says whether it is now the earliest of all.
    pub(crate) fn set(&mut self, place: Place, deadline: &mut Deadline, at: Instant) -> bool {
        deadline.at = Some(at);
        if deadline.entered.is_some_and(|entered| entered <= at) {
            return false;
        }
        let is_earliest = self.next().is_none_or(|next| at < next);
        deadline.entered = Some(at);
        self.heap.push(Reverse((at, place.serial, place.index)));
        is_earliest
    }

    /// The next viewer whose entry has come up; ask [`Deadline::is_due`] whether it really has to run.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Place> {
        let Reverse((at, serial, index)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some(Place { index, serial })
    }
}

impl Deadline {
    /// To be called when an entry of the viewer has come up. `Err` with the time at which it has to, if not yet.
    pub(crate) fn is_due(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        self.entered = None;
        match self.at {
            Some(at) if at <= now => Ok(()),
            later => Err(later),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_deadline_that_moves_to_later_costs_one_entry() {
        let (mut timers, mut deadline) = (Timers::default(), Deadline::default());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let place = Place { index: 3, serial: 9 };
        assert!(timers.set(place, &mut deadline, at(10)));
        for ms in 11..100 {
            assert!(!timers.set(place, &mut deadline, at(ms)));
        }
        assert_eq!(timers.heap.len(), 1);
        assert_eq!(timers.pop(at(9)), None);
        assert_eq!(timers.pop(at(10)), Some(place));
        assert_eq!(deadline.is_due(at(10)), Err(Some(at(99))));
        timers.set(place, &mut deadline, at(99));
        assert!(timers.set(place, &mut deadline, at(50)), "an earlier one is entered as well");
        assert_eq!(timers.pop(at(60)), Some(place));
        assert_eq!(deadline.is_due(at(60)), Ok(()));
    }
}
