//! The balancer: who the candidates are, by what they are chosen, and how that changes while it runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::{join_all, pending};
use headwater_graph::Hub;
use headwater_net::{Dialer, Reach};
use headwater_relay::Relays;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::{
    candidate::{Candidate, Candidates},
    choice::{Chooser, Mode},
    distribution::{Distribution, Distributor},
    edge::{Edge, bare},
    edges::Edges,
    probe::Probe,
};

/// What may be changed while it runs.
#[derive(Clone, Default)]
pub struct Settings {
    /// The edges of the list.
    pub edges: Vec<Edge>,
    /// By what one is chosen.
    pub mode: Mode,
    /// Time between two questions to an edge.
    pub pace: Duration,
    /// The token that edges are shown.
    pub token: Option<String>,
    /// How streams that are published here are sent to the edges of the list, if they are.
    pub distribution: Option<Distribution>,
}

/// Sends viewers to one of several servers. Cloning is cheap.
#[derive(Clone)]
pub struct Balancer(Arc<Inner>);

struct Inner {
    dialer: Dialer,
    settings: watch::Sender<Settings>,
    edges: Edges,
    others: RwLock<Vec<Arc<dyn Candidates>>>,
    chooser: Mutex<Chooser>,
    sent: AtomicU64,
    refused: AtomicU64,
}

/// What it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Servers that viewers may be sent to now.
    pub open: u64,
    /// Servers that answer and want no viewers.
    pub closed: u64,
    /// Servers that do not answer.
    pub dead: u64,
    /// Viewers that those who answer have, as they tell.
    pub viewers: u64,
    /// Viewers that were told a server.
    pub sent: u64,
    /// Viewers that there was no server for.
    pub refused: u64,
}

/// Without the token.
impl std::fmt::Debug for Balancer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Balancer").field("candidates", &self.candidates()).finish_non_exhaustive()
    }
}

impl Balancer {
    /// A balancer that asks edges through a dialer, to which the hosts of the list are within reach besides what it
    /// reaches anyway. They are asked once [`Balancer::run`] does.
    pub fn new(dialer: Dialer, settings: Settings) -> Balancer {
        let balancer = Balancer(Arc::new(Inner {
            dialer,
            settings: watch::Sender::default(),
            edges: Edges::default(),
            others: RwLock::default(),
            chooser: Mutex::default(),
            sent: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }));
        balancer.replace(settings);
        balancer
    }

    /// Other settings take the place of those in force; what is known of edges that stay is kept.
    pub fn replace(&self, settings: Settings) {
        self.0.edges.replace(&settings.edges);
        self.0.settings.send_replace(settings);
    }

    /// Lets viewers be sent to these servers, too, but for those whose host is in the list.
    pub fn add(&self, candidates: Arc<dyn Candidates>) {
        self.0.others.write().push(candidates);
    }

    /// Asks the edges of the list how they are, without end.
    pub async fn run(self) {
        let mut changes = self.0.settings.subscribe();
        loop {
            let settings = changes.borrow_and_update().clone();
            let edges = self.0.edges.all();
            let watching = async {
                join_all(edges.iter().map(|edge| edge.watch(self.probe(edge.edge(), &settings), settings.pace))).await;
                pending::<()>().await;
            };
            tokio::select! {
                () = watching => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Sends streams of a hub to the edges of the list as far as the settings say so, without end.
    pub async fn distribute(self, hub: Hub, relays: Relays) {
        let mut changes = self.0.settings.subscribe();
        let mut distributor = Distributor::new(hub, relays);
        loop {
            let settings = changes.borrow_and_update().clone();
            tokio::select! {
                () = distributor.run(&settings) => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    fn probe(&self, edge: &Edge, settings: &Settings) -> Probe {
        // The operator who lists an edge wants it asked, wherever it is; an edge that has no host cannot be listed.
        let reach = Reach::new([bare(edge.host())]).unwrap_or_default();
        Probe::new(edge.clone(), self.0.dialer.within(reach), settings.token.clone())
    }

    /// All servers that viewers may be sent to at times, as they are now.
    pub fn candidates(&self) -> Vec<Candidate> {
        let mut all = self.0.edges.list();
        let mut others: Vec<Candidate> = self.0.others.read().iter().flat_map(|others| others.list()).collect();
        others.retain(|other| all.iter().all(|edge| edge.host != other.host));
        all.append(&mut others);
        all
    }

    /// The server for the next viewer; none if there is none that lives and wants viewers.
    pub fn choose(&self) -> Option<Candidate> {
        let (candidates, mode) = (self.candidates(), self.0.settings.borrow().mode);
        let chosen = self.0.chooser.lock().choose(mode, &candidates, |below| rand::random_range(0..below));
        let count = if chosen.is_some() { &self.0.sent } else { &self.0.refused };
        count.fetch_add(1, Relaxed);
        chosen
    }

    /// What it counts.
    pub fn statistics(&self) -> Statistics {
        let candidates = self.candidates();
        let count = |is_meant: fn(&Candidate) -> bool| candidates.iter().filter(|one| is_meant(one)).count() as u64;
        let viewers = candidates.iter().filter(|one| one.is_alive).filter_map(|one| one.viewers);
        Statistics {
            open: count(Candidate::is_open),
            closed: count(|one| one.is_alive && !one.accepts),
            dead: count(|one| !one.is_alive),
            viewers: viewers.fold(0, u64::saturating_add),
            sent: self.0.sent.load(Relaxed),
            refused: self.0.refused.load(Relaxed),
        }
    }
}
