//! What a run of load agents has found.

use serde::Serialize;
use utoipa::ToSchema;

/// A run of load agents, as it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Load)]
pub struct LoadObject {
    /// What it is called.
    pub uri: String,
    /// "PREPARING", "RAMPING" while agents come, "HOLDING", "LEAVING", "DONE", or "FAILED" if it could not begin.
    pub state: &'static str,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// How long it has run, in seconds.
    pub seconds: f64,
    /// Why it could not begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Each task, in the order in which they were given.
    pub tasks: Vec<LoadRowObject>,
    /// Cores of this machine that its process has kept busy since the run began; where all are, the agents are the limit.
    pub cores: f64,
    /// Memory of its process, in bytes.
    pub memory_bytes: u64,
}

/// What the agents of a task have found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadRow)]
pub struct LoadRowObject {
    /// What they do.
    pub what: String,
    /// Where, without what may be a secret.
    pub target: String,
    /// How many there should be at once.
    pub count: u64,
    /// How many have asked, those among them that came in place of others.
    pub asked: u64,
    /// How many have come about.
    pub joined: u64,
    /// How many are there now.
    pub live: u64,
    /// How many were there at once.
    pub live_max: u64,
    /// How many have left as they were told.
    pub left: u64,
    /// How many have not come about, or not stayed.
    pub failed: u64,
    /// Why.
    pub failures: Vec<LoadFailureObject>,
    /// Packets received; frames where a protocol has no packets.
    pub packets: u64,
    /// Bytes of media received.
    pub bytes: u64,
    /// Bits received in a second, all agents together.
    pub bitrate: f64,
    /// Packets that never came.
    pub lost: u64,
    /// Share of the packets that never came, from 0 to 1.
    pub loss: f64,
    /// Packets that came because they were asked for again.
    pub recovered: u64,
    /// Packets that came after later ones.
    pub reordered: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Pictures that came whole.
    pub pictures: u64,
    /// Gaps between pictures that a person would notice.
    pub freezes: u64,
    /// How long these were together, in seconds.
    pub frozen_s: f64,
    /// Requests for a key frame.
    pub key_frame_requests: u64,
    /// From asking to being connected, in milliseconds.
    pub join_ms: Option<LoadSpreadObject>,
    /// From asking to the first packet; of publishers, to the first that is sent.
    pub first_packet_ms: Option<LoadSpreadObject>,
    /// From asking to the first whole picture.
    pub first_picture_ms: Option<LoadSpreadObject>,
    /// From sending to receiving, of pictures that load agents have sent.
    pub latency_ms: Option<LoadSpreadObject>,
    /// How much the way's time varies (RFC 3550 §6.4.1).
    pub jitter_ms: Option<LoadSpreadObject>,
    /// Round trips to the server.
    pub round_trip_ms: Option<LoadSpreadObject>,
    /// What a decoder made of what one agent after the other received.
    pub decoded: LoadDecodedObject,
}

/// Why load agents have failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadFailure)]
pub struct LoadFailureObject {
    /// For programs: "connection_refused", "denied", "no_answer", "no_media", "silent" and so on.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// What was said of the first.
    pub example: String,
}

/// How times are spread, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadSpread)]
pub struct LoadSpreadObject {
    /// How many were measured.
    pub count: u64,
    /// The shortest.
    pub min: f64,
    /// Half of them are below.
    pub p50: f64,
    /// 95 in 100 are below.
    pub p95: f64,
    /// 99 in 100 are below.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What a decoder made of what load agents received: of one of them at a time, for some seconds each.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadDecoded)]
pub struct LoadDecodedObject {
    /// Turns of agents.
    pub turns: u64,
    /// Turns in which no picture could be decoded.
    pub turns_without_picture: u64,
    /// Pictures that were decoded.
    pub pictures: u64,
    /// Pictures that the decoder refused.
    pub refused: u64,
    /// Pictures of codecs that are only taken apart.
    pub parsed: u64,
    /// Pictures that the decoder had no time for.
    pub skipped: u64,
    /// Width of the newest, in pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
}

/// All that a run of load agents has found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadResults)]
pub struct LoadResultsObject {
    /// The run.
    pub run: LoadObject,
    /// What was expected, and what came of it; empty before the end.
    pub checks: Vec<LoadCheckObject>,
    /// One point for each second, or for several where the run is long.
    pub series: Vec<LoadPointObject>,
}

/// What was expected of a run of load agents, and whether it came so.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadCheck)]
pub struct LoadCheckObject {
    /// Which bound, by its name in a run file, such as "loss_max".
    pub what: String,
    /// The bound.
    pub bound: f64,
    /// What was measured, if there was anything to measure.
    pub measured: Option<f64>,
    /// Whether it was kept.
    pub kept: bool,
}

/// What happened within a second of a run of load agents, all tasks together.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadPoint)]
pub struct LoadPointObject {
    /// Seconds since the run began.
    pub at: f64,
    /// How many seconds it stands for.
    pub seconds: f64,
    /// Agents that are there.
    pub live: u64,
    /// Agents that have failed so far.
    pub failed: u64,
    /// Bits received in a second.
    pub bitrate: f64,
    /// Packets that never came.
    pub lost: u64,
    /// Freezes.
    pub freezes: u64,
    /// Median of the latency, in milliseconds.
    pub latency_p50_ms: Option<f64>,
    /// 99th percentile of the latency.
    pub latency_p99_ms: Option<f64>,
    /// Cores that the process of the agents keeps busy.
    pub cores: f64,
    /// Memory of the process, in bytes.
    pub memory_bytes: u64,
}
