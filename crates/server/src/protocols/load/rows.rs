//! Orders as plans, and what runs have found as the REST API tells it.

use headwater_control::{LoadKindObject, LoadObject, LoadOrder, LoadResultsObject};
use headwater_load::{Outcome, Phase, Plan, What};

/// Seconds that agents stay where nothing is said.
const HOLD_S: f64 = 30.0;

/// What is to be run.
pub(super) fn plan(order: LoadOrder) -> Plan {
    Plan {
        name: order.uri,
        hold_s: order.hold_s.unwrap_or(HOLD_S),
        workers: 0,
        source: order.source,
        tasks: order.tasks,
        expect: order.expect,
    }
}

/// A run as it is now.
pub(super) fn object(uri: &str, outcome: Outcome) -> LoadObject {
    LoadObject {
        uri: uri.to_owned(),
        state: state(outcome.phase),
        started: outcome.started,
        seconds: outcome.seconds,
        error: outcome.error,
        tasks: outcome.tasks,
        cores: outcome.generator.cores,
        memory_bytes: outcome.generator.memory_bytes,
    }
}

/// All that a run has found.
pub(super) fn results(uri: &str, mut outcome: Outcome) -> LoadResultsObject {
    let (checks, series) = (std::mem::take(&mut outcome.checks), std::mem::take(&mut outcome.series));
    LoadResultsObject { run: object(uri, outcome), checks, series }
}

/// What can be asked for.
pub(super) fn kinds() -> Vec<LoadKindObject> {
    let all = headwater_load::abilities().into_iter();
    let kind = |what| match what {
        What::Play => "play",
        What::Publish => "publish",
        What::Pairs => "pairs",
        What::Websocket => "websocket",
    };
    all.map(|ability| LoadKindObject {
        what: kind(ability.what),
        protocol: ability.protocol,
        target: ability.target,
        takes_stream: ability.takes_stream,
        low_latency: ability.low_latency,
    })
    .collect()
}

fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Preparing => "PREPARING",
        Phase::Ramping => "RAMPING",
        Phase::Holding => "HOLDING",
        Phase::Leaving => "LEAVING",
        Phase::Done => "DONE",
        Phase::Failed => "FAILED",
    }
}
