//! From an HTTP request to a WebSocket.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use headwater_media::StreamName;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    accept::Accept,
    server::WsPlayer,
    session::{self, Viewer},
};

/// What stands before the name of a stream.
const PREFIX: &str = "/ws/";
/// How long the HTTP server may take to hand the connection over.
const HAND_OVER_TIME: Duration = Duration::from_secs(10);

/// Whether a request is for this protocol: its path begins with `/ws/`, and it asks for a WebSocket (RFC 6455 §4.1).
pub fn is_wsplayer(path: &str, headers: &HeaderMap) -> bool {
    let has = |name: header::HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    path.starts_with(PREFIX) && has(header::UPGRADE, "websocket") && has(header::CONNECTION, "upgrade")
}

pub(crate) async fn serve(State(wsplayer): State<WsPlayer>, mut request: Request) -> Response {
    let (name, key) = match check(&request) {
        Ok(checked) => checked,
        Err((status, sentence)) => {
            let fields = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::SEC_WEBSOCKET_VERSION, "13")];
            return (status, fields, format!("{sentence}.\n")).into_response();
        }
    };
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let viewer = Viewer::new(name, remote, request.headers(), request.uri().query());
    let accept = Accept::of_query(request.uri().query());
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = wsplayer.tasks().clone();
    tasks.spawn(async move {
        let Ok(Ok(upgraded)) = tokio::time::timeout(HAND_OVER_TIME, upgraded).await else {
            return tracing::debug!(session = viewer.session(), "a WebSocket has not begun");
        };
        session::converse(wsplayer, TokioIo::new(upgraded), viewer, accept).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(key) = HeaderValue::from_str(&key) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    }
    response
}

/// Checks a request by RFC 6455 §4.2.1; yields the name of the stream and what to answer to the key.
fn check(request: &Request) -> Result<(StreamName, String), (StatusCode, String)> {
    let bad = |sentence: &str| (StatusCode::BAD_REQUEST, sentence.to_owned());
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "a WebSocket begins with GET".to_owned()));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version.as_bytes() != b"13") {
        return Err((StatusCode::UPGRADE_REQUIRED, "only version 13 of WebSocket is spoken here".to_owned()));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).filter(|key| key.len() == 24);
    let key = key.ok_or_else(|| bad("the Sec-WebSocket-Key is missing or not of 16 bytes"))?;
    let name = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let name = StreamName::new(name).map_err(|error| bad(&error.to_string()))?;
    Ok((name, derive_accept_key(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, version: &str, key: &str) -> Request {
        let request = Request::get(path).header("upgrade", "WebSocket").header("connection", "keep-alive, Upgrade");
        let request = request.header("sec-websocket-version", version).header("sec-websocket-key", key);
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn requests_for_frames_are_told_from_others() {
        let headers = request("/ws/a", "13", "").headers().clone();
        assert!(is_wsplayer("/ws/room/camera", &headers));
        assert!(!is_wsplayer("/wss", &headers) && !is_wsplayer("/", &headers));
        assert!(!is_wsplayer("/ws/camera", &HeaderMap::new()));
    }

    #[test]
    fn a_handshake_is_answered_as_the_rfc_says_or_refused_in_words() {
        // RFC 6455 §1.3.
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let (name, answer) = check(&request("/ws/room/camera?token=x", "13", key)).unwrap();
        assert_eq!((name.to_string().as_str(), answer.as_str()), ("room/camera", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        for (path, version, key, status) in [
            ("/ws/camera", "8", key, 426),
            ("/ws/camera", "13", "short", 400),
            ("/ws/", "13", key, 400),
            ("/ws/-camera", "13", key, 400),
        ] {
            let (found, sentence) = check(&request(path, version, key)).unwrap_err();
            assert_eq!(found.as_u16(), status, "{path} {sentence}");
        }
    }
}
