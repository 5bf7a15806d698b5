//! What a run has found, as people and programs read it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    failure::Reason,
    plan::{Expect, What},
};

/// What a run has found so far, or in the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// What the plan is called.
    pub name: String,
    /// How far it is.
    pub phase: Phase,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// How long it has run, in seconds.
    pub seconds: f64,
    /// Why it could not begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Each task of the plan, in its order.
    pub tasks: Vec<TaskRow>,
    /// What was expected, and what came of it; empty before the end.
    pub checks: Vec<Check>,
    /// What the agents themselves cost: where this is a whole core, they are the limit and not the server.
    pub generator: Generator,
    /// One point for each second, or for several where the run is long.
    pub series: Vec<Point>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// What publishers send is being made.
    Preparing,
    /// Agents come.
    Ramping,
    /// All have come.
    Holding,
    /// They leave.
    Leaving,
    /// It is over.
    Done,
    /// It could not begin.
    Failed,
}

/// What the agents of a task have found.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = LoadRow, rename_all = "camelCase")]
pub struct TaskRow {
    /// What they do.
    #[schema(value_type = String)]
    pub what: What,
    /// Where, without what may be a secret.
    pub target: String,
    /// How many there should be at once.
    pub count: u64,
    /// How many have asked, those among them that came in place of others.
    pub asked: u64,
    /// How many of them asked because they had failed before.
    pub rejoined: u64,
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
    pub failures: Vec<FailureRow>,
    /// Packets received; frames where a protocol has no packets.
    pub packets: u64,
    /// Bytes of media received.
    pub bytes: u64,
    /// Bits received in a second, all agents together, over the time from the first that came until they leave.
    pub bitrate: f64,
    /// Packets that never came, not even when they were asked for again.
    pub lost: u64,
    /// Share of the packets that never came.
    pub loss: f64,
    /// Packets that came because they were asked for again.
    pub recovered: u64,
    /// Packets that came after later ones.
    pub reordered: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Pictures that came whole, to the last packet.
    pub pictures: u64,
    /// Gaps between pictures that a person would notice.
    pub freezes: u64,
    /// How long these gaps were together, in seconds.
    pub frozen_s: f64,
    /// Requests for a key frame.
    pub key_frame_requests: u64,
    /// Playlists loaded, by HLS.
    pub playlists: u64,
    /// Segments loaded whole, by HLS.
    pub segments: u64,
    /// Parts of segments loaded, by HLS.
    pub parts: u64,
    /// From asking to being connected.
    pub join_ms: Option<Quantiles>,
    /// From asking to the first packet; of publishers, to the first that is sent.
    pub first_packet_ms: Option<Quantiles>,
    /// From asking to the first whole picture.
    pub first_picture_ms: Option<Quantiles>,
    /// From losing what was played to the first whole picture of whoever came again, waits and vain attempts included.
    pub back_ms: Option<Quantiles>,
    /// From sending to receiving, by the stamps in the pictures; without those sent before the agent asked, which a
    /// server keeps for those who join.
    pub latency_ms: Option<Quantiles>,
    /// How much the way's time varies (RFC 3550 §6.4.1), each agent once in a second.
    pub jitter_ms: Option<Quantiles>,
    /// Round trips to the server, each agent once in a second.
    pub round_trip_ms: Option<Quantiles>,
    /// What a decoder made of what one agent after the other received.
    pub decoded: DecodedRow,
}

/// Why agents of a task have failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LoadFailure, rename_all = "camelCase")]
pub struct FailureRow {
    /// What it is counted by: "connection_refused", "denied", "no_answer", "no_media", "silent" and so on.
    #[schema(value_type = String)]
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// What was said of the first.
    pub example: String,
}

/// How times are spread, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = LoadSpread, rename_all = "camelCase")]
pub struct Quantiles {
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

/// What a decoder made of what was received: of one agent at a time, for some seconds each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LoadDecoded, rename_all = "camelCase")]
pub struct DecodedRow {
    /// Turns of agents that were long enough to show something.
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

/// What was expected, and whether it came so.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = LoadCheck, rename_all = "camelCase")]
pub struct Check {
    /// Which bound, by its name in a run file, such as "loss_max".
    #[schema(value_type = String)]
    pub what: &'static str,
    /// The bound.
    pub bound: f64,
    /// What was measured; nothing if there was nothing to measure, which is not as expected.
    pub measured: Option<f64>,
    /// Whether it was kept.
    pub kept: bool,
}

/// What the agents cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Generator {
    /// CPU time of the process, in seconds.
    pub cpu_s: f64,
    /// Cores that were busy on average since the run began.
    pub cores: f64,
    /// Memory held, in bytes.
    pub memory_bytes: u64,
}

/// What happened within a second, all tasks together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = LoadPoint, rename_all = "camelCase")]
pub struct Point {
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
    /// Cores that the agents keep busy.
    pub cores: f64,
    /// Memory of the agents, in bytes.
    pub memory_bytes: u64,
}

impl Outcome {
    /// Whether all that was expected has come so.
    pub fn is_as_expected(&self) -> bool {
        self.phase == Phase::Done && self.checks.iter().all(|check| check.kept)
    }
}

impl Expect {
    /// Holds what was measured against the bounds.
    pub(crate) fn check(&self, tasks: &[TaskRow]) -> Vec<Check> {
        let playing = || tasks.iter().filter(|task| matches!(task.what, What::Play | What::Pairs));
        let sum = |of: fn(&TaskRow) -> u64| Some(tasks.iter().map(of).sum::<u64>() as f64);
        let worst = |of: &dyn Fn(&TaskRow) -> Option<f64>| {
            // A task that has measured nothing has not kept the bound.
            playing().map(of).reduce(|a, b| Some(a?.max(b?))).flatten()
        };
        let least = |values: &mut dyn Iterator<Item = u64>| values.min().map(|value| value as f64);
        let (packets, lost) = (sum(|task| task.packets), sum(|task| task.lost));
        let loss =
            packets.zip(lost).filter(|(packets, _)| *packets > 0.0).map(|(packets, lost)| lost / (packets + lost));
        let most = |what, bound: Option<f64>, measured: Option<f64>| {
            let kept = |bound: f64| measured.is_some_and(|measured| measured <= bound);
            bound.map(|bound| Check { what, bound, measured, kept: kept(bound) })
        };
        let fewest = |what, bound: Option<u64>, measured: Option<f64>| {
            let kept = |bound: f64| measured.is_some_and(|measured| measured >= bound);
            bound.map(|bound| bound as f64).map(|bound| Check { what, bound, measured, kept: kept(bound) })
        };
        let count = |bound: Option<u64>| bound.map(|bound| bound as f64);
        [
            most("failed_max", count(self.failed_max), sum(|task| task.failed)),
            fewest("live_min", self.live_min, least(&mut tasks.iter().map(|task| task.live_max))),
            most("loss_max", self.loss_max, loss),
            most("latency_p50_ms", self.latency_p50_ms, worst(&|task| Some(task.latency_ms?.p50))),
            most("latency_p99_ms", self.latency_p99_ms, worst(&|task| Some(task.latency_ms?.p99))),
            most("first_picture_p95_ms", self.first_picture_p95_ms, worst(&|task| Some(task.first_picture_ms?.p95))),
            most("freezes_max", count(self.freezes_max), sum(|task| task.freezes)),
            most("undecodable_max", count(self.undecodable_max), sum(|task| task.decoded.refused)),
            fewest("decoded_min", self.decoded_min, least(&mut playing().map(|task| task.decoded.pictures))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
