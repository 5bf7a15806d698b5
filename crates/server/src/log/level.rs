//! Another level while the server runs.

use std::sync::OnceLock;

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::{
    config::{Config, Place, Problem},
    reload::Switch,
};

type Change = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// How to change the level of this process's log; empty where another program has one of its own.
static CHANGE: OnceLock<Change> = OnceLock::new();

/// Remembers how the level is changed, if the log is ours.
pub(super) fn keep(is_ours: bool, change: impl Fn(EnvFilter) -> bool + Send + Sync + 'static) {
    if is_ours {
        // There is one log in a process.
        let _ = CHANGE.set(Box::new(change));
    }
}

/// Libraries that write whole messages of peers, with their tokens and passwords, at the level `trace`.
const TALKATIVE: [&str; 2] = ["tungstenite=error", "tokio_tungstenite=error"];

/// What is written at a level of the configuration: never what peers show to be let in, whatever the level.
pub(super) fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    let quiet = TALKATIVE.iter().map(|directive| directive.parse());
    quiet.into_iter().try_fold(EnvFilter::try_new(level)?, |filter, directive| Ok(filter.add_directive(directive?)))
}

/// Takes up `[log] level`.
pub(crate) fn prepare(config: &Config) -> Result<Switch, Problem> {
    let filter = filter(&config.log.level).map_err(|error| Problem {
        place: Place::Default,
        message: format!("level in [log] is no log level: {error}"),
        remedy: "Write \"error\", \"warn\", \"info\", \"debug\" or \"trace\".".into(),
    })?;
    Ok(Box::new(move || {
        let _ = CHANGE.get().is_none_or(|change| change(filter));
    }))
}
