//! The runs of load agents of this server: those that go on, and the last of those that are over.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use headwater_control::{LoadAbilitiesObject, LoadObject, LoadOrder, LoadRefused, LoadResultsObject, Loads};
use headwater_graph::BoxFuture;
use headwater_load::{Bounds, NUMBER, Options, Plan, PlanError, Run, RunError};
use headwater_media::limits;
use headwater_net::{DialError, Dialer};
use parking_lot::Mutex;
use url::Url;

use super::rows;

/// What stands before the name of a run.
const SCHEME: &str = "load://";
/// The longest name of a run.
const NAME_MAX: usize = 64;

/// The runs of this server. Cloning is cheap.
#[derive(Clone)]
pub(super) struct Runs(Arc<Inner>);

struct Inner {
    allowed: Vec<String>,
    authorities: Option<PathBuf>,
    dialer: Dialer,
    /// The newest first.
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    uri: String,
    agents: u64,
    run: Arc<Run>,
    is_over: Arc<AtomicBool>,
}

impl Kept {
    fn new(uri: &str, agents: u64, run: Arc<Run>) -> Kept {
        let (is_over, ending) = (Arc::new(AtomicBool::new(false)), run.clone());
        let over = is_over.clone();
        tokio::spawn(async move {
            ending.finished().await;
            over.store(true, Relaxed);
        });
        Kept { uri: uri.to_owned(), agents, run, is_over }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }
}

impl Runs {
    pub(super) fn new(allowed: Vec<String>, authorities: Option<PathBuf>, dialer: Dialer) -> Runs {
        Runs(Arc::new(Inner { allowed, authorities, dialer, kept: Mutex::default() }))
    }

    /// How many runs go on, and how many agents they have together.
    pub(super) fn going_on(&self) -> (usize, u64) {
        going_on(&self.0.kept.lock())
    }

    /// Has all agents of all runs leave, and waits until they have.
    pub(super) async fn stop(&self) {
        let runs: Vec<_> = self.0.kept.lock().drain(..).map(|kept| kept.run).collect();
        runs.iter().for_each(|run| run.stop());
        futures_util::future::join_all(runs.iter().map(|run| run.finished())).await;
    }

    async fn begin(self, order: LoadOrder) -> Result<LoadObject, LoadRefused> {
        let inner = &self.0;
        if inner.allowed.is_empty() {
            let words = "This server sends no load anywhere. An operator may allow hosts, addresses and networks by \
                         `allowed` in [load].";
            return Err(LoadRefused::Forbidden(words.into()));
        }
        check_name(&order.uri)?;
        let uri = order.uri.clone();
        let plan = rows::plan(order);
        plan.check(&Bounds::of_limits()).map_err(|error| LoadRefused::Order(sentence(&error)))?;
        self.check_reach(&plan).await?;
        let mut kept = inner.kept.lock();
        if kept.iter().any(|kept| kept.uri == uri && !kept.is_over()) {
            return Err(LoadRefused::NameTaken(format!("There is a run called {uri} that is not over.")));
        }
        let (runs, agents) = going_on(&kept);
        if runs as u64 >= limits::LOAD_RUNS.get() {
            limits::LOAD_RUNS.hit();
            return Err(LoadRefused::TooMany(format!("There are {runs} runs already, as many as there may be.")));
        }
        let bounds = Bounds::of_limits();
        let left = bounds.agents_max.saturating_sub(agents);
        if plan.agents() > left {
            limits::LOAD_AGENTS.hit();
            let words = format!("Other runs have {agents} agents, and {left} more are allowed here.");
            return Err(LoadRefused::TooMany(words));
        }
        let agents = plan.agents();
        let options = Options {
            allowed: inner.allowed.clone(),
            authorities: inner.authorities.clone(),
            bounds,
            may_read_files: false,
        };
        let run = Arc::new(Run::start(plan, &options).map_err(refuse)?);
        kept.retain(|kept| kept.uri != uri);
        kept.push_front(Kept::new(&uri, agents, run.clone()));
        forget(&mut kept);
        drop(kept);
        Ok(rows::object(&uri, run.outcome()))
    }

    /// Whether load may go to the targets. Each connection is checked again when it is made, so that a name that is
    /// given another address meanwhile leads nowhere.
    async fn check_reach(&self, plan: &Plan) -> Result<(), LoadRefused> {
        let targets = plan.tasks.iter().flat_map(|task| {
            let urls = std::iter::once(&task.target).chain(&task.playback);
            urls.map(|url| url.replace(NUMBER, &task.first.to_string()))
        });
        let checks = targets.map(|target| async move {
            let url = Url::parse(&target).map_err(|error| LoadRefused::Order(sentence(&error)))?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err(LoadRefused::Order("A target has no user and no password; send them as `token`.".into()));
            }
            let host = url.host_str().unwrap_or_default();
            let port = url.port_or_known_default().unwrap_or(80);
            self.0.dialer.resolve(host, port).await.map(drop).map_err(|error| match error {
                DialError::Forbidden { host } => LoadRefused::Forbidden(format!(
                    "Load may not go to {host}. An operator may allow it by `allowed` in [load]."
                )),
                error => LoadRefused::UnknownHost(sentence(&error)),
            })
        });
        futures_util::future::try_join_all(checks).await.map(drop)
    }

    fn look<T>(&self, uri: &str, look: impl FnOnce(&Run) -> T) -> Option<T> {
        let run = self.0.kept.lock().iter().find(|kept| kept.uri == uri)?.run.clone();
        Some(look(&run))
    }
}

impl Loads for Runs {
    fn abilities(&self) -> LoadAbilitiesObject {
        let bounds = Bounds::of_limits();
        LoadAbilitiesObject {
            kinds: rows::kinds(),
            allowed: self.0.allowed.clone(),
            agents_max: bounds.agents_max,
            agents: self.going_on().1,
            rate_max: bounds.rate_max,
            runs_max: limits::LOAD_RUNS.get(),
        }
    }

    fn start(&self, order: LoadOrder) -> BoxFuture<'static, Result<LoadObject, LoadRefused>> {
        Box::pin(self.clone().begin(order))
    }

    fn list(&self) -> Vec<LoadObject> {
        let runs: Vec<_> = self.0.kept.lock().iter().map(|kept| (kept.uri.clone(), kept.run.clone())).collect();
        runs.into_iter().map(|(uri, run)| rows::object(&uri, run.outcome())).collect()
    }

    fn results(&self, uri: &str) -> Option<LoadResultsObject> {
        self.look(uri, |run| rows::results(uri, run.outcome()))
    }

    fn terminate(&self, uri: &str) -> Option<LoadObject> {
        self.look(uri, |run| {
            run.stop();
            rows::object(uri, run.outcome())
        })
    }
}

/// How many runs go on, and their agents.
fn going_on(kept: &VecDeque<Kept>) -> (usize, u64) {
    let on = kept.iter().filter(|kept| !kept.is_over());
    on.fold((0, 0), |(runs, agents), kept| (runs + 1, agents + kept.agents))
}

/// Forgets the oldest of those that are over, where they are too many.
fn forget(kept: &mut VecDeque<Kept>) {
    let mut over = 0;
    kept.retain(|kept| {
        over += u64::from(kept.is_over());
        !kept.is_over() || over <= limits::LOAD_RUNS_KEPT.get()
    });
}

fn check_name(uri: &str) -> Result<(), LoadRefused> {
    let name = uri.strip_prefix(SCHEME).unwrap_or_default();
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter));
    if !name.is_empty() && name.len() <= NAME_MAX && is_plain {
        return Ok(());
    }
    let words = format!(
        "uri is {SCHEME} and a name of at most {NAME_MAX} letters, digits, points, lines and underscores, such as \
         {SCHEME}evening."
    );
    Err(LoadRefused::Order(words))
}

fn refuse(error: RunError) -> LoadRefused {
    match error {
        RunError::Plan(PlanError::TooMuch { .. }) => LoadRefused::TooMany(sentence(&error)),
        error => LoadRefused::Order(sentence(&error)),
    }
}

/// An error's words as a sentence.
pub(super) fn sentence(error: &dyn std::fmt::Display) -> String {
    let words = error.to_string();
    let mut letters = words.trim().chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let rest: String = letters.take(400).collect();
    format!("{first}{}.", rest.trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
