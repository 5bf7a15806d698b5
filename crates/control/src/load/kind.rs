//! What load agents of a server can do, and how much of it.

use serde::Serialize;
use utoipa::ToSchema;

/// What load agents of this server can do, where they may go, and how much may be asked of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadAbilities)]
pub struct LoadAbilitiesObject {
    /// What they can do.
    pub kinds: Vec<LoadKindObject>,
    /// Hosts, addresses and networks that they may go to; none where load is not allowed at all.
    pub allowed: Vec<String>,
    /// Agents that there may be at once, over all runs.
    pub agents_max: u64,
    /// Agents of runs that go on.
    pub agents: u64,
    /// Agents of one task that may come or leave in a second.
    pub rate_max: f64,
    /// Runs that may go on at once.
    pub runs_max: u64,
}

/// One thing that load agents can do.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadKind)]
pub struct LoadKindObject {
    /// What they do: the `what` of a task.
    #[schema(example = "play")]
    pub what: &'static str,
    /// What they speak.
    #[schema(example = "WHEP")]
    pub protocol: &'static str,
    /// What a target looks like: "{http}" is the address of a web server, "{ws}" the same for WebSockets, "{rtmp}" of RTMP, "{name}" the name of the stream.
    #[schema(example = "{http}/{name}/whep")]
    pub target: &'static str,
    /// Whether a task names the stream in `stream`, as its target does not.
    pub takes_stream: bool,
    /// What `hls.lowLatency` of a task has to be, of those who play by HLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_latency: Option<bool>,
}
