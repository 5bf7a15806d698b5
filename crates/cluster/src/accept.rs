//! Links that other nodes open.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use headwater_media::limits;
use headwater_net::{PeerCertificate, Permit};
use headwater_websocket::{Socket, upgrade};
use http::StatusCode;
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role as Side};

use crate::{
    cluster::Node,
    hello::{self, Refusal},
    link::{self, Opened},
};

pub(crate) fn router(node: &Arc<Node>) -> Router {
    Router::new().route("/cluster", get(accept)).with_state(node.clone())
}

async fn accept(State(node): State<Arc<Node>>, mut request: Request) -> Response {
    let remote = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let permit = match admit(&node, remote) {
        Ok(permit) => permit,
        Err(refused) => {
            node.switch.counters.refuse();
            return refused.into_response();
        }
    };
    let shown = request.extensions().get::<PeerCertificate>().cloned();
    let (response, socket) = match upgrade(&mut request) {
        Ok(upgraded) => upgraded,
        Err(refused) => return refused.into_response(),
    };
    let task = node.clone();
    node.tasks.spawn(async move {
        let _permit = permit;
        let stopping = task.stopping.clone();
        if let Some(Some(socket)) = stopping.run_until_cancelled(socket).await {
            serve(&task, socket, remote, shown.as_ref()).await;
        }
    });
    response
}

/// Whether a connection from there may be opened now.
fn admit(node: &Node, remote: Option<IpAddr>) -> Result<Permit, (StatusCode, String)> {
    let unknown = || (StatusCode::INTERNAL_SERVER_ERROR, "the address of the other side is not known.\n".to_owned());
    let remote = remote.ok_or_else(unknown)?;
    if !node.networks.is_empty() && !node.networks.iter().any(|network| network.contains(&remote)) {
        tracing::warn!(%remote, "a connection to the cluster comes from an address that may not; see `allow`");
        return Err((StatusCode::FORBIDDEN, "no node may connect from this address.\n".to_owned()));
    }
    if node.stopping.is_cancelled() {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "this node goes.\n".to_owned()));
    }
    node.quota.admit(remote).map_err(|full| (StatusCode::SERVICE_UNAVAILABLE, format!("{full}.\n")))
}

async fn serve(node: &Arc<Node>, socket: Socket, remote: Option<IpAddr>, shown: Option<&PeerCertificate>) {
    let mut socket = WebSocketStream::from_raw_socket(socket, Side::Server, Some(link::config())).await;
    let shaken = async {
        let met = hello::challenge(node, &mut socket).await?;
        hello::answer(node, &mut socket, &met, shown).await?;
        Opened::new(node, &met.greeting, false)
    };
    let time = limits::CLUSTER_HANDSHAKE_MS.get_duration();
    let shaken = tokio::select! {
        shaken = timeout(time, shaken) => shaken.unwrap_or_else(|_| {
            limits::CLUSTER_HANDSHAKE_MS.hit();
            Err(Refusal::Gone)
        }),
        () = node.stopping.cancelled() => return,
    };
    match shaken {
        Ok(opened) => opened.run(socket).await,
        Err(refusal) => {
            node.switch.counters.refuse();
            match refusal {
                Refusal::Doubled | Refusal::Myself => tracing::debug!(?remote, %refusal, "a link is not needed"),
                _ => tracing::warn!(?remote, %refusal, "somebody did not become a link of the cluster"),
            }
            let _ = timeout(time, hello::refuse(&mut socket, &refusal)).await;
        }
    }
}
