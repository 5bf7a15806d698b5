//! The answer to a page that asks where to connect: what WCS's Web SDK expects behind `lbUrl`.
//!
//! It is told to everybody, also to pages of other sites: it holds nothing that a viewer is not to know.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use crate::{balancer::Balancer, candidate::Candidate};

/// Where a page asks.
pub const PATH: &str = "/balancer";

/// Ports of Headwater where an edge's own are not known.
const WS: u16 = 8080;
const WSS: u16 = 8443;
/// Nobody has Flash any more; the Web SDK reads the port all the same.
const FLASH: u16 = 1935;
/// When a page may ask again after it was told that there is no edge, in seconds.
const RETRY_S: u16 = 2;

impl Balancer {
    /// The router of [`PATH`].
    pub fn router(&self) -> Router {
        Router::new().route(PATH, get(answer).options(preflight)).with_state(self.clone())
    }
}

async fn answer(State(balancer): State<Balancer>) -> Response {
    let mut response = match balancer.choose() {
        Some(chosen) => Json(described(&chosen)).into_response(),
        None => no_edge(&balancer),
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    // The next one who asks may be sent elsewhere.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn described(chosen: &Candidate) -> serde_json::Value {
    json!({
        "server": chosen.host,
        "ws": chosen.ws.unwrap_or(WS),
        "wss": chosen.wss.unwrap_or(WSS),
        "flash": FLASH,
    })
}

fn no_edge(balancer: &Balancer) -> Response {
    if balancer.candidates().is_empty() {
        let message = "This server knows no edges. They are listed in `edges` below [balancer] in its configuration.";
        return (StatusCode::NOT_FOUND, Json(json!({ "code": "no_edges", "message": message }))).into_response();
    }
    let message = "No edge takes viewers now: each of them is down or stopping. Ask again soon.";
    let mut response =
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "code": "no_edge", "message": message }))).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_S));
    response
}

async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
