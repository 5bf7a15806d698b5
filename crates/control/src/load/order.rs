//! What a run of load agents is to do.

use serde::Deserialize;
use utoipa::ToSchema;

/// What load agents are to do.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LoadStartup)]
pub struct LoadOrder {
    /// What the run is called: "load://" and a name of letters, digits, points, lines and underscores.
    #[schema(example = "load://evening")]
    pub uri: String,
    /// Who comes.
    pub tasks: Vec<LoadTaskObject>,
    /// Seconds that all stay once the last one has come; 30 if nothing is said.
    pub hold_s: Option<f64>,
    /// What publishers send.
    pub source: Option<LoadSourceObject>,
    /// What the result is held against.
    pub expect: Option<LoadExpectObject>,
}

/// Agents that do the same. In `target`, `playback` and `stream`, `{i}` stands for the number of the agent.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LoadTask)]
pub struct LoadTaskObject {
    /// "play", "publish", "pairs" of those who publish and play that back, or "websocket" of bare sessions.
    #[schema(example = "play")]
    pub what: String,
    /// The URL: of a WHEP or WHIP endpoint, or of the session protocol.
    #[schema(example = "http://10.0.0.7:8081/camera/whep")]
    pub target: String,
    /// Where pairs play, if that is another URL.
    pub playback: Option<String>,
    /// The name of the stream, for the session protocol, whose URL does not say it.
    pub stream: Option<String>,
    /// How many.
    #[schema(example = 100)]
    pub count: u32,
    /// The number of the first; 1 if nothing is said.
    pub first: Option<u32>,
    /// How many streams they share; one for each if nothing is said.
    pub streams: Option<u32>,
    /// Seconds until the first comes.
    pub start_s: Option<f64>,
    /// How many come in a second; 10 if nothing is said.
    #[schema(example = 20.0)]
    pub rate: Option<f64>,
    /// Seconds within which all come, in place of `rate`.
    pub ramp_s: Option<f64>,
    /// How many leave in a second, and as many come in their place, once all have come.
    pub churn: Option<f64>,
    /// Shown to the other server. It is told to nobody else.
    pub token: Option<String>,
}

/// What publishing load agents send: a test picture and a tone. What is not said is 1280×720, 30 pictures, 2 Mbit/s.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LoadSource)]
pub struct LoadSourceObject {
    /// Width in pixels, even.
    pub width: Option<u32>,
    /// Height in pixels, even.
    pub height: Option<u32>,
    /// Pictures in a second.
    pub frame_rate: Option<u32>,
    /// Bits in a second.
    pub bitrate: Option<u32>,
}

/// Bounds that a run keeps to, or has failed. What is not said is not looked at.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LoadExpect)]
pub struct LoadExpectObject {
    /// Agents that did not come about or did not stay, over all tasks.
    pub failed_max: Option<u64>,
    /// Agents that were there at once, of each task.
    pub live_min: Option<u64>,
    /// Share of the media packets that never came, from 0 to 1.
    pub loss_max: Option<f64>,
    /// Median of the milliseconds from sending to receiving a picture.
    pub latency_p50_ms: Option<f64>,
    /// The same that one picture in a hundred is above.
    pub latency_p99_ms: Option<f64>,
    /// Milliseconds from asking for a stream to its first whole picture, that one agent in twenty is above.
    pub first_picture_p95_ms: Option<f64>,
    /// Freezes, over all agents.
    pub freezes_max: Option<u64>,
    /// Pictures that a decoder refused, of those that were tried.
    pub undecodable_max: Option<u64>,
    /// Pictures that were really decoded at least, of each task that plays.
    pub decoded_min: Option<u64>,
}
