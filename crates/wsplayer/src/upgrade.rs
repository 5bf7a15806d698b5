//! From an HTTP request to a viewer.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use headwater_media::StreamName;
use headwater_websocket::{is_upgrade, upgrade};
use http::{HeaderMap, StatusCode};

use crate::{
    accept::Accept,
    server::WsPlayer,
    session::{self, Viewer},
};

/// What stands before the name of a stream.
const PREFIX: &str = "/ws/";

/// Whether a request is for this protocol: its path begins with `/ws/`, and it asks for a WebSocket.
pub fn is_wsplayer(path: &str, headers: &HeaderMap) -> bool {
    path.starts_with(PREFIX) && is_upgrade(headers)
}

pub(crate) async fn serve(State(wsplayer): State<WsPlayer>, mut request: Request) -> Response {
    let name = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let name = match StreamName::new(name) {
        Ok(name) => name,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}.\n")).into_response(),
    };
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let viewer = Viewer::new(name, remote, request.headers(), request.uri().query());
    let accept = Accept::of_query(request.uri().query());
    let (response, socket) = match upgrade(&mut request) {
        Ok(upgraded) => upgraded,
        Err(refused) => return refused.into_response(),
    };
    let tasks = wsplayer.tasks().clone();
    tasks.spawn(async move {
        match socket.await {
            Some(socket) => session::converse(wsplayer, socket, viewer, accept).await,
            None => tracing::debug!(session = viewer.session(), "a WebSocket has not begun"),
        }
    });
    response
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use headwater_access::Gates;
    use headwater_graph::{Hub, HubOptions};
    use headwater_net::TokioEnvironment;
    use std::sync::Arc;

    use super::*;

    async fn status(path: &str, version: &str) -> u16 {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let request = Request::get(path).header("upgrade", "WebSocket").header("connection", "keep-alive, Upgrade");
        let request = request.header("sec-websocket-version", version);
        let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(Body::empty()).unwrap();
        assert_eq!(is_wsplayer(path, request.headers()), path.starts_with("/ws/"), "{path}");
        serve(State(WsPlayer::new(hub, Gates::default())), request).await.status().as_u16()
    }

    #[tokio::test]
    async fn a_handshake_for_a_stream_is_answered_and_others_are_refused() {
        for (path, version, expected) in [
            ("/ws/room/camera?token=x", "13", 101),
            ("/ws/camera", "8", 426),
            ("/ws/", "13", 400),
            ("/ws/-camera", "13", 400),
            ("/wsp", "13", 400),
        ] {
            assert_eq!(status(path, version).await, expected, "{path}");
        }
        assert!(!is_wsplayer("/ws/camera", &HeaderMap::new()));
    }
}
