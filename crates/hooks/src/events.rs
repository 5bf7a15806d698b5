//! What applications are told: kept until they take it, in order for each session.

mod delivery;

use std::{sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use headwater_media::limits;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    application::Terms,
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
    terms: Arc<ArcSwap<Terms>>,
    room: Room,
    figures: Arc<Figures>,
}

impl Events {
    /// The queue of an application, and what delivers it.
    pub(crate) fn new(
        key: &str,
        terms: Arc<ArcSwap<Terms>>,
        gone: CancellationToken,
        figures: Arc<Figures>,
    ) -> (Events, Delivery) {
        // Bounded by the room that each event needs a place in.
        let (sender, receiver) = mpsc::unbounded_channel();
        let events = Events { sender, terms: terms.clone(), room: Room::new(), figures: figures.clone() };
        let delivery = Delivery::new(key, terms, receiver, events.room.clone(), gone, figures);
        (events, delivery)
    }

    /// Leaves something to be told. Where there is no room it is dropped, and counted.
    pub(crate) fn push(&self, method: Method, session: &Arc<str>, body: Vec<u8>) {
        let is_small = body.len() <= limits::HOOK_EVENT_BYTES.get_usize();
        if !is_small {
            limits::HOOK_EVENT_BYTES.hit();
        }
        let place = if is_small { self.room.take(body.len(), self.terms.load().room) } else { None };
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
