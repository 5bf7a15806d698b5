//! An application: its back end, and its share of what may be under way.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headwater_access::{Client, Facts};
use headwater_media::limits::{self, Limit};
use tokio::{
    sync::Semaphore,
    time::{timeout, timeout_at},
};
use url::Url;

use crate::{
    client::{Backend, Way},
    error::HookError,
    events::{Delivery, Events},
    figures::{Figures, Outcome},
    method::Method,
};

/// The application of clients that name none.
pub const DEFAULT: &str = "defaultApp";

/// The application of RTMP clients that name none, where there is one of this name; WCS has it so.
pub const DEFAULT_RTMP: &str = "flashStreamingApp";

/// One application.
pub(crate) struct Application {
    pub(crate) key: String,
    pub(crate) events: Events,
    backend: Arc<Backend>,
    timeout: Duration,
    decisions: Semaphore,
    keep_alives: Semaphore,
    pub(crate) figures: Arc<Figures>,
}

impl Application {
    /// One of so many applications, and what delivers its events.
    pub(crate) fn new(
        key: &str,
        base: &Url,
        way: Way,
        timeout: Duration,
        count: usize,
        figures: Arc<Figures>,
    ) -> (Application, Delivery) {
        let share = |limit: &Limit| Semaphore::new((limit.get_usize() / count.max(1)).max(1));
        let backend = Arc::new(Backend::new(base, way));
        let (events, delivery) = Events::new(key, backend.clone(), count, timeout, figures.clone());
        let application = Application {
            key: key.to_owned(),
            events,
            backend,
            timeout,
            decisions: share(&limits::HOOK_DECISIONS),
            keep_alives: share(&limits::HOOK_KEEP_ALIVES),
            figures,
        };
        (application, delivery)
    }

    /// Asks for a decision that somebody waits for. `turns` are those of the session.
    pub(crate) async fn decide(&self, turns: &Semaphore, method: Method, body: Vec<u8>) -> Result<Facts, HookError> {
        let deadline = tokio::time::Instant::now() + self.timeout;
        let places = async { (turns.acquire().await, self.decisions.acquire().await) };
        let result = match timeout_at(deadline, places).await {
            Ok(_places) => self.ask(deadline, method, body).await,
            Err(_) => {
                limits::HOOK_DECISIONS.hit();
                Err(HookError::Crowded)
            }
        };
        self.figures.count(method, Outcome::of(&result));
        result
    }

    /// Asks whether a stream may go on; `None` if there was no place for the question within `patience`.
    pub(crate) async fn keep_alive(&self, body: Vec<u8>, patience: Duration) -> Option<Result<Facts, HookError>> {
        let Ok(_place) = timeout(patience, self.keep_alives.acquire()).await else {
            limits::HOOK_KEEP_ALIVES.hit();
            return None;
        };
        let deadline = tokio::time::Instant::now() + self.timeout;
        let result = self.ask(deadline, Method::StreamKeepAliveEvent, body).await;
        self.figures.count(Method::StreamKeepAliveEvent, Outcome::of(&result));
        Some(result)
    }

    async fn ask(&self, deadline: tokio::time::Instant, method: Method, body: Vec<u8>) -> Result<Facts, HookError> {
        let begun = Instant::now();
        let asked = timeout_at(deadline, self.backend.ask(method, Bytes::from(body))).await;
        self.figures.time(method, begun.elapsed());
        asked.unwrap_or(Err(HookError::TimedOut(self.timeout)))
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
