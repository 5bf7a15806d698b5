//! A run: agents come, stay, take turns and leave, by themselves or when told, and what they saw is kept.

mod crew;
mod series;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use headwater_media::limits;
use headwater_net::{Dialer, Reach, TlsError};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    figures::Board,
    outcome::{Outcome, Phase},
    plan::{Bounds, Plan, PlanError},
    process::Meter,
};

pub(crate) use crew::Crew;
use series::Series;

/// How long one agent is listened to by the decoder.
const DECODER_TURN: Duration = Duration::from_secs(4);
/// Time between two points of the series.
const STEP: Duration = Duration::from_secs(1);

/// What whoever runs agents allows, whatever a plan says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Hosts, addresses and networks that agents may go to; nothing else is connected to.
    pub allowed: Vec<String>,
    /// A PEM file of authorities that TLS trusts besides those of browsers.
    pub authorities: Option<std::path::PathBuf>,
    /// How much a plan may ask for.
    pub bounds: Bounds,
    /// Whether a plan may name a file of this machine to publish.
    pub may_read_files: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            allowed: vec!["127.0.0.0/8".into(), "::1".into()],
            authorities: None,
            bounds: Bounds::of_limits(),
            may_read_files: false,
        }
    }
}

/// Why a run does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The plan cannot be run.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan names a file, and may not.
    #[error("a plan may not name a file here; leave `source.file` out")]
    File,
    /// What is allowed is no host, no address and no network.
    #[error("{0:?} is no host, no address and no network")]
    Allowed(String),
    /// The file of authorities cannot be used.
    #[error(transparent)]
    Authorities(#[from] TlsError),
}

/// A run that has begun. It is stopped when this is dropped.
#[derive(Debug)]
pub struct Run {
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
    stop: CancellationToken,
    _stop_at_end: DropGuard,
}

/// What the run and those who look at it share.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    boards: Vec<Arc<Board>>,
    started: SystemTime,
    began: Instant,
    meter: Meter,
    series: Mutex<Series>,
    /// How long agents came and stayed, once they leave.
    flowed: Mutex<Option<Duration>>,
    error: Mutex<Option<String>>,
    phase: watch::Sender<Phase>,
}

impl Run {
    /// Begins a run on the runtime that this is called from; it goes on by itself.
    ///
    /// # Errors
    /// The plan or the options are wrong; nothing has begun.
    pub fn start(plan: Plan, options: &Options) -> Result<Run, RunError> {
        plan.check(&options.bounds)?;
        if plan.source.file.is_some() && !options.may_read_files {
            return Err(RunError::File);
        }
        let reach = Reach::only(options.allowed.iter().map(String::as_str)).map_err(RunError::Allowed)?;
        let dialer = Dialer::new(reach, options.authorities.as_deref())?;
        let (phase, watching) = watch::channel(Phase::Preparing);
        let shared = Arc::new(Shared {
            boards: plan.tasks.iter().map(|_| Arc::new(Board::new())).collect(),
            plan,
            started: SystemTime::now(),
            began: Instant::now(),
            meter: Meter::new(),
            series: Mutex::default(),
            flowed: Mutex::default(),
            error: Mutex::default(),
            phase,
        });
        let stop = CancellationToken::new();
        tokio::spawn(conduct(shared.clone(), dialer, stop.clone()));
        Ok(Run { shared, phase: watching, _stop_at_end: stop.clone().drop_guard(), stop })
    }

    /// Has all agents leave. The run is over once they have.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// What was found so far.
    pub fn outcome(&self) -> Outcome {
        self.shared.outcome()
    }

    /// Waits until the run is over, and yields what was found.
    pub async fn finished(&self) -> Outcome {
        let mut phase = self.phase.clone();
        let _ = phase.wait_for(|phase| matches!(phase, Phase::Done | Phase::Failed)).await;
        self.shared.outcome()
    }
}

impl Shared {
    fn outcome(&self) -> Outcome {
        let phase = *self.phase.borrow();
        let ran = self.began.elapsed();
        let flowed = self.flowed.lock().unwrap_or(ran);
        let rows = self.plan.tasks.iter().zip(&self.boards);
        let tasks: Vec<_> = rows.map(|(task, board)| board.read(|tally| tally.row(task, flowed))).collect();
        let series = self.series.lock();
        Outcome {
            name: self.plan.name.clone(),
            phase,
            started: self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            seconds: series.ended().unwrap_or(ran).as_secs_f64(),
            error: self.error.lock().clone(),
            checks: if phase == Phase::Done { self.plan.expect.check(&tasks) } else { Vec::new() },
            tasks,
            generator: series.last_cost().unwrap_or_else(|| self.meter.read()),
            series: series.points().to_vec(),
        }
    }

    fn enter(&self, phase: Phase) {
        tracing::debug!(?phase, run = self.plan.name, "a run of load agents goes on");
        self.phase.send_replace(phase);
    }

    /// Whether nobody is there, and nobody on the way.
    fn is_deserted(&self) -> bool {
        self.boards.iter().all(|board| board.read(|tally| tally.live == 0 && tally.arriving() == 0))
    }
}

/// Leads a run from its beginning to its end.
async fn conduct(shared: Arc<Shared>, dialer: Dialer, stop: CancellationToken) {
    let crew = match Crew::start(&shared.plan, &shared.boards, dialer).await {
        Ok(crew) => Arc::new(crew),
        Err(failure) => {
            *shared.error.lock() = Some(failure.words);
            return shared.enter(Phase::Failed);
        }
    };
    shared.enter(Phase::Ramping);
    let flowing = Instant::now();
    let watching = tokio::spawn(watch_over(shared.clone(), crew.clone()));
    let coming = crew.bring_all();
    tokio::select! {
        () = stop.cancelled() => {}
        () = async { coming.await; shared.enter(Phase::Holding); hold(&shared).await } => {}
    }
    *shared.flowed.lock() = Some(flowing.elapsed());
    shared.enter(Phase::Leaving);
    crew.dismiss_all().await;
    watching.abort();
    crew.turns().clear();
    shared.series.lock().end(&shared.boards, &shared.meter, shared.began.elapsed());
    shared.enter(Phase::Done);
}

/// Waits until the time of the plan is over, or nobody is left who could stay.
async fn hold(shared: &Shared) {
    let over = Instant::now() + Duration::try_from_secs_f64(shared.plan.hold_s).unwrap_or_default();
    let may_return = shared.plan.tasks.iter().any(|task| task.churn > 0.0 || task.rejoin);
    while Instant::now() < over {
        sleep(STEP.min(over.saturating_duration_since(Instant::now()))).await;
        if !may_return && shared.is_deserted() {
            return;
        }
    }
}

/// Writes the series, and passes the decoder from agent to agent.
async fn watch_over(shared: Arc<Shared>, crew: Arc<Crew>) {
    let mut steps = tokio::time::interval(STEP);
    let mut passed = Instant::now();
    loop {
        steps.tick().await;
        shared.series.lock().add(&shared.boards, &shared.meter, shared.began.elapsed());
        if passed.elapsed() >= DECODER_TURN || crew.turns().is_idle() {
            passed = Instant::now();
            crew.turns().pass();
        }
    }
}

/// How long agents may take to leave before they are given up.
fn farewell_time() -> Duration {
    limits::LOAD_SETUP_MS.get_duration()
}

#[cfg(test)]
mod tests;
