//! What was lost in all conversions of the process, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows.
#[derive(Debug)]
pub struct Counter {
    /// Its name in the metrics.
    pub name: &'static str,
    /// What it counts, in one sentence.
    pub what: &'static str,
    value: AtomicU64,
}

impl Counter {
    const fn new(name: &'static str, what: &'static str) -> Counter {
        Counter { name, what, value: AtomicU64::new(0) }
    }

    /// The number since the process started.
    pub fn get(&self) -> u64 {
        self.value.load(Relaxed)
    }

    /// Adds what a sum kept elsewhere has grown by.
    pub(crate) fn follow(&self, before: u64, now: u64) {
        if now > before {
            self.value.fetch_add(now - before, Relaxed);
        }
    }
}

/// Frames left out of packet lanes.
pub static FRAMES_NOT_PACKETIZED: Counter = Counter::new(
    "frames_not_packetized",
    "Frames left out of RTP: malformed ones, and B-frames that no other frame refers to.",
);
/// Packets missing on the way to frames.
pub static PACKETS_LOST: Counter = Counter::new("packets_lost", "RTP packets that never came, or came too late.");
/// Packets dropped because their payload is bad.
pub static PACKETS_MALFORMED: Counter =
    Counter::new("packets_malformed", "RTP packets that do not follow their payload format.");
/// Frames dropped for missing or bad packets.
pub static FRAMES_DROPPED: Counter =
    Counter::new("frames_dropped", "Frames dropped because packets of them, or of frames they refer to, are missing.");

/// All of them.
pub static TABLE: &[&Counter] = &[&FRAMES_NOT_PACKETIZED, &PACKETS_LOST, &PACKETS_MALFORMED, &FRAMES_DROPPED];
