//! What a run does: who publishes and who plays, how many, how fast they come, and what is expected of them.

mod ability;
mod check;
mod target;

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use ability::{Ability, abilities};
pub use check::{Bounds, PlanError};
pub use target::{InvalidTarget, Protocol, Target};

/// Stands in URLs and names for the number of the agent.
pub const NUMBER: &str = "{i}";

/// A run: what a run file holds, as TOML or as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What people call it.
    pub name: String,
    /// Seconds that all stay once the last one has come.
    #[serde(default = "default_hold", alias = "holdS")]
    pub hold_s: f64,
    /// Threads for those who play; 0 is one for each core.
    #[serde(default)]
    pub workers: usize,
    /// What publishers send.
    #[serde(default)]
    pub source: SourcePlan,
    /// Who comes.
    #[serde(rename = "task", alias = "tasks")]
    pub tasks: Vec<TaskPlan>,
    /// What the result is held against.
    #[serde(default)]
    pub expect: Expect,
}

/// Agents that do the same.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LoadTask, rename_all = "camelCase")]
pub struct TaskPlan {
    /// What they do: "play", "publish", "pairs" of those who publish and play that back, or "websocket" of bare sessions.
    #[schema(value_type = String, example = "play")]
    pub what: What,
    /// The URL they do it at; `{i}` in it is the number of the agent.
    #[schema(example = "http://10.0.0.7:8080/camera/whep")]
    pub target: String,
    /// Where a pair plays what it publishes, if that is another URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playback: Option<String>,
    /// The name of the stream, for the session protocol, whose URL does not say it; `{i}` as in the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// How many.
    pub count: u32,
    /// The number of the first; 1 if nothing is said.
    #[serde(default = "default_first")]
    pub first: u32,
    /// How many streams they share: the numbers in names go round after so many. Nothing: one for each agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<u32>,
    /// Seconds from the beginning of the run until the first comes.
    #[serde(default, alias = "startS")]
    pub start_s: f64,
    /// How many come in a second; 10 if nothing is said.
    #[serde(default = "default_rate")]
    pub rate: f64,
    /// Seconds within which all come, in place of `rate`.
    #[serde(default, alias = "rampS", skip_serializing_if = "Option::is_none")]
    pub ramp_s: Option<f64>,
    /// How many leave in a second, and as many come in their place, once all have come.
    #[serde(default)]
    pub churn: f64,
    /// Whether an agent that fails comes again, as pages and players that are left alone do: after half a second, and
    /// then after twice the time before, up to ten seconds.
    #[serde(default)]
    pub rejoin: bool,
    /// Where each asks, before it plays, which server it is to go to, in the form of the `lbUrl` of WCS; the host and
    /// the port of `target` then give way to what is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer: Option<String>,
    /// Shown to the server: a bearer token (RFC 6750), or the `token` of a WebSocket's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How those play who play by HLS.
    #[serde(default, skip_serializing_if = "HlsPlan::is_usual")]
    pub hls: HlsPlan,
}

/// How viewers of HLS play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LoadHls, rename_all = "camelCase")]
pub struct HlsPlan {
    /// Which rendition of a multivariant playlist: "first", "lowest" or "highest".
    #[schema(value_type = String)]
    pub rendition: Choice,
    /// Whether they load parts, where a playlist lists them (draft-pantos-hls-rfc8216bis, Low-Latency HLS).
    #[serde(alias = "lowLatency")]
    pub low_latency: bool,
}

impl Default for HlsPlan {
    fn default() -> HlsPlan {
        HlsPlan { rendition: Choice::default(), low_latency: true }
    }
}

impl HlsPlan {
    fn is_usual(&self) -> bool {
        *self == HlsPlan::default()
    }
}

/// Which of several renditions is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The one that is listed first, as most players begin.
    #[default]
    First,
    /// That of the lowest bitrate.
    Lowest,
    /// That of the highest bitrate.
    Highest,
}

/// What agents of a task do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// They play a stream.
    Play,
    /// They publish a stream.
    Publish,
    /// Each publishes a stream and plays it back: face to face.
    Pairs,
    /// They hold a session open and ask for nothing.
    Websocket,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Play => "play",
            What::Publish => "publish",
            What::Pairs => "pairs",
            What::Websocket => "websocket",
        })
    }
}

/// What publishers send: all of them the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LoadSource, rename_all = "camelCase")]
pub struct SourcePlan {
    /// An FLV file in place of the test picture. It is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub file: Option<PathBuf>,
    /// Width of the test picture in pixels, even.
    pub width: u32,
    /// Its height, even.
    pub height: u32,
    /// Pictures in a second.
    #[serde(alias = "frameRate")]
    pub frame_rate: u32,
    /// Bits in a second of the picture.
    pub bitrate: u32,
}

impl Default for SourcePlan {
    fn default() -> SourcePlan {
        SourcePlan { file: None, width: 1_280, height: 720, frame_rate: 30, bitrate: 2_000_000 }
    }
}

/// Bounds that a run keeps to, or has failed. What is not said is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LoadExpect, rename_all = "camelCase")]
pub struct Expect {
    /// Agents that did not come about or did not stay, over all tasks.
    #[serde(alias = "failedMax", skip_serializing_if = "Option::is_none")]
    pub failed_max: Option<u64>,
    /// Agents that were there at once, of each task.
    #[serde(alias = "liveMin", skip_serializing_if = "Option::is_none")]
    pub live_min: Option<u64>,
    /// Share of the media packets that never came, from 0 to 1.
    #[serde(alias = "lossMax", skip_serializing_if = "Option::is_none")]
    pub loss_max: Option<f64>,
    /// Median of the milliseconds from sending to receiving a picture.
    #[serde(alias = "latencyP50Ms", skip_serializing_if = "Option::is_none")]
    pub latency_p50_ms: Option<f64>,
    /// The same that one picture in a hundred is above.
    #[serde(alias = "latencyP99Ms", skip_serializing_if = "Option::is_none")]
    pub latency_p99_ms: Option<f64>,
    /// Milliseconds from asking for a stream to its first whole picture, that one agent in twenty is above.
    #[serde(alias = "firstPictureP95Ms", skip_serializing_if = "Option::is_none")]
    pub first_picture_p95_ms: Option<f64>,
    /// Freezes, over all agents.
    #[serde(alias = "freezesMax", skip_serializing_if = "Option::is_none")]
    pub freezes_max: Option<u64>,
    /// Pictures that a decoder refused, of those that were tried.
    #[serde(alias = "undecodableMax", skip_serializing_if = "Option::is_none")]
    pub undecodable_max: Option<u64>,
    /// Pictures that were really decoded at least, of each task that plays.
    #[serde(alias = "decodedMin", skip_serializing_if = "Option::is_none")]
    pub decoded_min: Option<u64>,
}

fn default_hold() -> f64 {
    30.0
}

fn default_first() -> u32 {
    1
}

fn default_rate() -> f64 {
    10.0
}

impl Plan {
    /// Reads a run file.
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn from_toml(text: &str) -> Result<Plan, PlanError> {
        toml::from_str(text).map_err(|error| PlanError::Syntax(error.to_string()))
    }

    /// Reads the same as JSON.
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn from_json(text: &str) -> Result<Plan, PlanError> {
        serde_json::from_str(text).map_err(|error| PlanError::Syntax(error.to_string()))
    }

    /// How many agents it has at once.
    pub fn agents(&self) -> u64 {
        self.tasks.iter().map(|task| u64::from(task.count)).sum()
    }
}

impl TaskPlan {
    /// How long after the one before the next agent comes.
    pub(crate) fn pause(&self) -> Duration {
        let rate = match self.ramp_s {
            Some(ramp) if ramp > 0.0 => f64::from(self.count) / ramp,
            Some(_) => f64::INFINITY,
            None => self.rate,
        };
        Duration::try_from_secs_f64(1.0 / rate).unwrap_or_default()
    }

    /// What stands for `{i}` in the names of this agent, counted from 0.
    pub(crate) fn number(&self, agent: u32) -> u32 {
        let agent = self.streams.map_or(agent, |streams| agent % streams.max(1));
        self.first.saturating_add(agent)
    }

    /// The URL without what may be a secret.
    pub fn shown(&self) -> String {
        let shown = |url: &str| url.split(['?', '#']).next().unwrap_or_default().to_owned();
        shown(&self.target)
    }
}

impl fmt::Debug for TaskPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} agents that {} at {}", self.count, self.what, self.shown())
    }
}

#[cfg(test)]
mod tests;
