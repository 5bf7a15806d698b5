//! What programs cost while a test looks on: their time on processors.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Ticks of the clock that the kernel counts in (proc_pid_stat(5)); it is so on all that Linux runs on today.
const TICKS_A_SECOND: f64 = 100.0;

/// The busiest second so far of some programs together.
#[derive(Debug)]
pub struct Peak {
    programs: Vec<u32>,
    since: Instant,
    at_begin: f64,
    peak: f64,
}

impl Peak {
    /// Looks at these, by their process numbers, from now on.
    pub fn of(programs: &[u32]) -> Peak {
        let programs = programs.to_vec();
        Peak { at_begin: seconds(&programs), programs, since: Instant::now(), peak: 0.0 }
    }

    /// To be called several times in a second.
    pub fn look(&mut self) {
        let passed = self.since.elapsed();
        if passed >= Duration::from_secs(1) {
            let now = seconds(&self.programs);
            self.peak = self.peak.max((now - self.at_begin) / passed.as_secs_f64());
            (self.since, self.at_begin) = (Instant::now(), now);
        }
    }

    /// Processor time in a second of real time: cores that were busy.
    pub fn cores(&self) -> f64 {
        self.peak
    }
}

fn seconds(programs: &[u32]) -> f64 {
    programs.iter().filter_map(|program| processor_seconds(*program).ok()).sum()
}

/// Seconds that a program has had a processor for, in its own code and in the kernel's.
///
/// # Errors
/// When it is gone.
pub fn processor_seconds(program: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{program}/stat"))?;
    // The name, in brackets, may hold spaces; behind it are the third field and those that follow.
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let ticks = |field: usize| -> Result<f64> {
        Ok(fields.split_whitespace().nth(field - 3).context("too few fields")?.parse()?)
    };
    Ok((ticks(14)? + ticks(15)?) / TICKS_A_SECOND)
}
