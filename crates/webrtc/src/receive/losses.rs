//! Packets that are missed, and when they are asked for.
//!
//! ```text
//! missing ── asked for at once, or a little later where packets come out of order ── asked for again and again
//!    ├──► it comes
//!    └──► a second, or ten requests, later: given up
//! ```
//!
//! Source: RFC 4585 §6.2.1; times as libwebrtc has them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Packets that are missed at a time; of a larger hole nothing is asked for.
const MISSED_MAX: usize = 512;
/// Time from the first sight of a hole until it is given up.
const PATIENCE: Duration = Duration::from_secs(1);
/// Requests for one packet.
const REQUESTS_MAX: u8 = 10;
/// Time between two requests for a packet: a round trip, within these bounds.
const INTERVAL_MIN: Duration = Duration::from_millis(20);
const INTERVAL_MAX: Duration = Duration::from_millis(250);
/// The round trip as long as it is not known.
const ROUND_TRIP_FIRST: Duration = Duration::from_millis(100);
/// Time that a packet may be late before it is asked for, once packets have been seen to come out of order.
const LATENESS: Duration = Duration::from_millis(15);

/// A packet that is missed.
#[derive(Clone, Copy, Debug)]
struct Missed {
    number: u64,
    since: Instant,
    due: Instant,
    requests: u8,
}

/// What is missed of one source, in the order of numbers.
#[derive(Debug, Default)]
pub(super) struct Losses {
    missed: VecDeque<Missed>,
    due: Option<Instant>,
    is_disordered: bool,
}

impl Losses {
    /// When something is to be asked for or given up.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Packets come out of order, so a hole may close by itself.
    pub(super) fn is_disordered(&mut self) {
        self.is_disordered = true;
    }

    /// So many packets before `newest` have not come. Says whether they can be asked for; where not, nothing that was
    /// missed before is asked for any more either.
    pub(super) fn miss(&mut self, newest: u64, missing: u64, now: Instant) -> bool {
        if usize::try_from(missing).map_or(true, |missing| self.missed.len().saturating_add(missing) > MISSED_MAX) {
            self.forget();
            return false;
        }
        let due = if self.is_disordered { now + LATENESS } else { now };
        for number in newest.saturating_sub(missing)..newest {
            self.missed.push_back(Missed { number, since: now, due, requests: 0 });
        }
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
        true
    }

    /// A packet has come late. `None` if it was not missed any more, else how often it has been asked for.
    pub(super) fn found(&mut self, number: u64) -> Option<u8> {
        let place = self.missed.binary_search_by_key(&number, |missed| missed.number).ok()?;
        let missed = self.missed.remove(place)?;
        if self.missed.is_empty() {
            self.due = None;
        }
        Some(missed.requests)
    }

    pub(super) fn forget(&mut self) {
        self.missed.clear();
        self.due = None;
    }

    /// The newest of those that are given up, if any are.
    pub(super) fn give_up(&mut self, now: Instant) -> Option<u64> {
        let is_hopeless = |missed: &Missed| {
            now.saturating_duration_since(missed.since) >= PATIENCE
                || missed.requests >= REQUESTS_MAX && missed.due <= now
        };
        let newest = self.missed.iter().rev().find(|missed| is_hopeless(missed))?.number;
        self.missed.retain(|missed| !is_hopeless(missed));
        self.settle();
        Some(newest)
    }

    /// Tells the numbers that are to be asked for now, at most `most` of them; they count as asked for.
    pub(super) fn ask(&mut self, round_trip: Option<Duration>, now: Instant, most: usize, mut tell: impl FnMut(u64)) {
        let interval = round_trip.unwrap_or(ROUND_TRIP_FIRST).clamp(INTERVAL_MIN, INTERVAL_MAX);
        for missed in self.missed.iter_mut().filter(|missed| missed.due <= now).take(most) {
            missed.due = now + interval;
            missed.requests = missed.requests.saturating_add(1);
            tell(missed.number);
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.due = self.missed.iter().map(|missed| missed.due.min(missed.since + PATIENCE)).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(losses: &mut Losses, now: Instant) -> Vec<u64> {
        let mut numbers = Vec::new();
        losses.ask(Some(Duration::from_millis(50)), now, 100, |number| numbers.push(number));
        numbers
    }

    #[test]
    fn what_is_missed_is_asked_for_until_it_comes() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        assert!(losses.miss(14, 3, now));
        assert_eq!(asked(&mut losses, now), [11, 12, 13]);
        assert!(asked(&mut losses, now).is_empty());
        assert_eq!(losses.found(12), Some(1));
        assert_eq!(losses.found(12), None);
        let due = losses.due().unwrap();
        assert_eq!(due, now + Duration::from_millis(50));
        assert_eq!(asked(&mut losses, due), [11, 13]);
        assert_eq!((losses.found(11), losses.found(13)), (Some(2), Some(2)));
        assert_eq!(losses.due(), None);
    }

    #[test]
    fn what_never_comes_is_given_up_after_a_second_or_ten_requests() {
        for (round_trip, requests) in [(Duration::from_millis(20), 10), (Duration::from_millis(200), 5)] {
            let (mut losses, start) = (Losses::default(), Instant::now());
            losses.miss(5, 1, start);
            let (mut count, mut given_up) = (0, None);
            while let Some(due) = losses.due() {
                given_up = losses.give_up(due);
                losses.ask(Some(round_trip), due, 100, |_| count += 1);
                assert!(due <= start + PATIENCE);
            }
            assert_eq!((count, given_up), (requests, Some(4)));
        }
    }

    #[test]
    fn where_packets_come_out_of_order_a_hole_may_close_by_itself() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        losses.is_disordered();
        losses.miss(5, 1, now);
        assert!(asked(&mut losses, now).is_empty());
        assert_eq!(losses.found(4), Some(0));
    }

    #[test]
    fn attack_a_hole_of_any_size_is_bounded() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        losses.miss(1_000, 500, now);
        assert!(!losses.miss(1_100, 50, now));
        assert!(losses.missed.is_empty() && losses.due().is_none());
        assert!(!losses.miss(u64::MAX, u64::MAX - 5, now));
    }
}
