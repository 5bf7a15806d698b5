//! What is counted of hooks.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use headwater_media::{Times, TimesRead};

use crate::{
    error::HookError,
    method::Method,
    observer::{Observation, Observer},
};

/// What a hook has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The application answered 200, or took the event.
    Taken,
    /// It answered that this must not be.
    Refused,
    /// It answered with another status, or with what is not understood.
    Failed,
    /// It could not be reached, or did not answer in time.
    Unreachable,
    /// An event was dropped: too old, too large, too many, or not wanted.
    Dropped,
}

impl Outcome {
    /// All of them.
    pub const ALL: &[Outcome] =
        &[Outcome::Taken, Outcome::Refused, Outcome::Failed, Outcome::Unreachable, Outcome::Dropped];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Taken => "taken",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Unreachable => "unreachable",
            Outcome::Dropped => "dropped",
        }
    }

    pub(crate) fn of<T>(result: &Result<T, HookError>) -> Outcome {
        match result {
            Ok(_) => Outcome::Taken,
            Err(HookError::Status(401 | 403 | 429)) => Outcome::Refused,
            Err(HookError::TimedOut(_) | HookError::Unreachable(_) | HookError::Crowded) => Outcome::Unreachable,
            Err(_) => Outcome::Failed,
        }
    }
}

/// What is counted of hooks since the start.
#[derive(Default)]
pub struct Figures {
    counts: [[AtomicU64; Outcome::ALL.len()]; Method::ALL.len()],
    times: [Times; Method::ALL.len()],
    observer: OnceLock<Arc<dyn Observer>>,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Figures {
    /// Has each request observed from now on. Later calls change nothing.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        let _ = self.observer.set(observer);
    }

    pub(crate) fn begin(&self, session: &str, method: Method) -> Option<Box<dyn Observation>> {
        self.observer.get()?.begin(session, method)
    }

    pub(crate) fn count(&self, method: Method, outcome: Outcome) {
        if let Some(count) = self.find(method, outcome) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn time(&self, method: Method, time: Duration) {
        if let Some(times) = self.times.get(method as usize) {
            times.count(time);
        }
    }

    /// How often a hook has come to this. An event that is tried again counts each time.
    pub fn get(&self, method: Method, outcome: Outcome) -> u64 {
        self.find(method, outcome).map_or(0, |count| count.load(Relaxed))
    }

    /// How long the requests of a hook took.
    pub fn times(&self, method: Method) -> TimesRead {
        self.times.get(method as usize).map(Times::read).unwrap_or_default()
    }

    fn find(&self, method: Method, outcome: Outcome) -> Option<&AtomicU64> {
        self.counts.get(method as usize)?.get(outcome as usize)
    }
}
