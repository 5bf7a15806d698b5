//! What this process costs.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::outcome::Generator;

/// Measures from when it was made.
#[derive(Debug)]
pub(crate) struct Meter {
    since: Instant,
    cpu_before: f64,
}

impl Meter {
    pub(crate) fn new() -> Meter {
        Meter { since: Instant::now(), cpu_before: cpu_seconds() }
    }

    pub(crate) fn read(&self) -> Generator {
        let cpu_s = (cpu_seconds() - self.cpu_before).max(0.0);
        let seconds = self.since.elapsed().as_secs_f64().max(1e-9);
        Generator { cpu_s, cores: cpu_s / seconds, memory_bytes: memory_bytes().unwrap_or(0) }
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Resident memory (`proc_pid_statm(5)`); nothing on systems without it.
fn memory_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}
