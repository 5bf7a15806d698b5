//! What went wrong in all conversions of the process, for the metrics.

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

    pub(crate) fn count(&self) {
        self.value.fetch_add(1, Relaxed);
    }
}

/// Frames that did not decode and were concealed.
pub static BROKEN_FRAMES: Counter = Counter::new("broken_frames", "Frames that did not decode and were concealed.");
/// Times that silence was put in for missing sound.
pub static GAPS: Counter = Counter::new("gaps", "Times that missing sound was concealed or replaced by silence.");
/// Times that sound was left out because it overlapped what was already there.
pub static OVERLAPS: Counter = Counter::new("overlaps", "Times that sound was left out because its time had passed.");
/// Times that the timestamps jumped to another time line.
pub static JUMPS: Counter = Counter::new("jumps", "Times that the timestamps of a source jumped.");

/// All of them.
pub static TABLE: &[&Counter] = &[&BROKEN_FRAMES, &GAPS, &OVERLAPS, &JUMPS];
