//! The edges of the list, watched: each is asked again and again how it is.

use std::{sync::Arc, time::Duration};

use headwater_media::limits;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::{
    candidate::{Candidate, Candidates},
    edge::Edge,
    probe::{Load, Measured, Probe, ProbeError},
};

/// The longest wait before an edge is asked again that has just not answered.
const AGAIN: Duration = Duration::from_millis(200);

/// The edges of the list.
#[derive(Default)]
pub(crate) struct Edges(Mutex<Vec<Arc<Watched>>>);

/// An edge, and how it was when it was asked last.
pub(crate) struct Watched {
    edge: Edge,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_alive: bool,
    accepts: bool,
    load: Load,
    measured: u64,
    /// Attempts in a row that have failed.
    failures: u64,
    /// Whether an operator was told of what is wrong now.
    is_told: bool,
}

impl Edges {
    /// Others take their place; what is known of those that stay is kept.
    pub(crate) fn replace(&self, edges: &[Edge]) {
        let mut list = self.0.lock();
        let kept = |edge: &Edge| list.iter().find(|watched| watched.edge == *edge).cloned();
        let fresh = |edge: &Edge| Arc::new(Watched { edge: edge.clone(), state: Mutex::default() });
        *list = edges.iter().map(|edge| kept(edge).unwrap_or_else(|| fresh(edge))).collect();
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Watched>> {
        self.0.lock().clone()
    }
}

impl Candidates for Edges {
    fn list(&self) -> Vec<Candidate> {
        self.0.lock().iter().map(|watched| watched.candidate()).collect()
    }
}

impl Watched {
    pub(crate) fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Asks the edge at that pace, without end.
    pub(crate) async fn watch(&self, mut probe: Probe, pace: Duration) {
        loop {
            self.note(probe.measure().await);
            // One that has not answered once is soon asked again, as viewers are still sent there.
            sleep(if self.is_doubtful() { pace.min(AGAIN) } else { pace }).await;
        }
    }

    fn is_doubtful(&self) -> bool {
        let state = self.state.lock();
        state.is_alive && state.failures > 0
    }

    fn note(&self, answer: Result<Measured, ProbeError>) {
        let (edge, mut state) = (self.edge.id(), self.state.lock());
        match answer {
            Ok(Measured { accepts, load }) => {
                if !state.is_alive {
                    tracing::info!(edge, "an edge answers");
                    *state = State { measured: state.measured, ..State::default() };
                }
                if let Err(reason) = &load
                    && !state.is_told
                {
                    tracing::warn!(edge, reason, "an edge does not say how busy it is; it is chosen last");
                }
                state.is_told = load.is_err();
                (state.is_alive, state.accepts, state.failures) = (true, accepts, 0);
                state.load = load.unwrap_or_default();
                state.measured = state.measured.wrapping_add(1);
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                let is_over = state.failures >= limits::BALANCER_FAILURES.get();
                if is_over && (state.is_alive || !state.is_told) {
                    limits::BALANCER_FAILURES.hit();
                    tracing::warn!(edge, %error, "an edge does not answer; nobody is sent there until it does");
                    (state.is_alive, state.is_told) = (false, true);
                }
            }
        }
    }

    fn candidate(&self) -> Candidate {
        let state = self.state.lock();
        Candidate {
            id: self.edge.id(),
            host: self.edge.host().to_owned(),
            ws: self.edge.ws(),
            wss: self.edge.wss(),
            viewers: state.load.viewers,
            cpu: state.load.cpu,
            is_alive: state.is_alive,
            accepts: state.accepts,
            measured: state.measured,
        }
    }
}
