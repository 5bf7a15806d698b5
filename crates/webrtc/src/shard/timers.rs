//! When which viewer has to run.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use crate::session::Place;

/// What is at least so far away may come later by the other, so that much of it comes at the same time: a thread that
/// a timer wakes takes ten times as much for it as one that a datagram wakes.
const FAR: Duration = Duration::from_millis(400);
pub(super) const GRID: Duration = Duration::from_millis(100);

/// The viewers' deadlines, the earliest first.
///
/// A viewer's deadline moves with almost each of its packets, mostly to later. So an entry that is too early stays
/// where it is and is looked at again when it comes up; only an earlier deadline makes a new entry. The entry that it
/// stands before counts no more, and is thrown away when it comes up.
#[derive(Debug)]
pub(crate) struct Timers {
    begun: Instant,
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
}

/// A viewer's deadline, kept with the viewer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    /// The earliest entry in the heap, the only one that counts.
    entered: Option<Instant>,
}

impl Timers {
    pub(crate) fn new(now: Instant) -> Timers {
        Timers { begun: now, heap: BinaryHeap::new() }
    }

    /// When a viewer that has to run then is looked at.
    fn entry(&self, at: Instant, now: Instant) -> Instant {
        if at.saturating_duration_since(now) < FAR {
            return at;
        }
        let beyond = at.saturating_duration_since(self.begun).as_nanos() % GRID.as_nanos();
        match beyond {
            0 => at,
            _ => at + (GRID - Duration::from_nanos(beyond as u64)),
        }
    }

    /// The earliest time at which something may have to run.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Sets a viewer's deadline. Says whether it is now the earliest of all.
    pub(crate) fn set(&mut self, place: Place, deadline: &mut Deadline, at: Instant, now: Instant) -> bool {
        if deadline.entered.is_some() && deadline.at == Some(at) {
            return false;
        }
        deadline.at = Some(at);
        let entry = self.entry(at, now);
        if deadline.entered.is_some_and(|entered| entered <= entry) {
            return false;
        }
        let is_earliest = self.next().is_none_or(|next| entry < next);
        deadline.entered = Some(entry);
        self.heap.push(Reverse((entry, place.serial, place.index)));
        is_earliest
    }

    /// The next viewer whose entry has come up, and the time of the entry; ask [`Deadline::is_due`] whether it really
    /// has to run.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Place, Instant)> {
        let Reverse((at, serial, index)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some((Place { index, serial }, at))
    }
}

impl Deadline {
    /// To be called when an entry of the viewer has come up. `Err` with the time at which it has to, if not yet, or
    /// with nothing if the entry does not count.
    pub(crate) fn is_due(&mut self, entry: Instant, now: Instant) -> Result<(), Option<Instant>> {
        if self.entered != Some(entry) {
            return Err(None);
        }
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

    #[test]
    fn a_deadline_that_moves_to_later_costs_one_entry() {
        let start = Instant::now();
        let (mut timers, mut deadline) = (Timers::new(start), Deadline::default());
        let at = |ms| start + Duration::from_millis(ms);
        let place = Place { index: 3, serial: 9 };
        assert!(timers.set(place, &mut deadline, at(10), start));
        for ms in 11..100 {
            assert!(!timers.set(place, &mut deadline, at(ms), start));
        }
        assert_eq!(timers.heap.len(), 1);
        assert_eq!(timers.pop(at(9)), None);
        assert_eq!(timers.pop(at(10)), Some((place, at(10))));
        assert_eq!(deadline.is_due(at(10), at(10)), Err(Some(at(99))));
        timers.set(place, &mut deadline, at(99), at(10));
        assert!(timers.set(place, &mut deadline, at(50), at(10)), "an earlier one is entered as well");
        assert_eq!(timers.pop(at(60)), Some((place, at(50))));
        assert_eq!(deadline.is_due(at(50), at(60)), Ok(()));
        assert_eq!(timers.pop(at(100)), Some((place, at(99))));
        assert_eq!(deadline.is_due(at(99), at(100)), Err(None), "the entry before it has run");
    }

    #[test]
    fn what_is_far_away_comes_together() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::new(start);
        let mut deadlines = [Deadline::default(); 50];
        for (index, deadline) in deadlines.iter_mut().enumerate() {
            let place = Place { index, serial: index as u64 };
            assert_eq!(timers.set(place, deadline, at(1_001 + index as u64), start), index == 0);
        }
        assert_eq!(timers.next(), Some(at(1_100)));
        for _ in 0..50 {
            let (place, entry) = timers.pop(at(1_100)).unwrap();
            assert_eq!(deadlines[place.index].is_due(entry, at(1_100)), Ok(()));
        }
        assert_eq!(timers.pop(at(10_000)), None);
        let (place, mut deadline) = (Place { index: 0, serial: 1 }, Deadline::default());
        timers.set(place, &mut deadline, at(1_203), at(1_100));
        assert_eq!(timers.next(), Some(at(1_203)), "what is near comes in time");
    }

    #[test]
    fn a_deadline_that_moves_to_and_fro_for_hours_leaves_nothing_behind() {
        let start = Instant::now();
        let (mut timers, mut deadline) = (Timers::new(start), Deadline::default());
        let at = |ms| start + Duration::from_millis(ms);
        let place = Place { index: 3, serial: 9 };
        let (mut runs, mut most) = (0, 0);
        for ms in 0..100_000 {
            while let Some((place, entry)) = timers.pop(at(ms)) {
                match deadline.is_due(entry, at(ms)) {
                    Ok(()) => {
                        runs += 1;
                        timers.set(place, &mut deadline, at(ms + 1_000), at(ms));
                    }
                    Err(Some(later)) => drop(timers.set(place, &mut deadline, later, at(ms))),
                    Err(None) => {}
                }
            }
            timers.set(place, &mut deadline, at(ms + 1_000), at(ms));
            timers.set(place, &mut deadline, at(ms + 50 - ms % 50), at(ms));
            most = most.max(timers.heap.len());
        }
        assert_eq!(runs, 1_999, "once every 50 ms");
        assert!(most < 30, "{most} entries for one viewer");
    }
}
