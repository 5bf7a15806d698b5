//! What a process uses while it is watched.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::clock::{process_time, resident_bytes, time_by_thread};

/// Watches a process.
pub(crate) struct Watch {
    pid: u32,
    begin: Instant,
    time: Duration,
    threads: Vec<(String, Duration)>,
}

/// What a process used.
pub(crate) struct Usage {
    /// CPU time of all its threads.
    pub(crate) time: Duration,
    /// Seconds for which it was watched.
    pub(crate) elapsed: f64,
    /// Bytes that it held at the end.
    pub(crate) resident: u64,
    /// Its threads by name and their shares of a core, the busiest first.
    pub(crate) threads: Vec<(String, f64)>,
}

impl Watch {
    pub(crate) fn begin(pid: u32) -> Result<Watch> {
        Ok(Watch { pid, begin: Instant::now(), time: process_time(pid)?, threads: time_by_thread(pid)? })
    }

    pub(crate) fn end(self) -> Result<Usage> {
        let time = process_time(self.pid)?.saturating_sub(self.time);
        let elapsed = self.begin.elapsed().as_secs_f64();
        let threads = shares(&self.threads, &time_by_thread(self.pid)?, elapsed);
        Ok(Usage { time, elapsed, resident: resident_bytes(self.pid)?, threads })
    }
}

impl Usage {
    /// Of one core.
    pub(crate) fn share(&self) -> f64 {
        self.time.as_secs_f64() / self.elapsed
    }

    /// CPU time for one of so many, in nanoseconds.
    pub(crate) fn nanoseconds_for(&self, count: f64) -> f64 {
        self.time.as_nanos() as f64 / count
    }
}

fn shares(before: &[(String, Duration)], after: &[(String, Duration)], elapsed: f64) -> Vec<(String, f64)> {
    let mut shares: Vec<(String, f64)> = after
        .iter()
        .map(|(name, time)| {
            let earlier = before.iter().find(|(known, _)| known == name);
            let earlier = earlier.map_or(Duration::ZERO, |(_, time)| *time);
            (name.clone(), time.saturating_sub(earlier).as_secs_f64() / elapsed)
        })
        .collect();
    shares.sort_by(|one, other| other.1.total_cmp(&one.1));
    shares
}
