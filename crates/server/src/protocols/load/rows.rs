//! Orders as plans, and what runs have found as the REST API tells it.

use headwater_control::{
    LoadCheckObject, LoadDecodedObject, LoadExpectObject, LoadFailureObject, LoadObject, LoadOrder, LoadPointObject,
    LoadRefused, LoadResultsObject, LoadRowObject, LoadSourceObject, LoadSpreadObject, LoadTaskObject,
};
use headwater_load::{
    DecodedRow, Expect, Outcome, Phase, Plan, Point, Quantiles, Reason, SourcePlan, TaskPlan, TaskRow, What,
};

/// Seconds that agents stay where nothing is said.
const HOLD_S: f64 = 30.0;
/// Agents that come in a second where nothing is said.
const RATE: f64 = 10.0;

/// What is to be run.
///
/// # Errors
/// A task is of no kind that there is.
pub(super) fn plan(order: LoadOrder) -> Result<Plan, LoadRefused> {
    Ok(Plan {
        name: order.uri,
        hold_s: order.hold_s.unwrap_or(HOLD_S),
        workers: 0,
        source: order.source.map(source).unwrap_or_default(),
        tasks: order.tasks.into_iter().map(task).collect::<Result<_, _>>()?,
        expect: order.expect.map(expect).unwrap_or_default(),
    })
}

fn task(task: LoadTaskObject) -> Result<TaskPlan, LoadRefused> {
    let what = match task.what.as_str() {
        "play" => What::Play,
        "publish" => What::Publish,
        "pairs" => What::Pairs,
        "websocket" => What::Websocket,
        _ => return Err(LoadRefused::Order("what of a task is play, publish, pairs or websocket.".into())),
    };
    Ok(TaskPlan {
        what,
        target: task.target,
        playback: task.playback,
        stream: task.stream,
        count: task.count,
        first: task.first.unwrap_or(1),
        streams: task.streams,
        start_s: task.start_s.unwrap_or(0.0),
        rate: task.rate.unwrap_or(RATE),
        ramp_s: task.ramp_s,
        churn: task.churn.unwrap_or(0.0),
        rejoin: false,
        balancer: None,
        token: task.token,
        hls: headwater_load::HlsPlan::default(),
    })
}

fn source(source: LoadSourceObject) -> SourcePlan {
    let usual = SourcePlan::default();
    SourcePlan {
        file: None,
        width: source.width.unwrap_or(usual.width),
        height: source.height.unwrap_or(usual.height),
        frame_rate: source.frame_rate.unwrap_or(usual.frame_rate),
        bitrate: source.bitrate.unwrap_or(usual.bitrate),
    }
}

fn expect(expect: LoadExpectObject) -> Expect {
    Expect {
        failed_max: expect.failed_max,
        live_min: expect.live_min,
        loss_max: expect.loss_max,
        latency_p50_ms: expect.latency_p50_ms,
        latency_p99_ms: expect.latency_p99_ms,
        first_picture_p95_ms: expect.first_picture_p95_ms,
        freezes_max: expect.freezes_max,
        undecodable_max: expect.undecodable_max,
        decoded_min: expect.decoded_min,
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
        tasks: outcome.tasks.into_iter().map(row).collect(),
        cores: outcome.generator.cores,
        memory_bytes: outcome.generator.memory_bytes,
    }
}

/// All that a run has found.
pub(super) fn results(uri: &str, mut outcome: Outcome) -> LoadResultsObject {
    let (checks, series) = (std::mem::take(&mut outcome.checks), std::mem::take(&mut outcome.series));
    let checks = checks.into_iter().map(|check| LoadCheckObject {
        what: check.what.to_owned(),
        bound: check.bound,
        measured: check.measured,
        kept: check.kept,
    });
    LoadResultsObject {
        run: object(uri, outcome),
        checks: checks.collect(),
        series: series.into_iter().map(point).collect(),
    }
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

fn row(row: TaskRow) -> LoadRowObject {
    let failures = row.failures.into_iter().map(|failure| LoadFailureObject {
        reason: word(failure.reason),
        count: failure.count,
        example: failure.example,
    });
    LoadRowObject {
        what: row.what.to_string(),
        target: row.target,
        count: row.count,
        asked: row.asked,
        joined: row.joined,
        live: row.live,
        live_max: row.live_max,
        left: row.left,
        failed: row.failed,
        failures: failures.collect(),
        packets: row.packets,
        bytes: row.bytes,
        bitrate: row.bitrate,
        lost: row.lost,
        loss: row.loss,
        recovered: row.recovered,
        reordered: row.reordered,
        duplicates: row.duplicates,
        pictures: row.pictures,
        freezes: row.freezes,
        frozen_s: row.frozen_s,
        key_frame_requests: row.key_frame_requests,
        join_ms: row.join_ms.map(spread),
        first_packet_ms: row.first_packet_ms.map(spread),
        first_picture_ms: row.first_picture_ms.map(spread),
        latency_ms: row.latency_ms.map(spread),
        jitter_ms: row.jitter_ms.map(spread),
        round_trip_ms: row.round_trip_ms.map(spread),
        decoded: decoded(row.decoded),
    }
}

/// The word that failures are counted by, as in run files and results.
fn word(reason: Reason) -> String {
    let written = serde_json::to_value(reason).ok();
    written.as_ref().and_then(|word| word.as_str()).unwrap_or("other").to_owned()
}

fn spread(of: Quantiles) -> LoadSpreadObject {
    LoadSpreadObject { count: of.count, min: of.min, p50: of.p50, p95: of.p95, p99: of.p99, max: of.max }
}

fn decoded(row: DecodedRow) -> LoadDecodedObject {
    LoadDecodedObject {
        turns: row.turns,
        turns_without_picture: row.turns_without_picture,
        pictures: row.pictures,
        refused: row.refused,
        parsed: row.parsed,
        skipped: row.skipped,
        width: row.width,
        height: row.height,
    }
}

fn point(point: Point) -> LoadPointObject {
    LoadPointObject {
        at: point.at,
        seconds: point.seconds,
        live: point.live,
        failed: point.failed,
        bitrate: point.bitrate,
        lost: point.lost,
        freezes: point.freezes,
        latency_p50_ms: point.latency_p50_ms,
        latency_p99_ms: point.latency_p99_ms,
        cores: point.cores,
        memory_bytes: point.memory_bytes,
    }
}
