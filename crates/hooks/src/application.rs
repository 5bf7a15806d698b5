//! An application: its back end, and its share of what may be under way.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use headwater_access::{Client, Facts};
use headwater_media::limits::{self, Limit};
use tokio::{
    sync::Semaphore,
    time::{timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    client::{Backend, Way},
    error::HookError,
    events::{Delivery, Events},
    figures::{Figures, Outcome},
    method::Method,
    room::Held,
};

/// The application of clients that name none.
pub const DEFAULT: &str = "defaultApp";

/// The application of RTMP clients that name none, where there is one of this name; WCS has it so.
pub const DEFAULT_RTMP: &str = "flashStreamingApp";

/// One application, for as long as the configuration names it.
pub(crate) struct Application {
    pub(crate) key: String,
    pub(crate) events: Events,
    terms: Arc<ArcSwap<Terms>>,
    pub(crate) figures: Arc<Figures>,
    gone: CancellationToken,
}

/// How an application is reached, in which time, and its share of what may be under way.
pub(crate) struct Terms {
    pub(crate) backend: Backend,
    pub(crate) timeout: Duration,
    decisions: Semaphore,
    keep_alives: Semaphore,
    pub(crate) events_at_once: usize,
    pub(crate) room: Held,
}

impl Terms {
    /// Those of one of so many applications.
    pub(crate) fn new(base: &Url, way: Way, timeout: Duration, count: usize) -> Terms {
        let share = |limit: &Limit| (limit.get_usize() / count.max(1)).max(1);
        Terms {
            backend: Backend::new(base, way),
            timeout,
            decisions: Semaphore::new(share(&limits::HOOK_DECISIONS)),
            keep_alives: Semaphore::new(share(&limits::HOOK_KEEP_ALIVES)),
            events_at_once: share(&limits::HOOK_EVENTS_AT_ONCE),
            room: Held { events: share(&limits::HOOK_EVENTS), bytes: share(&limits::HOOK_EVENTS_BYTES) },
        }
    }
}

impl Application {
    /// An application, and what delivers its events.
    pub(crate) fn new(key: &str, terms: Terms, figures: Arc<Figures>) -> (Application, Delivery) {
        let (terms, gone) = (Arc::new(ArcSwap::from_pointee(terms)), CancellationToken::new());
        let (events, delivery) = Events::new(key, terms.clone(), gone.clone(), figures.clone());
        (Application { key: key.to_owned(), events, terms, figures, gone }, delivery)
    }

    /// Is reached in another way from now on. What waits for it goes on waiting.
    pub(crate) fn take_up(&self, terms: Terms) {
        self.terms.store(Arc::new(terms));
    }

    /// The configuration names it no more. What waits for it has the time of one hook still.
    pub(crate) fn leave(&self) {
        self.gone.cancel();
    }

    /// Cancelled when the configuration names it no more.
    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Asks for a decision that somebody waits for. `turns` are those of the session.
    pub(crate) async fn decide(
        &self,
        session: &str,
        turns: &Semaphore,
        method: Method,
        body: Vec<u8>,
    ) -> Result<Facts, HookError> {
        let terms = self.terms.load_full();
        let deadline = tokio::time::Instant::now() + terms.timeout;
        let places = async { (turns.acquire().await, terms.decisions.acquire().await) };
        let result = match timeout_at(deadline, places).await {
            Ok(_places) => self.ask(&terms, deadline, (session, method), body).await,
            Err(_) => {
                limits::HOOK_DECISIONS.hit();
                Err(HookError::Crowded)
            }
        };
        self.figures.count(method, Outcome::of(&result));
        result
    }

    /// Asks whether a stream may go on; `None` if there was no place for the question within `patience`.
    pub(crate) async fn keep_alive(
        &self,
        session: &str,
        body: Vec<u8>,
        patience: Duration,
    ) -> Option<Result<Facts, HookError>> {
        let terms = self.terms.load_full();
        let Ok(_place) = timeout(patience, terms.keep_alives.acquire()).await else {
            limits::HOOK_KEEP_ALIVES.hit();
            return None;
        };
        let deadline = tokio::time::Instant::now() + terms.timeout;
        let result = self.ask(&terms, deadline, (session, Method::StreamKeepAliveEvent), body).await;
        self.figures.count(Method::StreamKeepAliveEvent, Outcome::of(&result));
        Some(result)
    }

    async fn ask(
        &self,
        terms: &Terms,
        deadline: tokio::time::Instant,
        (session, method): (&str, Method),
        body: Vec<u8>,
    ) -> Result<Facts, HookError> {
        let begun = Instant::now();
        let mut observed = self.figures.begin(session, method);
        let asked = timeout_at(deadline, terms.backend.ask(method, Bytes::from(body), observed.as_deref())).await;
        self.figures.time(method, begun.elapsed());
        let asked = asked.unwrap_or(Err(HookError::TimedOut(terms.timeout)));
        if let Some(observed) = &mut observed {
            observed.end(asked.as_ref().err());
        }
        asked
    }
}

/// The application that a client belongs to.
pub(crate) fn find<'a>(all: &'a [Arc<Application>], client: &Client) -> Option<&'a Arc<Application>> {
    let named = |key: &str| all.iter().find(|application| application.key == key);
    let parameter = client.credentials.parameter("appKey").map(|key| key.reveal());
    match client.app_key.as_deref().or(parameter).filter(|key| !key.is_empty()) {
        Some(DEFAULT_RTMP) => named(DEFAULT_RTMP).or_else(|| named(DEFAULT)),
        Some(key) => named(key),
        None if client.peer.protocol.starts_with("RTMP") => named(DEFAULT_RTMP).or_else(|| named(DEFAULT)),
        None => named(DEFAULT),
    }
}
