//! Load agents within the bench: started by a plan, waited for, and looked at over some time.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use headwater_load::{Bounds, Options, Outcome, Phase, Plan, Run, TaskRow, What};
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// How long all agents may take to come.
const ARRIVAL: Duration = Duration::from_secs(60);
/// They stay until the bench has seen enough.
const HOLD_S: u64 = 43_200;
/// How long all of them may take to tell the server that they leave.
const DEPARTURE: Duration = Duration::from_secs(20);

/// Agents at work; they leave when this is dropped.
pub(crate) struct Crew {
    run: Run,
    runtime: Runtime,
}

/// What those who play have received between two looks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    /// Packets, or frames where a protocol has none.
    pub(crate) packets: f64,
    /// Bytes of media.
    pub(crate) bytes: f64,
    /// Of all packets, those that never came, in percent.
    pub(crate) lost: f64,
    /// Gaps that a person would notice.
    pub(crate) freezes: f64,
}

/// One task of a plan.
pub(crate) fn task(what: &str, target: &str, count: usize, rate: usize) -> Value {
    json!({ "what": what, "target": target, "count": count, "rate": rate })
}

impl Crew {
    /// Has agents come.
    pub(crate) fn start(name: &str, tasks: &[Value], allowed: &[String]) -> Result<Crew> {
        let plan = json!({ "name": name, "hold_s": HOLD_S, "task": tasks });
        let plan = Plan::from_json(&plan.to_string())?;
        let mut options = Options::default();
        options.allowed.extend_from_slice(allowed);
        options.bounds = Bounds { agents_max: plan.agents().max(1), rate_max: 1_000.0, ..options.bounds };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let run = runtime.block_on(async { Run::start(plan, &options) })?;
        Ok(Crew { run, runtime })
    }

    /// Waits until all are there.
    pub(crate) fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + ARRIVAL;
        loop {
            let outcome = self.run.outcome();
            if outcome.tasks.iter().all(|task| task.live == task.count) {
                return Ok(());
            }
            if matches!(outcome.phase, Phase::Done | Phase::Failed) || Instant::now() > deadline {
                bail!("the agents are not all there: {}", told(&outcome));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// All that they have seen so far.
    pub(crate) fn outcome(&self) -> Outcome {
        self.run.outcome()
    }

    /// What those who play receive in this time.
    pub(crate) fn watch(&self, time: Duration) -> Result<Received> {
        let before = self.outcome();
        let before = playing(&before)?;
        thread::sleep(time);
        let outcome = self.outcome();
        let after = playing(&outcome)?;
        ensure!(after.live == after.count, "agents have gone: {}", told(&outcome));
        // A second's worth of each agent is told only once in a second, at the end as at the beginning.
        let (packets, lost) = (after.packets - before.packets, after.lost.saturating_sub(before.lost));
        Ok(Received {
            packets: packets as f64,
            bytes: (after.bytes - before.bytes) as f64,
            lost: lost as f64 / (packets + lost).max(1) as f64 * 100.0,
            freezes: after.freezes.saturating_sub(before.freezes) as f64,
        })
    }
}

impl Drop for Crew {
    /// Agents take leave: a server that was not told goes on sending to them, and takes time from what is measured next.
    fn drop(&mut self) {
        self.run.stop();
        // Those who are not done by then are cut off.
        let _ = self.runtime.block_on(async { timeout(DEPARTURE, self.run.finished()).await });
    }
}

/// The task that plays.
pub(crate) fn playing(outcome: &Outcome) -> Result<&TaskRow> {
    outcome.tasks.iter().find(|task| task.what == What::Play).context("nobody plays")
}

fn told(outcome: &Outcome) -> String {
    let rows = outcome.tasks.iter().map(|task| {
        let failures = task.failures.iter().map(|failure| failure.example.as_str());
        let failures = failures.collect::<Vec<_>>().join("; ");
        format!("{}: {} of {} there. {failures}", task.what, task.live, task.count)
    });
    let error = outcome.error.clone().into_iter();
    rows.chain(error).collect::<Vec<_>>().join(" / ")
}
