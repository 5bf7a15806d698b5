//! What a page needs that shows a whole server, and does so every few seconds.

pub(super) mod page;

use std::collections::BTreeMap;

use axum::{Extension, Json, extract::State};
use headwater_access::Caller;
use headwater_graph::StreamState;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::metrics::{cpu_seconds, process::status_bytes};

/// A server in figures. Counters are since its start: who asks twice has rates, by the difference of `uptimeMs`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NodeFigures)]
pub(super) struct Figures {
    /// Its name among the servers.
    node: String,
    /// "ORIGIN", "EDGE" or "TRANSCODER".
    role: String,
    /// The version of the server.
    version: &'static str,
    /// Whether it is one of several.
    clustered: bool,
    /// Who asks, where this server knows users, tokens or keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    /// What role they have: "viewer", "publisher", "operator" or "admin". Without users, tokens and keys all may do all.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_role: Option<String>,
    /// Milliseconds since its start.
    uptime_ms: u64,
    /// Processors that it may use.
    processors: usize,
    /// Processor time that it has used, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_seconds: Option<f64>,
    /// Its memory that is in RAM, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    /// Bytes that publishers have sent.
    bytes_in: u64,
    /// Bytes that viewers have been sent.
    bytes_out: u64,
    /// Streams now, by what their publishers speak.
    #[schema(value_type = Object)]
    streams: BTreeMap<&'static str, usize>,
    /// Streams that wait for their publisher to come back.
    streams_paused: usize,
    /// Viewers now, by what they speak.
    #[schema(value_type = Object)]
    viewers: BTreeMap<&'static str, usize>,
    /// Clients that are connected by the session protocol.
    clients: usize,
}

/// Who this server is, how busy it is, and who asks.
#[utoipa::path(post, path = "/rest-api/node/figures", tag = "node", responses(
    (status = 200, description = "The figures.", body = Figures),
))]
pub(super) async fn figures(State(api): State<Api>, caller: Option<Extension<Caller>>) -> Json<Figures> {
    api.accounts.sample(&api.hub);
    let (bytes_in, bytes_out) = api.accounts.carried();
    let (mut streams, mut viewers, mut streams_paused) = (BTreeMap::new(), BTreeMap::new(), 0);
    for stream in api.hub.streams() {
        *streams.entry(stream.source().protocol).or_insert(0) += 1;
        streams_paused += usize::from(stream.state() == StreamState::Paused);
        for viewer in stream.viewers() {
            *viewers.entry(viewer.peer().protocol).or_insert(0) += 1;
        }
    }
    let alone = || (api.node.name.clone(), api.node.role.to_uppercase());
    let (node, role) = api.cdn.as_ref().map_or_else(alone, |cdn| cdn.own());
    let uptime = api.hub.environment().now().saturating_duration_since(api.started);
    let caller = caller.map(|Extension(caller)| caller);
    Json(Figures {
        node,
        role,
        version: env!("CARGO_PKG_VERSION"),
        clustered: api.cdn.is_some(),
        caller_role: caller.as_ref().and_then(|caller| caller.role).map(|role| role.to_string()),
        caller: caller.map(|caller| caller.name),
        uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        processors: std::thread::available_parallelism().map_or(1, Into::into),
        cpu_seconds: cpu_seconds(),
        memory_bytes: status_bytes("VmRSS:"),
        bytes_in,
        bytes_out,
        streams,
        streams_paused,
        viewers,
        clients: api.clients.list().len(),
    })
}
