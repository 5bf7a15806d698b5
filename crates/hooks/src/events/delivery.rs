//! Delivers the events of one application.
//!
//! ```text
//!  pushed ──► its session's queue ──► ready ──► under way ──► taken, or refused for good: the session's next
//!                                       ▲            │
//!                                       └── resting ◄┘ not taken: the same again, later and later
//! ```
//!
//! A session has at most one event under way, so that its events come in order. While nothing gets through at all,
//! one event at a time tries for all.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use futures_util::{StreamExt, stream::FuturesUnordered};
use headwater_graph::BoxFuture;
use headwater_media::limits;
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::Event;
use crate::{
    application::Terms,
    error::HookError,
    figures::{Figures, Outcome},
    room::Room,
};

/// The first wait before another attempt; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Delivers the events of one application.
pub(crate) struct Delivery {
    key: String,
    terms: Arc<ArcSwap<Terms>>,
    figures: Arc<Figures>,
    room: Room,
    gone: CancellationToken,
    incoming: mpsc::UnboundedReceiver<Event>,
    /// What waits of each session. A session that is here is also in `ready`, in `resting` or under way, once.
    sessions: HashMap<Arc<str>, VecDeque<Event>>,
    ready: VecDeque<Arc<str>>,
    resting: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
    under_way: FuturesUnordered<BoxFuture<'static, (Event, Result<(), HookError>)>>,
    /// How often in a row nothing got through, and until when nothing is tried for that.
    silence: Option<(u32, Instant)>,
}

impl Delivery {
    pub(super) fn new(
        key: &str,
        terms: Arc<ArcSwap<Terms>>,
        incoming: mpsc::UnboundedReceiver<Event>,
        room: Room,
        gone: CancellationToken,
        figures: Arc<Figures>,
    ) -> Delivery {
        Delivery {
            key: key.to_owned(),
            terms,
            figures,
            room,
            gone,
            incoming,
            sessions: HashMap::new(),
            ready: VecDeque::new(),
            resting: BinaryHeap::new(),
            under_way: FuturesUnordered::new(),
            silence: None,
        }
    }

    /// Delivers until nobody can push any more, or the application is gone and has had the time of one hook for the
    /// rest.
    pub(crate) async fn run(mut self) {
        let (gone, room, terms) = (self.gone.clone(), self.room.clone(), self.terms.clone());
        let left = async {
            gone.cancelled().await;
            let time = terms.load().timeout;
            timeout(time, room.empty()).await.is_ok()
        };
        let is_done = tokio::select! {
            () = self.deliver() => true,
            all_told = left => all_told,
        };
        if !is_done {
            self.give_up();
        }
    }

    /// Counts what is told to nobody any more.
    fn give_up(&mut self) {
        let waiting = self.room.held().events;
        tracing::warn!(
            app = self.key,
            events = waiting,
            "the application is configured no more; events for it are lost"
        );
        self.incoming.close();
        while let Ok(event) = self.incoming.try_recv() {
            self.place(event);
        }
        for event in self.sessions.values().flatten() {
            self.figures.count(event.method, Outcome::Dropped);
        }
    }

    async fn deliver(&mut self) {
        loop {
            self.start_ready();
            let wake = self.next_wake();
            tokio::select! {
                event = self.incoming.recv() => match event {
                    Some(event) => self.place(event),
                    None => return,
                },
                Some((event, result)) = self.under_way.next() => self.settle(event, result),
                () = sleep_until(wake.unwrap_or_else(Instant::now).into()), if wake.is_some() => self.wake(),
            }
        }
    }

    fn place(&mut self, event: Event) {
        let queue = self.sessions.entry(event.session.clone()).or_insert_with(|| {
            self.ready.push_back(event.session.clone());
            VecDeque::new()
        });
        queue.push_back(event);
    }

    /// When there is something to do although nothing arrives.
    fn next_wake(&self) -> Option<Instant> {
        let rested = self.resting.peek().map(|Reverse((wake, _))| *wake);
        let silent = self.silence.filter(|_| !self.ready.is_empty() && self.under_way.is_empty());
        rested.into_iter().chain(silent.map(|(_, until)| until)).min()
    }

    fn wake(&mut self) {
        let now = Instant::now();
        while self.resting.peek().is_some_and(|Reverse((wake, _))| *wake <= now) {
            if let Some(Reverse((_, session))) = self.resting.pop() {
                self.ready.push_back(session);
            }
        }
    }

    fn start_ready(&mut self) {
        let at_once = match self.silence {
            Some((_, until)) if Instant::now() < until => return,
            Some(_) => 1,
            None => self.terms.load().events_at_once,
        };
        while self.under_way.len() < at_once {
            let Some(session) = self.ready.pop_front() else {
                return;
            };
            match self.sessions.get_mut(&session).and_then(VecDeque::pop_front) {
                Some(event) if event.is_old() => {
                    limits::HOOK_EVENT_AGE_MS.hit();
                    self.figures.count(event.method, Outcome::Dropped);
                    self.ready.push_back(session);
                }
                Some(event) => self.start(event),
                None => drop(self.sessions.remove(&session)),
            }
        }
    }

    fn start(&self, event: Event) {
        let (terms, figures) = (self.terms.load_full(), self.figures.clone());
        self.under_way.push(Box::pin(async move {
            let begun = Instant::now();
            let mut observed = figures.begin(&event.session, event.method);
            let told = terms.backend.tell(event.method, event.body.clone(), terms.timeout, observed.as_deref());
            let result = told.await;
            if let Some(observed) = &mut observed {
                observed.end(result.as_ref().err());
            }
            figures.time(event.method, begun.elapsed());
            figures.count(event.method, Outcome::of(&result));
            (event, result)
        }));
    }

    fn settle(&mut self, event: Event, result: Result<(), HookError>) {
        match result {
            Err(error) if error.may_pass() => self.rest(event, &error),
            Err(error) => {
                self.recover();
                let (app, hook, session) = (&self.key, event.method.name(), &event.session);
                tracing::warn!(app, hook, %session, %error, "the application does not take an event; it is dropped");
                self.figures.count(event.method, Outcome::Dropped);
                self.ready.push_back(event.session.clone());
            }
            Ok(()) => {
                self.recover();
                self.ready.push_back(event.session.clone());
            }
        }
    }

    /// Tries the same again later; what else there is for its session waits behind it.
    fn rest(&mut self, mut event: Event, error: &HookError) {
        let now = Instant::now();
        let (rounds, until) = self.silence.unwrap_or((0, now));
        if rounds == 0 {
            let (app, hook) = (&self.key, event.method.name());
            tracing::warn!(app, hook, %error, "events do not get to the application; they wait and are tried again");
        }
        // Those that were under way together count as one.
        if now >= until {
            let rounds = rounds.saturating_add(1);
            self.silence = Some((rounds, now + wait(rounds)));
        }
        event.attempts = event.attempts.saturating_add(1);
        self.resting.push(Reverse((now + wait(event.attempts), event.session.clone())));
        self.sessions.entry(event.session.clone()).or_default().push_front(event);
    }

    fn recover(&mut self) {
        if self.silence.take().is_none() {
            return;
        }
        let waiting = self.sessions.values().map(VecDeque::len).sum::<usize>();
        tracing::info!(app = self.key, waiting, "events get to the application again");
    }
}

impl Event {
    fn is_old(&self) -> bool {
        self.since.elapsed() > limits::HOOK_EVENT_AGE_MS.get_duration()
    }
}

/// How long to wait after so many attempts: twice as long each time, up to `HOOK_RETRY_MS`, and up to a quarter less
/// so that not all come at once.
fn wait(attempts: u32) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    doubled.min(limits::HOOK_RETRY_MS.get_duration()).mul_f64(rand::random_range(0.75..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_differ() {
        let longest = limits::HOOK_RETRY_MS.get_duration();
        for (attempts, expected) in [(1, FIRST_WAIT), (2, FIRST_WAIT * 2), (4, FIRST_WAIT * 8), (u32::MAX, longest)] {
            let waits: Vec<_> = (0..50).map(|_| wait(attempts)).collect();
            assert!(waits.iter().all(|wait| *wait <= expected && *wait >= expected.mul_f64(0.75)), "{attempts}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{attempts}");
        }
    }
}
