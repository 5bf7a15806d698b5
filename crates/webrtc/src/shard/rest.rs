//! When shards that share a socket have nothing to carry.
//!
//! Viewers of a stream that is silent still say that they are there, each at its own time, and to be woken for each of
//! those datagrams costs many times what they take. So a shard at rest lets them gather.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long datagrams gather while nothing is carried.
const GATHERING: Duration = Duration::from_millis(20);
/// Readings of what has gathered before others of the shard have a turn.
pub(super) const READINGS_MAX: u32 = 32;
/// How long shards are awake after the last media, and for a new session, whose handshake is not to wait.
pub(super) const AFTER_MEDIA: Duration = Duration::from_secs(1);
pub(super) const FOR_A_SESSION: Duration = Duration::from_secs(5);
/// What is known to be later by less than this is not told again.
const COARSE_MS: u64 = 100;

/// Until when the shards of a socket are awake, told by each and asked by the one that receives.
#[derive(Debug)]
pub(super) struct Rest {
    begun: Instant,
    /// In milliseconds from the beginning.
    awake_until: AtomicU64,
}

impl Rest {
    pub(super) fn new(now: Instant) -> Rest {
        Rest { begun: now, awake_until: AtomicU64::new(0) }
    }

    fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.begun).as_millis() as u64
    }

    /// There is something to do, and will be for so long.
    #[inline]
    pub(super) fn wake(&self, now: Instant, time: Duration) {
        let until = self.millis(now + time);
        if self.awake_until.load(Relaxed) + COARSE_MS <= until {
            self.awake_until.fetch_max(until, Relaxed);
        }
    }

    /// Whether there is nothing to do but to answer those who say that they are there.
    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.awake_until.load(Relaxed) < self.millis(now)
    }
}

/// Lets datagrams gather.
///
/// The thread itself sleeps, with all that it has to do: one that waits for its sockets is woken by each datagram,
/// whether anybody reads it then or not.
pub(super) fn gather() {
    std::thread::sleep(GATHERING);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_rest_once_nothing_has_been_carried_for_a_while() {
        let start = Instant::now();
        let (rest, at) = (Rest::new(start), |ms| start + Duration::from_millis(ms));
        assert!(rest.is_on(at(1)));
        rest.wake(at(1_000), AFTER_MEDIA);
        rest.wake(at(1_050), AFTER_MEDIA);
        assert!(!rest.is_on(at(2_000)));
        assert!(rest.is_on(at(2_100)));
        rest.wake(at(3_000), FOR_A_SESSION);
        rest.wake(at(3_500), AFTER_MEDIA);
        assert!(!rest.is_on(at(8_000)), "the later of both counts");
        assert!(rest.is_on(at(8_001)));
    }
}
