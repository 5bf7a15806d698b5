//! A crowd: load agents that come to servers under test, many in one process, each a real session of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_load::{Options, Outcome, Plan, Run};
use tokio::runtime::Runtime;

/// Agents that are there until this is dropped.
#[derive(Debug)]
pub struct Crowd {
    // The run is stopped before what it runs on.
    run: Run,
    runtime: Runtime,
}

impl Crowd {
    /// Starts what a run file says, on the network of the thread that asks, and allows it to go to these addresses.
    ///
    /// # Errors
    /// When the plan cannot be run.
    pub fn start(plan: &str, allowed: &[&str]) -> Result<Crowd> {
        let runtime = Runtime::new()?;
        let plan = Plan::from_toml(plan).with_context(|| plan.to_owned())?;
        let allowed = allowed.iter().map(|&place| place.to_owned()).collect();
        let run = runtime.block_on(async { Run::start(plan, &Options { allowed, ..Options::default() }) })?;
        Ok(Crowd { run, runtime })
    }

    /// What all have seen so far.
    pub fn outcome(&self) -> Outcome {
        self.run.outcome()
    }

    /// Waits until it is as it should be.
    ///
    /// # Errors
    /// When it is not within the time.
    pub fn wait(&self, what: &str, within: Duration, mut is_so: impl FnMut(&Outcome) -> bool) -> Result<Outcome> {
        let begun = Instant::now();
        loop {
            let outcome = self.outcome();
            if is_so(&outcome) {
                return Ok(outcome);
            }
            ensure!(begun.elapsed() < within, "it never was so that {what}: {:#?}", outcome.tasks);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Has all leave as they should, and yields what they have seen.
    pub fn leave(self) -> Outcome {
        self.run.stop();
        self.runtime.block_on(self.run.finished())
    }
}

/// How many are there now, of all tasks.
pub fn live(outcome: &Outcome) -> u64 {
    outcome.tasks.iter().map(|task| task.live).sum()
}

/// How many have seen a picture again after they had lost what they saw; each counts once for each time.
pub fn back(outcome: &Outcome) -> u64 {
    outcome.tasks.iter().filter_map(|task| task.back_ms).map(|spread| spread.count).sum()
}

/// How many have seen a picture, those who came again counted again.
pub fn seeing(outcome: &Outcome) -> u64 {
    outcome.tasks.iter().filter_map(|task| task.first_picture_ms).map(|spread| spread.count).sum()
}

/// Attempts that have failed, and streams that were lost.
pub fn failed(outcome: &Outcome) -> u64 {
    outcome.tasks.iter().map(|task| task.failed).sum()
}

/// The same by why.
pub fn failures(outcome: &Outcome) -> Vec<(String, u64)> {
    let rows = outcome.tasks.iter().flat_map(|task| &task.failures);
    rows.map(|failure| (format!("{:?}", failure.reason), failure.count)).collect()
}
