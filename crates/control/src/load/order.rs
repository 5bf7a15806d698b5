//! What a run of load agents is to do.

use headwater_load::{Expect, SourcePlan, TaskPlan};
use serde::Deserialize;
use utoipa::ToSchema;

/// What load agents are to do: a run file, with its names as the REST API writes them.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LoadStartup)]
pub struct LoadOrder {
    /// What the run is called: "load://" and a name of letters, digits, points, lines and underscores.
    #[schema(example = "load://evening")]
    pub uri: String,
    /// Who comes.
    pub tasks: Vec<TaskPlan>,
    /// Seconds that all stay once the last one has come; 30 if nothing is said.
    pub hold_s: Option<f64>,
    /// What publishers send: a test picture and a tone. What is not said is 1280×720, 30 pictures, 2 Mbit/s.
    #[serde(default)]
    pub source: SourcePlan,
    /// Bounds that the run keeps to, or has failed. What is not said is not looked at.
    #[serde(default)]
    pub expect: Expect,
}
