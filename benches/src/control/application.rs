//! The application behind the server: agrees at once to who watches the stream, thinks long about all others.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use serde_json::Value;
use tokio::{net::TcpListener, time::sleep};

use super::desk::Shared;
use crate::publisher::STREAM;

/// How long it thinks: less than the server has patience for.
const THOUGHT: Duration = Duration::from_secs(4);

/// Answers hooks.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = Router::new().route("/hooks/{method}", post(answer)).with_state(shared);
    // It ends with the bench.
    let _ = axum::serve(listener, router).await;
}

async fn answer(State(shared): State<Arc<Shared>>, Path(hook): Path<String>, Json(facts): Json<Value>) -> StatusCode {
    // What becomes of those who hang up is told as well, and needs no thought.
    if hook != "playStream" || facts["name"] == STREAM {
        return StatusCode::OK;
    }
    let _waiting = Waiting::new(shared.clone());
    sleep(THOUGHT).await;
    shared.hooks.fetch_add(1, Relaxed);
    StatusCode::FORBIDDEN
}

/// A hook that waits for its answer, or whose asker hangs up.
struct Waiting(Arc<Shared>);

impl Waiting {
    fn new(shared: Arc<Shared>) -> Waiting {
        shared.waiting.fetch_add(1, Relaxed);
        Waiting(shared)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}
