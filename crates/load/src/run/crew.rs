//! Those who come: how each task brings its agents, has them take turns, and lets them go.

use std::{sync::Arc, time::Duration};

use headwater_net::Dialer;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::farewell_time;
use crate::{
    Failure,
    agents::{self, Presence, Publishers},
    decode::Turns,
    figures::Board,
    plan::{Plan, TaskPlan, What},
    source::Source,
    worker::Workers,
};

/// All agents of a run, and what they run on.
pub(crate) struct Crew {
    plan: Plan,
    boards: Vec<Arc<Board>>,
    workers: Workers,
    publishers: Option<Publishers>,
    turns: Turns,
    /// Tells those who play to leave, and those who publish.
    viewers_leave: CancellationToken,
    publishers_leave: CancellationToken,
    viewers: Mutex<JoinSet<()>>,
    publishing: Mutex<JoinSet<()>>,
    /// What goes on beside the agents: taking turns.
    churning: Mutex<JoinSet<()>>,
}

impl Crew {
    /// Makes what agents run on, and what they send.
    ///
    /// # Errors
    /// Says what cannot be had.
    pub(super) async fn start(plan: &Plan, boards: &[Arc<Board>], dialer: Dialer) -> Result<Crew, Failure> {
        let turns = Turns::start().map_err(Failure::generator)?;
        let publishes = plan.tasks.iter().any(|task| matches!(task.what, What::Publish | What::Pairs));
        let publishers = match publishes {
            false => None,
            true => {
                let source = Source::start(&plan.source).await.map_err(Failure::generator)?;
                let started = Publishers::start(source, dialer.clone(), plan.workers).await;
                Some(started.map_err(Failure::generator)?)
            }
        };
        Ok(Crew {
            plan: plan.clone(),
            boards: boards.to_vec(),
            workers: Workers::start(plan.workers, &dialer, &turns)?,
            publishers,
            turns,
            viewers_leave: CancellationToken::new(),
            publishers_leave: CancellationToken::new(),
            viewers: Mutex::default(),
            publishing: Mutex::default(),
            churning: Mutex::default(),
        })
    }

    pub(crate) fn task(&self, index: usize) -> Result<&TaskPlan, Failure> {
        self.plan.tasks.get(index).ok_or_else(|| Failure::generator("there is no such task"))
    }

    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    pub(crate) fn publishers(&self) -> Result<&Publishers, Failure> {
        self.publishers.as_ref().ok_or_else(|| Failure::generator("nothing was made to be sent"))
    }

    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Brings the agents of all tasks, each at its rate, and ends when the last has asked.
    pub(super) fn bring_all(self: &Arc<Self>) -> impl Future<Output = ()> + use<> {
        let crew = self.clone();
        async move {
            let tasks = (0..crew.plan.tasks.len()).map(|task| crew.bring(task));
            futures_util::future::join_all(tasks).await;
        }
    }

    async fn bring(self: &Arc<Self>, task: usize) {
        let (Ok(plan), Some(board)) = (self.task(task), self.boards.get(task)) else { return };
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        sleep(seconds(plan.start_s)).await;
        let begun = Instant::now();
        let mut places = Vec::new();
        for agent in 0..plan.count {
            sleep_until(begun + plan.pause().saturating_mul(agent)).await;
            let place = Arc::new(Place { task, agent, rounds: watch::Sender::new(0), board: board.clone() });
            self.spawn(plan, place.clone());
            places.push(place);
        }
        if plan.churn > 0.0 {
            self.churning.lock().spawn(take_turns(self.clone(), places, seconds(1.0 / plan.churn)));
        }
    }

    fn spawn(self: &Arc<Self>, plan: &TaskPlan, place: Arc<Place>) {
        let (agents, leave) = match plan.what {
            What::Publish => (&self.publishing, &self.publishers_leave),
            _ => (&self.viewers, &self.viewers_leave),
        };
        let mut agents = agents.lock();
        while agents.try_join_next().is_some() {}
        agents.spawn(place.fill(self.clone(), leave.clone()));
    }

    /// Has all leave, those who play first, and ends what they ran on.
    pub(super) async fn dismiss_all(&self) {
        self.churning.lock().abort_all();
        for (leave, agents) in [(&self.viewers_leave, &self.viewers), (&self.publishers_leave, &self.publishing)] {
            leave.cancel();
            let mut agents = std::mem::take(&mut *agents.lock());
            // Whoever does not leave in time is dropped, and counts as failed.
            let _ = timeout(farewell_time(), async { while agents.join_next().await.is_some() {} }).await;
        }
        self.workers.stop().await;
        if let Some(publishers) = &self.publishers {
            publishers.stop().await;
        }
    }
}

/// The place of an agent, and of those who come after it.
struct Place {
    task: usize,
    agent: u32,
    /// How often another has been sent for.
    rounds: watch::Sender<u32>,
    board: Arc<Board>,
}

impl Place {
    /// Fills the place until it is left for good: by failure, where nobody takes turns or comes again, or when all
    /// leave.
    async fn fill(self: Arc<Self>, crew: Arc<Crew>, leave: CancellationToken) {
        let mut round = self.rounds.subscribe();
        let mut patience = Patience::default();
        let mut missed = None;
        loop {
            round.borrow_and_update();
            let presence = Presence::ask(self.board.clone(), missed);
            let stop = leave.child_token();
            let ended = {
                let mut running = std::pin::pin!(agents::run(&crew, self.task, self.agent, &presence, &stop));
                tokio::select! {
                    ended = &mut running => ended,
                    _ = round.changed() => {
                        stop.cancel();
                        running.await
                    }
                }
            };
            let (has_failed, was_live, had_pictures) = (ended.is_err(), presence.is_live(), presence.has_pictures());
            presence.leave(ended);
            if leave.is_cancelled() {
                return;
            }
            if !has_failed {
                (missed, patience) = Default::default();
                continue;
            }
            let Ok(plan) = crew.task(self.task) else { return };
            if !plan.rejoin && plan.churn == 0.0 {
                return;
            }
            if was_live {
                patience = Patience::default();
            }
            if had_pictures {
                missed = None;
            }
            // Whoever does not come again is missed until it is the turn of its place.
            let pause = if plan.rejoin { patience.next() } else { Duration::MAX };
            missed = missed.or(plan.rejoin.then(Instant::now));
            tokio::select! {
                () = leave.cancelled() => return,
                _ = round.changed() => missed = None,
                () = sleep(pause) => {}
            }
        }
    }
}

/// How long those who come again wait: longer each time, each by chance a little apart from the others.
#[derive(Debug, Default)]
struct Patience(u32);

impl Patience {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(10);

    fn next(&mut self) -> Duration {
        let longest =
            Patience::FIRST.saturating_mul(1u32.checked_shl(self.0).unwrap_or(u32::MAX)).min(Patience::LONGEST);
        self.0 = self.0.saturating_add(1);
        longest.mul_f64(rand::random_range(0.5..1.0))
    }
}

/// Sends for another in one place after the other.
async fn take_turns(crew: Arc<Crew>, places: Vec<Arc<Place>>, pause: Duration) {
    let mut ticks = tokio::time::interval(pause.max(Duration::from_millis(1)));
    ticks.tick().await;
    loop {
        for place in &places {
            ticks.tick().await;
            if crew.viewers_leave.is_cancelled() {
                return;
            }
            place.rounds.send_modify(|round| *round = round.wrapping_add(1));
        }
    }
}
