//! Requests that wait for a place in a playlist. Each is let go when its place is there, and none is woken before.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use headwater_graph::Environment;
use parking_lot::Mutex;

use crate::window::Position;

/// So many are let go before others on the same thread have their turn.
const AT_ONCE: usize = 32;
/// For so many one more thread takes part, as far as there are any.
const FOR_EACH_THREAD: usize = 64;

/// Answers a request past its own task; says what that has to do about it.
pub(crate) type Answer = Box<dyn FnOnce() -> Let + Send>;

/// What a request that waited has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Let {
    /// Answer, as its place is there.
    Go,
    /// Nothing, as it is answered; when its task is woken by something else is soon enough.
    Rest,
    /// Finish at once what was begun for it.
    Finish,
}

/// All that wait, in the order in which they came. Their number is bounded by
/// [`HLS_HOLDS`](headwater_media::limits::HLS_HOLDS).
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    requests: BTreeMap<u64, (Position, Arc<Slot>)>,
    next: u64,
}

/// What a request and who lets it go share.
struct Slot(Mutex<State>);

enum State {
    Waits { waker: Option<Waker>, answer: Option<Answer> },
    Over(Let),
}

/// A request's place among those that wait; a future of what it has to do. Dropping it gives the place up.
pub(crate) struct Place<'a> {
    waiting: &'a Waiting,
    id: u64,
    slot: Arc<Slot>,
}

impl Waiting {
    /// Waits for a place in the playlist, if it is not there yet: `is_here` is asked once now, and by
    /// [`let_go`](Self::let_go) after each change.
    pub(crate) fn enter(
        &self,
        position: Position,
        is_here: impl FnOnce() -> bool,
        answer: Option<Answer>,
    ) -> Option<Place<'_>> {
        let mut inner = self.0.lock();
        // Under the same lock under which others are let go, so that none is forgotten.
        if is_here() {
            return None;
        }
        let slot = Arc::new(Slot(Mutex::new(State::Waits { waker: None, answer })));
        let id = inner.next;
        inner.next += 1;
        inner.requests.insert(id, (position, slot.clone()));
        Some(Place { waiting: self, id, slot })
    }

    /// Lets go those whose place is there now, on as many threads as that is worth.
    pub(crate) fn let_go(&self, is_here: impl Fn(Position) -> bool, environment: &dyn Environment) {
        let mut inner = self.0.lock();
        let (mut known, mut free) = (None, Vec::new());
        inner.requests.retain(|_, (position, slot)| {
            // Most wait for the same.
            let is_here = match known {
                Some((asked, is_here)) if asked == *position => is_here,
                _ => is_here(*position),
            };
            known = Some((*position, is_here));
            if is_here {
                free.push(slot.clone());
            }
            !is_here
        });
        drop(inner);
        let threads = thread::available_parallelism().map_or(1, usize::from).min(free.len().div_ceil(FOR_EACH_THREAD));
        let free = Arc::new(Mutex::new(free.into_iter()));
        for _ in 0..threads {
            let free = free.clone();
            environment.spawn(Box::pin(async move {
                loop {
                    let next: Vec<_> = free.lock().by_ref().take(AT_ONCE).collect();
                    if next.is_empty() {
                        return;
                    }
                    next.iter().for_each(|slot| slot.let_go());
                    tokio::task::yield_now().await;
                }
            }));
        }
    }
}

impl Slot {
    fn let_go(&self) {
        let mut state = self.0.lock();
        let State::Waits { waker, answer } = &mut *state else { return };
        let waker = waker.take();
        // Within the lock, so that the request's own task says nothing at the same time.
        let done = answer.take().map_or(Let::Go, |answer| answer());
        *state = State::Over(done);
        drop(state);
        if let Some(waker) = waker.filter(|_| done != Let::Rest) {
            waker.wake();
        }
    }
}

impl Place<'_> {
    /// Waits no longer; what it has to do if it was let go in the meantime.
    pub(crate) fn give_up(self) -> Option<Let> {
        match *self.slot.0.lock() {
            State::Over(done) => Some(done),
            State::Waits { .. } => None,
        }
    }
}

impl Future for Place<'_> {
    type Output = Let;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Let> {
        match &mut *self.slot.0.lock() {
            State::Over(done) => Poll::Ready(*done),
            State::Waits { waker, .. } => {
                if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waits = |state: &State| matches!(state, State::Waits { .. });
        let mut state = self.slot.0.lock();
        if waits(&state) {
            // What an answer holds, above all the connection, is given back now.
            *state = State::Over(Let::Go);
        }
        drop(state);
        self.waiting.0.lock().requests.remove(&self.id);
    }
}

#[cfg(test)]
mod tests;
