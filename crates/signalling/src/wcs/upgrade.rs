//! From an HTTP request to a WebSocket.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use headwater_media::limits;
use http::{HeaderMap, Method, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Wcs, connection, session::Client};
use crate::reply::{Refusal, reply, set};

/// How long the HTTP server may take to hand the connection over.
const HAND_OVER_TIME: Duration = Duration::from_secs(10);
const READ_BUFFER_BYTES: usize = 4 << 10;

/// Whether a request asks for a WebSocket (RFC 6455 §4.1).
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_word(headers, header::UPGRADE, "websocket") && has_word(headers, header::CONNECTION, "upgrade")
}

fn has_word(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
}

pub(super) async fn serve(State(wcs): State<Wcs>, mut request: Request) -> Response {
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let address = remote.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |remote| remote.ip());
    let key = match check(&wcs, &request, address) {
        Ok(key) => key,
        Err(refusal) => return refusal.into_response(),
    };
    let client = Arc::new(Client::new(remote, request.headers(), &wcs.0.entrance));
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = wcs.0.tasks.clone();
    tasks.spawn(async move {
        let Ok(Ok(upgraded)) = tokio::time::timeout(HAND_OVER_TIME, upgraded).await else {
            return tracing::debug!(%address, "a WebSocket has not begun");
        };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config()));
        connection::converse(wcs, socket.await, client).await;
    });
    let mut response = reply(StatusCode::SWITCHING_PROTOCOLS, None, "");
    response.headers_mut().remove(header::CONTENT_LENGTH);
    set(&mut response, header::UPGRADE, "websocket");
    set(&mut response, header::CONNECTION, "Upgrade");
    set(&mut response, header::SEC_WEBSOCKET_ACCEPT, &key);
    response
}

/// Checks a request by RFC 6455 §4.2.1, and its origin; yields what to answer to its key.
fn check(wcs: &Wcs, request: &Request, remote: IpAddr) -> Result<String, Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket begins with GET").allow("GET"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version.as_bytes() != b"13") {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "only version 13 of WebSocket is spoken here"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| key.as_bytes()).filter(|key| key.len() == 24);
    let Some(key) = key else {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the Sec-WebSocket-Key is missing or not of 16 bytes"));
    };
    if !wcs.0.origins.allow(headers, remote) {
        wcs.0.counters.foreign.fetch_add(1, Relaxed);
        let sentence = "pages of this origin may not open a session here; \
                        the server's operator can allow it with `origins` below [wcs] in its configuration";
        return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
    }
    Ok(derive_accept_key(key))
}

fn config() -> WebSocketConfig {
    let message = limits::WCS_MESSAGE_BYTES.get_usize();
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(message))
        .max_frame_size(Some(message))
}
