//! HTTP-FLV as a route of the web server.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::TryStreamExt;
use headwater_graph::{Peer, SubscribeError};
use headwater_media::StreamName;
use headwater_rtmp::{CONTENT_TYPE, Context, flv_stream};

const ENDING: &str = ".flv";

/// Whether a path names a stream as HTTP-FLV.
pub(super) fn is_flv(path: &str) -> bool {
    path.ends_with(ENDING)
}

pub(super) fn router(context: Context) -> Router {
    Router::new().route("/{*path}", get(play)).with_state(context)
}

async fn play(
    State(context): State<Context>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let name = match StreamName::new(path.strip_suffix(ENDING).unwrap_or(&path)) {
        Ok(name) => name,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let enhanced = query.is_some_and(|query| query.split('&').any(|part| part == "enhanced=1"));
    let session = format!("http-flv-{}", uuid::Uuid::new_v4());
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let mut peer = Peer::new("HTTP-FLV", session.as_str()).with_remote(remote);
    if !agent.is_empty() {
        peer = peer.with_user_agent(agent);
    }
    match context.hub().subscribe(&name, peer).await {
        Ok(subscription) => {
            tracing::info!(stream = %name, session, %remote, "an HTTP-FLV viewer has come");
            let body = flv_stream(&context, subscription, enhanced);
            let leaving = Leaving { session };
            let body = body.inspect_err(move |error| tracing::debug!(session = leaving.session, %error, "HTTP-FLV"));
            let fields = [
                (header::CONTENT_TYPE, CONTENT_TYPE),
                (header::CACHE_CONTROL, "no-store"),
                // Players live on other sites than the media; no credentials are taken from them.
                (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            ];
            (fields, Body::from_stream(body)).into_response()
        }
        Err(error @ SubscribeError::NotFound { .. }) => refuse(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => refuse(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

/// Logs that a viewer has left, when its body is dropped.
struct Leaving {
    session: String,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        tracing::info!(session = self.session, "an HTTP-FLV viewer has left");
    }
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    let fields = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (status, fields, format!("{reason}.\n")).into_response()
}
