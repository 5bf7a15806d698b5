//! HTTP-FLV as a route of the web server.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::TryStreamExt;
use headwater_access::{Action, Asking, Client, Credentials, Refused, Why};
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
    let enhanced = query.as_deref().is_some_and(|query| query.split('&').any(|part| part == "enhanced=1"));
    let session = format!("http-flv-{}", uuid::Uuid::new_v4());
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let mut peer = Peer::new("HTTP-FLV", session.as_str()).with_remote(remote);
    if !agent.is_empty() {
        peer = peer.with_user_agent(agent);
    }
    let credentials = Credentials::of_request(&headers, query.as_deref());
    let client = Client { app_key: credentials.app_key(), ..Client::new(peer.clone()).with_credentials(credentials) };
    let asking = Asking::new(Action::Play, name.clone(), session.as_str());
    let admitted = match context.admit_viewer(&client, asking).await {
        Ok(admitted) => admitted,
        Err(refused) => {
            tracing::info!(session, %remote, %refused, "an HTTP-FLV viewer is refused");
            return not_admitted(&refused);
        }
    };
    let asked = name;
    let name = admitted.admission().stream.clone();
    match context.hub().subscribe(&name, peer).await {
        Ok(subscription) => {
            tracing::info!(stream = %name, session, %remote, "an HTTP-FLV viewer has come");
            let body = flv_stream(&context, subscription, admitted, enhanced);
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
        Err(error) => {
            let (status, info) = match error {
                SubscribeError::NotFound { .. } => (StatusCode::NOT_FOUND, "Stream not found"),
                _ => (StatusCode::BAD_GATEWAY, "Publish stream is not ready"),
            };
            admitted.fail(info);
            refuse(status, &error.as_asked(&asked).to_string())
        }
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

/// A viewer may not have the stream (RFC 9110 §15.5.2, §15.5.4).
fn not_admitted(refused: &Refused) -> Response {
    let status = match refused.why {
        Why::Unknown => StatusCode::UNAUTHORIZED,
        Why::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Why::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FORBIDDEN,
    };
    let mut response = refuse(status, &refused.sentence);
    let headers = response.headers_mut();
    if refused.why == Why::Unknown {
        // Players that have name and password in the address send them only when they are asked for.
        for scheme in ["Bearer", "Basic realm=\"streams\""] {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    } else if refused.why != Why::Forbidden {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    let fields = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (status, fields, format!("{reason}.\n")).into_response()
}
