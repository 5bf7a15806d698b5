//! Whether the server lives, and whether it wants work.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::Relaxed},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};

/// Where the server is in its life; shared by whoever asks and whoever leads it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

// Zero, the default, is a server that starts.
const READY: u8 = 1;
const STOPPING: u8 = 2;
const DRAINING: u8 = 3;

impl Readiness {
    /// A server that is starting.
    pub fn new() -> Readiness {
        Readiness::default()
    }

    /// All listeners are open.
    pub fn set_ready(&self) {
        self.0.store(READY, Relaxed);
    }

    /// The server sends its clients elsewhere; nothing new should be sent to it.
    pub fn set_draining(&self) {
        self.0.store(DRAINING, Relaxed);
    }

    /// The server ends; nothing new should be sent to it.
    pub fn set_stopping(&self) {
        self.0.store(STOPPING, Relaxed);
    }

    /// Whether new work is welcome.
    pub fn is_ready(&self) -> bool {
        self.0.load(Relaxed) == READY
    }
}

/// `/healthz` answers while the process does; `/readyz` says 503 while it starts, drains or stops.
pub(crate) fn router(readiness: Readiness) -> Router {
    Router::new().route("/healthz", get(|| async { "alive\n" })).route("/readyz", get(ready)).with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, &'static str) {
    match readiness.0.load(Relaxed) {
        READY => (StatusCode::OK, "ready\n"),
        STOPPING => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        DRAINING => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    #[tokio::test]
    async fn readiness_follows_the_life_of_the_server() {
        let readiness = Readiness::new();
        let router = router(readiness.clone());
        let status = |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let router = router.clone();
            async move { router.oneshot(request).await.unwrap().status().as_u16() }
        };
        assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));
        readiness.set_ready();
        assert_eq!((status("/healthz").await, status("/readyz").await), (200, 200));
        readiness.set_stopping();
        assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));
    }
}
