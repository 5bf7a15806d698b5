//! What applications are told: kept until they take it, in order for each session.

mod delivery;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headwater_media::limits;
use tokio::sync::mpsc;

use crate::{
    client::Backend,
    figures::{Figures, Outcome},
    method::Method,
    room::{Place, Room},
};

pub(crate) use delivery::Delivery;

/// One thing to tell, for as long as it takes.
#[derive(Debug)]
struct Event {
    method: Method,
    session: Arc<str>,
    body: Bytes,
    since: Instant,
    attempts: u32,
    _place: Place,
}

/// The way into the queue of one application. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Events {
    sender: mpsc::UnboundedSender<Event>,
    room: Room,
    figures: Arc<Figures>,
}

impl Events {
    /// The queue of one of so many applications, and what delivers it.
    pub(crate) fn new(
        key: &str,
        backend: Arc<Backend>,
        applications: usize,
        time: Duration,
        figures: Arc<Figures>,
    ) -> (Events, Delivery) {
        // Bounded by the room that each event needs a place in.
        let (sender, receiver) = mpsc::unbounded_channel();
        let at_once = (limits::HOOK_EVENTS_AT_ONCE.get_usize() / applications.max(1)).max(1);
        let delivery = Delivery::new(key, backend, receiver, at_once, time, figures.clone());
        (Events { sender, room: Room::share(applications), figures }, delivery)
    }

    /// Leaves something to be told. Where there is no room it is dropped, and counted.
    pub(crate) fn push(&self, method: Method, session: &Arc<str>, body: Vec<u8>) {
        let is_small = body.len() <= limits::HOOK_EVENT_BYTES.get_usize();
        if !is_small {
            limits::HOOK_EVENT_BYTES.hit();
        }
        let place = if is_small { self.room.take(body.len()) } else { None };
        let Some(place) = place else {
            return self.figures.count(method, Outcome::Dropped);
        };
        let event = Event {
            method,
            session: session.clone(),
            body: body.into(),
            since: Instant::now(),
            attempts: 0,
            _place: place,
        };
        if self.sender.send(event).is_err() {
            self.figures.count(method, Outcome::Dropped);
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.room.held().events
    }

    /// Waits until nothing waits.
    pub(crate) async fn delivered(&self) {
        self.room.empty().await;
    }
}
