//! Those who publish and play: load agents, as many of each kind as the next.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_load::{Ability, Options, Outcome, Phase, Plan, Run, What, abilities};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{report::Report, server::Server};

/// Streams that are published.
const STREAMS: u32 = 2;
/// Seconds that the publishers are ahead of who plays.
const AHEAD: f64 = 3.0;

/// A run of load agents. They leave when it is dropped.
pub(super) struct Crowd {
    runtime: Runtime,
    run: Run,
    kinds: Vec<String>,
}

/// What the agents have seen.
pub(super) struct Seen {
    outcome: Outcome,
    kinds: Vec<String>,
}

impl Crowd {
    /// Has publishers come, and then viewers of each kind that agents can be.
    pub(super) fn start(server: &Server, viewers: u32, churn: f64, time: Duration) -> Result<Crowd> {
        let kinds: Vec<Ability> = abilities().into_iter().filter(|kind| kind.what == What::Play).collect();
        let count = u32::try_from(kinds.len())?;
        ensure!(count > 0 && viewers >= count, "there are {count} kinds of viewers: each needs one at least");
        let mut tasks = vec![json!({
            "what": "publish", "target": format!("http://{}/soak-{{i}}/whip", server.http), "count": STREAMS,
        })];
        for (index, kind) in kinds.iter().enumerate() {
            let own = viewers / count + u32::from(u32::try_from(index)? < viewers % count);
            tasks.push(task(kind, server, own, churn / f64::from(count)));
        }
        let plan = json!({
            "name": "soak",
            "hold_s": time.as_secs_f64() + 3_600.0,
            "source": { "width": 640, "height": 360, "bitrate": 500_000 },
            "task": tasks,
        });
        let plan = Plan::from_json(&plan.to_string())?;
        let runtime = Runtime::new()?;
        let run = {
            let _inside = runtime.enter();
            Run::start(plan, &Options::default())?
        };
        let named = |kind: &Ability| format!("viewers by {}", kind.protocol);
        let kinds = std::iter::once("publishers".to_owned()).chain(kinds.iter().map(named)).collect();
        Ok(Crowd { runtime, run, kinds })
    }

    /// That the run goes on.
    pub(super) fn check(&self) -> Result<()> {
        let outcome = self.run.outcome();
        let goes_on = !matches!(outcome.phase, Phase::Failed | Phase::Done);
        goes_on.then_some(()).with_context(|| format!("the agents are gone: {:?}, {:?}", outcome.error, outcome.tasks))
    }

    /// Has all leave, and waits until they have.
    pub(super) fn end(self) -> Result<Seen> {
        self.run.stop();
        let outcome = self.runtime.block_on(self.run.finished());
        Ok(Seen { outcome, kinds: self.kinds })
    }
}

/// Agents of a kind, which share the streams.
fn task(kind: &Ability, server: &Server, count: u32, churn: f64) -> Value {
    let holes = [
        ("{http}", format!("http://{}", server.http)),
        ("{ws}", format!("ws://{}", server.http)),
        ("{rtmp}", format!("rtmp://{}", server.rtmp)),
        ("{name}", "soak-{i}".to_owned()),
    ];
    let target = holes.iter().fold(kind.target.to_owned(), |url, (hole, with)| url.replace(hole, with));
    let mut task = json!({
        "what": "play", "target": target, "count": count, "streams": STREAMS, "rate": 5, "start_s": AHEAD, "churn": churn,
    });
    if kind.takes_stream {
        task["stream"] = json!("soak-{i}");
    }
    if let Some(low_latency) = kind.low_latency {
        task["hls"] = json!({ "low_latency": low_latency });
    }
    task
}

impl Seen {
    /// What each kind has seen: nobody may have failed, and what came has to be whole.
    pub(super) fn tell(&self, report: &mut Report, part: &str) {
        for (row, kind) in self.outcome.tasks.iter().zip(&self.kinds) {
            report.figure(part, format!("{kind}: came about"), row.joined as f64, "agents");
            report.barred(part, format!("{kind}: failed"), row.failed as f64, "agents", 0.0);
            if row.what == What::Play {
                report.figure(part, format!("{kind}: packets lost"), row.loss * 100.0, "%");
                report.figure(part, format!("{kind}: freezes"), row.freezes as f64, "freezes");
                report.barred(part, format!("{kind}: pictures refused"), row.decoded.refused as f64, "pictures", 0.0);
            }
        }
        let cores = self.outcome.generator.cores;
        report.figure(part, "cores that the agents took", cores, "cores");
    }
}
