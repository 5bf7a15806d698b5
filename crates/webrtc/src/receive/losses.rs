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
/// Time from the first request for a packet to the second: a round trip, at least so much. From the second to the third
/// it is twice that, and so on, at most so much.
const INTERVAL_MIN: Duration = Duration::from_millis(20);
const INTERVAL_MAX: Duration = Duration::from_millis(250);
/// The round trip as long as it is not known.
const ROUND_TRIP_FIRST: Duration = Duration::from_millis(100);
/// Most time that a packet may be late before it is asked for, where packets have been seen to come out of order.
const LATENESS_MAX: Duration = Duration::from_millis(100);

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
    /// How late packets have come that were not lost. It shrinks with every loss.
    lateness: Duration,
}

impl Losses {
    /// When something is to be asked for or given up.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// So many packets before `newest` have not come. Says whether they can be asked for; where not, nothing that was
    /// missed before is asked for any more either.
    pub(super) fn miss(&mut self, newest: u64, missing: u64, now: Instant) -> bool {
        if usize::try_from(missing).map_or(true, |missing| self.missed.len().saturating_add(missing) > MISSED_MAX) {
            self.forget();
            return false;
        }
        let is_short = self.lateness < Duration::from_millis(1);
        self.lateness = if is_short { Duration::ZERO } else { self.lateness * 15 / 16 };
        let due = now + self.lateness;
        for number in newest.saturating_sub(missing)..newest {
            self.missed.push_back(Missed { number, since: now, due, requests: 0 });
        }
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
        true
    }

    /// A packet has come late. Says how often it has been asked for.
    ///
    /// Where retransmissions come apart, `is_retransmission` says whether it is one; what comes late by itself is waited
    /// for a little longer from then on.
    pub(super) fn found(&mut self, number: u64, is_retransmission: bool, now: Instant) -> u8 {
        let place = self.missed.binary_search_by_key(&number, |missed| missed.number).ok();
        let Some(missed) = place.and_then(|place| self.missed.remove(place)) else { return 0 };
        if self.missed.is_empty() {
            self.due = None;
        }
        if !is_retransmission {
            let late = now.saturating_duration_since(missed.since) * 5 / 4;
            self.lateness = self.lateness.max(late).min(LATENESS_MAX);
        }
        missed.requests
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
            missed.requests = missed.requests.saturating_add(1);
            missed.due = now + (interval * u32::from(missed.requests)).min(INTERVAL_MAX);
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
        assert_eq!(losses.found(12, true, now), 1);
        assert_eq!(losses.found(12, true, now), 0);
        let due = losses.due().unwrap();
        assert_eq!(due, now + Duration::from_millis(50));
        assert_eq!(asked(&mut losses, due), [11, 13]);
        assert_eq!((losses.found(11, true, due), losses.found(13, true, due)), (2, 2));
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
        let (mut losses, start) = (Losses::default(), Instant::now());
        losses.miss(5, 1, start);
        assert_eq!(asked(&mut losses, start), [4]);
        let now = start + Duration::from_millis(40);
        assert_eq!(losses.found(4, false, now), 1);
        losses.miss(7, 1, now);
        assert!(asked(&mut losses, now + Duration::from_millis(40)).is_empty());
        assert_eq!(losses.found(6, false, now), 0);
        for number in 1..100 {
            losses.miss(10 * number, 1, now);
            losses.found(10 * number - 1, true, now);
        }
        losses.miss(2_000, 1, now);
        assert_eq!(asked(&mut losses, now), [1_999], "that was long ago");
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
