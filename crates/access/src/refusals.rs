//! How many were not let in, by what they wanted and why.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{asking::Action, refused::Why};

/// What somebody wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// To connect.
    Connect,
    /// To be the source of a stream.
    Publish,
    /// To get a stream.
    Play,
    /// To have the application take data, or anything else besides streams.
    Data,
    /// To call REST or to read the metrics.
    Rest,
}

impl Wanted {
    /// All of them.
    pub const ALL: &[Wanted] = &[Wanted::Connect, Wanted::Publish, Wanted::Play, Wanted::Data, Wanted::Rest];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Wanted::Connect => "connect",
            Wanted::Publish => "publish",
            Wanted::Play => "play",
            Wanted::Data => "data",
            Wanted::Rest => "rest",
        }
    }
}

impl From<Action> for Wanted {
    fn from(action: Action) -> Wanted {
        match action {
            Action::Publish => Wanted::Publish,
            Action::Play => Wanted::Play,
        }
    }
}

/// How many were not let in since the start. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<[[AtomicU64; Why::ALL.len()]; Wanted::ALL.len()]>);

impl Refusals {
    /// One more.
    pub fn count(&self, wanted: Wanted, why: Why) {
        if let Some(count) = self.find(wanted, why) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many there were.
    pub fn get(&self, wanted: Wanted, why: Why) -> u64 {
        self.find(wanted, why).map_or(0, |count| count.load(Relaxed))
    }

    fn find(&self, wanted: Wanted, why: Why) -> Option<&AtomicU64> {
        self.0.get(wanted as usize)?.get(why as usize)
    }
}
