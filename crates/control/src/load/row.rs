//! What a run of load agents has found.

use headwater_load::{Check, Point, TaskRow};
use serde::{Serialize, Serializer, ser::Error};
use serde_json::{Map, Value};
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
    #[serde(serialize_with = "camel_case")]
    pub tasks: Vec<TaskRow>,
    /// Cores of this machine that its process has kept busy since the run began; where all are, the agents are the limit.
    pub cores: f64,
    /// Memory of its process, in bytes.
    pub memory_bytes: u64,
}

/// All that a run of load agents has found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadResults)]
pub struct LoadResultsObject {
    /// The run.
    pub run: LoadObject,
    /// What was expected, and what came of it; empty before the end.
    #[serde(serialize_with = "camel_case")]
    pub checks: Vec<Check>,
    /// One point for each second, or for several where the run is long.
    #[serde(serialize_with = "camel_case")]
    pub series: Vec<Point>,
}

/// Names the fields as the REST API does: `liveMax` for what a run file and its result call `live_max`.
fn camel_case<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    rename(serde_json::to_value(value).map_err(S::Error::custom)?).serialize(serializer)
}

fn rename(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(rename).collect()),
        Value::Object(fields) => {
            let renamed = fields.into_iter().map(|(name, value)| (camel(&name), rename(value)));
            Value::Object(renamed.collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut joined = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        joined.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        joined.push_str(letters.as_str());
    }
    joined
}
