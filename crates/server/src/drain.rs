//! Empties this server: nobody new, the other servers are told, viewers leave bit by bit, publishers last.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use headwater_access::Elsewhere;
use headwater_cluster::{Cluster, NodeFacts, NodeState, Role};
use headwater_control::{Clients, Drain, DrainObject, Readiness};
use headwater_media::limits;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::{
    gates::{Doors, Inside, Turn},
    protocols::Spawner,
};

/// Time for other servers and balancers to learn that nobody is taken here, before viewers go looking for another.
const NOTICE: Duration = Duration::from_secs(1);
/// How long it stays after the last has left.
const LINGER: Duration = Duration::from_secs(2);
/// Hundredths of the time that viewers have to leave, the notice included.
const VIEWERS_SHARE: u32 = 70;

/// What empties a server. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Drainer(Arc<Inner>);

struct Inner {
    doors: Doors,
    readiness: Readiness,
    cluster: Option<Cluster>,
    clients: Option<Arc<dyn Clients>>,
    spawner: Spawner,
    time: Duration,
    /// When whoever is left is cut off, once it has begun.
    deadline: OnceLock<Instant>,
    /// Whether the process is to end.
    exits: CancellationToken,
    /// Whether nobody is left, or the time is over.
    is_over: CancellationToken,
}

impl Drainer {
    pub(crate) fn new(
        doors: Doors,
        readiness: Readiness,
        cluster: Option<Cluster>,
        clients: Option<Arc<dyn Clients>>,
        spawner: Spawner,
        time: Duration,
    ) -> Drainer {
        if let Some(clients) = &clients {
            doors.set_clients(clients.clone());
        }
        if let Some(cluster) = cluster.clone() {
            doors.set_elsewhere(Arc::new(move || elsewhere(&cluster)));
        }
        let (deadline, exits, is_over) = Default::default();
        Drainer(Arc::new(Inner { doors, readiness, cluster, clients, spawner, time, deadline, exits, is_over }))
    }

    /// Whether a server that is told to stop had better be emptied first: there are others to go to.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.cluster.is_some() && !self.0.time.is_zero()
    }

    /// Begins, if it has not begun.
    pub(crate) fn begin(&self) {
        let mut is_first = false;
        self.0.deadline.get_or_init(|| {
            is_first = true;
            Instant::now() + self.0.time
        });
        if is_first {
            // At once, not when the task runs: whoever asked may count on it.
            self.0.readiness.set_draining();
            self.0.doors.set_turn(Turn::Closed);
            if let Some(cluster) = &self.0.cluster {
                cluster.close();
            }
            let this = self.clone();
            self.0.spawner.spawn(async move { this.run().await });
        }
    }

    /// Waits until nobody is left or the time is over, if that has begun, and the process is to end then.
    pub(crate) async fn over_to_exit(&self) {
        self.0.exits.cancelled().await;
        self.0.is_over.cancelled().await;
    }

    /// The same whether the process is to end or not.
    pub(crate) async fn over(&self) {
        self.0.is_over.cancelled().await;
    }

    async fn run(&self) {
        let (time, deadline) = (self.0.time, self.deadline());
        let begun = self.inside();
        let Inside { viewers, publishers, sessions } = begun;
        tracing::info!(viewers, publishers, sessions, within = ?time, "draining: nobody new is let in");
        if !begun.is_empty() {
            sleep(NOTICE.min(time / 10)).await;
            let until = deadline.checked_sub(time / 100 * (100 - VIEWERS_SHARE)).unwrap_or(deadline);
            self.viewers(until).await;
            self.everybody(deadline).await;
            if self.0.doors.moved() != (0, 0) {
                // Whoever asks again where they were before is still told where to go.
                sleep_until(deadline.min(Instant::now() + LINGER)).await;
            }
        }
        let left = self.inside();
        let (viewers_moved, publishers_moved) = self.0.doors.moved();
        let Inside { viewers, publishers, sessions } = left;
        if left.is_empty() {
            tracing::info!(viewers_moved, publishers_moved, "drained: nobody is left");
        } else {
            tracing::warn!(
                viewers_moved,
                publishers_moved,
                viewers,
                publishers,
                sessions,
                "drained: the time is over, and some are left"
            );
        }
        self.0.is_over.cancel();
    }

    async fn viewers(&self, until: Instant) {
        let spread = spread(self.inside().viewers, until);
        self.0.doors.set_turn(Turn::Viewers(spread));
        self.wait(until, |inside| inside.viewers == 0).await;
    }

    async fn everybody(&self, until: Instant) {
        let inside = self.inside();
        let spread = spread(inside.viewers.saturating_add(inside.publishers), until);
        self.0.doors.set_turn(Turn::Everybodys(spread));
        self.wait(until, |inside| inside.viewers == 0 && inside.publishers == 0).await;
        // Clients that are connected and neither watch nor publish.
        let idle = self.0.clients.as_ref().map(|clients| clients.list()).unwrap_or_default();
        let step = self::spread(idle.len() as u64, until) / u32::try_from(idle.len().max(1)).unwrap_or(u32::MAX);
        for client in idle {
            if let Some(clients) = &self.0.clients {
                clients.send_elsewhere(&client.session_id);
            }
            sleep(step).await;
        }
        self.wait(until, |inside| inside.is_empty()).await;
    }

    async fn wait(&self, until: Instant, is_done: impl Fn(&Inside) -> bool) {
        let mut inside = self.0.doors.inside();
        let _ = timeout_at(until, inside.wait_for(is_done)).await;
    }

    fn inside(&self) -> Inside {
        *self.0.doors.inside().borrow()
    }

    fn deadline(&self) -> Instant {
        self.0.deadline.get().copied().unwrap_or_else(Instant::now)
    }
}

/// Servers of the cluster that take viewers and publishers, by chance, so that those who leave one after the other are
/// spread: edges and origins, and of each those of a group of this server's first.
fn elsewhere(cluster: &Cluster) -> Elsewhere {
    let mut nodes = cluster.nodes();
    nodes.retain(|node| node.state == NodeState::Active && node.load.accepts);
    let near = |node: &NodeFacts| node.groups.iter().any(|group| cluster.groups().contains(group));
    let any_of = |role: Role| {
        let all: Vec<&NodeFacts> = nodes.iter().filter(|node| node.role == role).collect();
        let here: Vec<&NodeFacts> = all.iter().copied().filter(|node| near(node)).collect();
        let those = if here.is_empty() { all } else { here };
        let chosen = rand::random_range(0..those.len().max(1));
        those.get(chosen).map(|node| node.media.clone())
    };
    Elsewhere { play: any_of(Role::Edge), publish: any_of(Role::Origin) }
}

/// How long so many have to leave one after the other, so that all have until then and some time to go.
fn spread(count: u64, until: Instant) -> Duration {
    let pace = limits::DRAIN_STEP_MS.get_duration();
    let wanted = pace.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    wanted.min(until.saturating_duration_since(Instant::now()).mul_f64(0.8))
}

impl Drain for Drainer {
    fn drain(&self, exits: bool) -> DrainObject {
        if exits {
            self.0.exits.cancel();
        }
        self.begin();
        let Inside { viewers, publishers, sessions } = self.inside();
        let (viewers_moved, publishers_moved) = self.0.doors.moved();
        let is_over = self.0.is_over.is_cancelled();
        let remaining = self.deadline().saturating_duration_since(Instant::now());
        DrainObject {
            state: if is_over { "DRAINED" } else { "DRAINING" },
            exits: self.0.exits.is_cancelled(),
            viewers,
            publishers,
            sessions,
            viewers_moved,
            publishers_moved,
            remaining_ms: if is_over { 0 } else { u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX) },
        }
    }
}
