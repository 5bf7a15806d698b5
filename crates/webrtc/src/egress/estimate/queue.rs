//! Whether packets wait all the time, and not only behind a large picture.
//!
//! A key frame leaves in one go and takes long to arrive; so do the pictures right behind it. Then the queue is empty
//! again, and nothing was sent too fast. A queue that never empties is another matter.

/// The least delay in so many microseconds, up to twice as many, is what the way takes without any queue.
const BASE_MICROS: i64 = 10_000_000;
/// In so many, up to twice as many, a queue that only a picture makes is empty once.
const RECENT_MICROS: i64 = 150_000;
/// More than this is a queue.
const STANDING_MICROS: i64 = 20_000;

/// The least delays, lately and for longer.
#[derive(Debug)]
pub(super) struct Queue {
    base: Least,
    recent: Least,
}

impl Queue {
    pub(super) fn new() -> Queue {
        Queue { base: Least::new(BASE_MICROS), recent: Least::new(RECENT_MICROS) }
    }

    /// A packet arrived; times in microseconds, each on its own clock.
    pub(super) fn push(&mut self, sent: i64, arrival: i64) {
        let delay = arrival.saturating_sub(sent);
        self.base.push(delay, arrival);
        self.recent.push(delay, arrival);
    }

    /// Whether every packet had to wait lately.
    pub(super) fn is_standing(&self) -> bool {
        match (self.recent.get(), self.base.get()) {
            (Some(recent), Some(base)) => recent.saturating_sub(base) > STANDING_MICROS,
            _ => false,
        }
    }
}

/// The least of the values of the last one to two windows.
#[derive(Debug)]
struct Least {
    window: i64,
    began: i64,
    current: Option<i64>,
    previous: Option<i64>,
}

impl Least {
    fn new(window: i64) -> Least {
        Least { window, began: 0, current: None, previous: None }
    }

    fn push(&mut self, value: i64, now: i64) {
        let elapsed = now.saturating_sub(self.began);
        // Not within two windows is a pause, or a clock that was set.
        if elapsed >= self.window.saturating_mul(2) || elapsed <= -self.window {
            (self.began, self.previous, self.current) = (now, None, None);
        } else if elapsed >= self.window {
            (self.began, self.previous) = (self.began.saturating_add(self.window), self.current.take());
        }
        self.current = Some(self.current.map_or(value, |least| least.min(value)));
    }

    fn get(&self) -> Option<i64> {
        self.previous.into_iter().chain(self.current).min()
    }
}
