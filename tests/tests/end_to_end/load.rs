//! Load agents at the real server: they count what it counts, and notice what it does to them.

use std::{
    future::Future,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use headwater_load::{Options, Outcome, Phase, Plan, Reason, Run};
use headwater_tests::{
    origin::Origin,
    program::{self, Program},
    report, scratch, shared_turn,
    source::Source,
    tools, turn,
};

/// Longer than any of these runs may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn block_on<T>(what: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Runtime::new()?.block_on(async { tokio::time::timeout(PATIENCE, what).await? })
}

fn start(plan: &str) -> Result<Run> {
    Ok(Run::start(Plan::from_toml(plan)?, &Options::default())?)
}

/// Waits until the run is as it should be.
async fn until(run: &Run, what: &str, mut is_so: impl FnMut(&Outcome) -> bool) -> Result<Outcome> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let outcome = run.outcome();
        if is_so(&outcome) {
            return Ok(outcome);
        }
        ensure!(Instant::now() < deadline && outcome.phase != Phase::Done, "it never was so that {what}: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A plan with a small picture; `origin` stands in it for the server's address.
fn plan(origin: &Origin, hold_s: u32, tasks: &str) -> String {
    let host = origin.host().to_string();
    let source = "[source]\nwidth = 320\nheight = 180\nbitrate = 300000\n";
    format!("name = \"test\"\nhold_s = {hold_s}\nworkers = 1\n{source}{}", tasks.replace("origin", &host))
}

const PUBLISHERS: &str = r#"
[[task]]
what = "publish"
target = "http://origin:8080/load-{i}/whip"
count = 5
rate = 20
"#;

#[test]
fn what_fifty_viewers_of_five_publishers_count_is_what_the_server_counts() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let before = origin.held()?;
    let tasks = r#"
[[task]]
what = "play"
target = "http://origin:8080/load-{i}/whep"
streams = 5
count = 50
rate = 50
start_s = 2
"#;
    let outcome = block_on(async {
        let run = start(&plan(&origin, 8, &format!("{PUBLISHERS}{tasks}")))?;
        until(&run, "all are there", |outcome| outcome.tasks[0].live == 5 && outcome.tasks[1].live == 50).await?;
        let sessions = origin.metric("headwater_webrtc_sessions")?.context("there is no such metric")?;
        ensure!(sessions == 55.0, "the server has {sessions} sessions");
        ensure!(origin.streams()?.len() == 5, "{:?}", origin.streams());
        Ok(run.finished().await)
    })?;
    let (publishing, playing) = (&outcome.tasks[0], &outcome.tasks[1]);
    let latency = playing.latency_ms.context("no stamp was read")?;
    report(&format!(
        "fifty viewers: {latency:?}, first picture {:?}, {:?}",
        playing.first_picture_ms, outcome.generator
    ));
    ensure!(outcome.phase == Phase::Done && publishing.failed == 0 && playing.failed == 0, "{outcome:?}");
    ensure!((playing.joined, playing.left, publishing.left) == (50, 50, 5), "{outcome:?}");
    ensure!(playing.lost == 0 && playing.packets > 10_000 && playing.pictures > 5_000, "{playing:?}");
    ensure!(latency.count > 5_000 && latency.p50 > 0.0 && latency.p50 < 500.0, "{latency:?}");
    ensure!(playing.first_picture_ms.is_some_and(|first| first.count == 50), "{playing:?}");
    let decoded = &playing.decoded;
    ensure!(decoded.pictures > 30 && decoded.refused == 0 && decoded.width == 320, "{decoded:?}");
    ensure!(outcome.series.len() >= 8 && outcome.series.iter().any(|point| point.live == 55), "{:?}", outcome.series);
    origin.wait_empty()?;
    origin.wait_baseline(&before)?;
    origin.stop()?;
    Ok(())
}

#[test]
fn agents_that_come_and_go_leave_nothing_behind() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let before = origin.held()?;
    let tasks = r#"
[[task]]
what = "play"
target = "http://origin:8080/load-{i}/whep"
streams = 5
count = 20
rate = 50
start_s = 2
churn = 10
"#;
    let outcome = block_on(async {
        let run = start(&plan(&origin, 5, &format!("{PUBLISHERS}{tasks}")))?;
        let mut most = 0.0_f64;
        // Whoever leaves says so and is gone, or the server would have more than those who are there.
        until(&run, "forty have come, most of them in place of others", |outcome| {
            most = most.max(origin.metric("headwater_webrtc_sessions").ok().flatten().unwrap_or_default());
            outcome.tasks[1].asked > 40
        })
        .await?;
        report(&format!("of forty viewers who come and go, twenty at a time, the server has {most} sessions at most"));
        // Five publishers, twenty viewers, and those who are just leaving or coming.
        ensure!((20.0..=30.0).contains(&most), "the server has {most} sessions");
        Ok(run.finished().await)
    })?;
    let playing = &outcome.tasks[1];
    ensure!(playing.failed == 0 && playing.joined == playing.left && playing.live == 0, "{playing:?}");
    ensure!(playing.asked > 40 && playing.live_max <= 20, "{playing:?}");
    origin.wait_empty()?;
    origin.wait_baseline(&before)?;
    origin.stop()?;
    Ok(())
}

#[test]
fn pairs_and_sessions_go_both_ways_of_signalling() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let tasks = r#"
[[task]]
what = "pairs"
target = "http://origin:8080/http-{i}/whip"
count = 3

[[task]]
what = "pairs"
target = "ws://origin:8080"
stream = "session-{i}"
count = 3

[[task]]
what = "websocket"
target = "ws://origin:8080"
count = 10
rate = 50

[[task]]
what = "play"
target = "http://origin:8080/nobody/whep"
count = 2

[[task]]
what = "play"
target = "ws://origin:8080"
stream = "nobody"
count = 2
"#;
    let outcome = block_on(async { Ok(start(&plan(&origin, 4, tasks))?.finished().await) })?;
    for pairs in &outcome.tasks[..2] {
        ensure!((pairs.joined, pairs.left, pairs.failed) == (3, 3, 0), "{pairs:?}");
        ensure!(pairs.lost == 0 && pairs.latency_ms.is_some_and(|latency| latency.count > 100), "{pairs:?}");
    }
    ensure!((outcome.tasks[2].joined, outcome.tasks[2].failed) == (10, 0), "{:?}", outcome.tasks[2]);
    for nobody in &outcome.tasks[3..] {
        let failures: Vec<_> = nobody.failures.iter().map(|failure| (failure.reason, failure.count)).collect();
        ensure!(failures == [(Reason::NoStream, 2)], "{nobody:?}");
    }
    origin.wait_empty()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_server_that_dies_in_the_middle_is_told_and_ends_the_run() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let tasks = r#"
[[task]]
what = "play"
target = "http://origin:8080/load-{i}/whep"
streams = 5
count = 10
rate = 50
start_s = 2
"#;
    let text = plan(&origin, 600, &format!("{PUBLISHERS}{tasks}\n[expect]\nfailed_max = 0\n"));
    let outcome = block_on(async {
        let run = start(&text)?;
        until(&run, "all are there", |outcome| outcome.tasks[0].live == 5 && outcome.tasks[1].live == 10).await?;
        origin.kill();
        Ok(run.finished().await)
    })?;
    let failed: Vec<_> = outcome.tasks.iter().map(|task| (task.failed, task.live)).collect();
    ensure!(failed == [(5, 0), (10, 0)] && !outcome.is_as_expected(), "{outcome:?}");
    report(&format!("a server dies: {:?}", outcome.tasks.iter().map(|task| &task.failures).collect::<Vec<_>>()));
    Ok(())
}

/// What the guide promises of peers that nothing is heard of (RFC 7675), and a busy machine.
const CONSENT: Duration = Duration::from_secs(30);
const LATE: Duration = Duration::from_secs(5);

#[test]
fn viewers_that_vanish_without_a_word_are_gone_when_it_is_said() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let _publisher = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    let before = origin.held()?;
    let tasks = r#"
[[task]]
what = "play"
target = "http://origin:8080/cam/whep"
count = 20
rate = 50

[[task]]
what = "play"
target = "ws://origin:8080"
stream = "cam"
count = 10
rate = 50
"#;
    let file = scratch("vanishing.toml")?;
    std::fs::write(&file, plan(&origin, 600, tasks))?;
    let agents = Program::start("load", Command::new(tools::load()?).arg(&file))?;
    let sessions = || origin.metric("headwater_webrtc_sessions").ok().flatten();
    program::until("all are there", PATIENCE, || sessions() == Some(30.0))?;
    agents.kill();
    let vanished = Instant::now();
    program::until("those whose connection has broken are gone", LATE, || sessions() == Some(20.0))?;
    let closed = vanished.elapsed();
    program::until("the others are gone", CONSENT + LATE, || sessions() == Some(0.0))?;
    let gone = vanished.elapsed();
    report(&format!(
        "viewers that vanish: those of the session protocol are gone after {closed:.1?}, by WHEP {gone:.1?}"
    ));
    ensure!(gone > CONSENT / 2, "sessions ended after {gone:?}, before anything could be known");
    origin.wait_baseline(&before)
}
