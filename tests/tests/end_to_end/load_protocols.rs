//! Load agents by RTMP, HLS, Low-Latency HLS, MSE and WSPlayer, at the real server and at others.

mod nginx;
mod others;
mod sources;
mod tls;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use headwater_load::{Options, Outcome, Phase, Plan, Reason, Run, TaskRow};
use headwater_tests::origin::Origin;
use headwater_tests::{report, shared_turn, turn};

/// Longer than any of these runs may take.
const PATIENCE: Duration = Duration::from_secs(90);

fn block_on<T>(what: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Runtime::new()?.block_on(async { tokio::time::timeout(PATIENCE, what).await? })
}

/// Waits until the run is as it should be.
async fn until(run: &Run, what: &str, is_so: impl Fn(&Outcome) -> bool) -> Result<Outcome> {
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

/// A plan with a small picture; `HOST` stands in the tasks for the server's address.
fn plan(host: &str, hold_s: u32, tasks: &str) -> Result<Plan> {
    let source = "[source]\nwidth = 320\nheight = 180\nbitrate = 300000\n";
    let tasks = tasks.replace("HOST", host);
    Ok(Plan::from_toml(&format!("name = \"test\"\nhold_s = {hold_s}\nworkers = 1\n{source}{tasks}"))?)
}

fn start(plan: Plan) -> Result<Run> {
    Ok(Run::start(plan, &Options::default())?)
}

/// The task of twenty viewers.
fn twenty(target: &str, more: &str) -> String {
    format!("[[task]]\nwhat = \"play\"\ntarget = \"{target}\"\ncount = 20\nrate = 20\n{more}\n")
}

/// One publisher by RTMP.
const PUBLISHER: &str = "[[task]]\nwhat = \"publish\"\ntarget = \"rtmp://HOST/live/cam-{i}\"\ncount = 1\n";

/// Whether all came, stayed, and saw all there was to see.
fn is_whole(row: &TaskRow) -> Result<()> {
    ensure!((row.joined, row.left, row.failed) == (row.count, row.count, 0), "{row:?}");
    ensure!((row.lost, row.reordered, row.duplicates, row.freezes) == (0, 0, 0, 0), "{row:?}");
    let decoded = &row.decoded;
    ensure!(decoded.pictures > 30 && (decoded.refused, decoded.turns_without_picture) == (0, 0), "{decoded:?}");
    ensure!((decoded.width, decoded.height) == (320, 180), "{decoded:?}");
    let first = row.first_picture_ms.context("no first picture")?;
    ensure!(first.count == row.count && row.packets > row.pictures && row.bytes > 0, "{row:?}");
    Ok(())
}

#[test]
fn a_hundred_and_forty_viewers_by_seven_ways_see_all_that_is_published() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let before = origin.held()?;
    let host = origin.host().to_string();
    // Name, task, least pictures of one viewer, and between which milliseconds a picture is shown in the middle.
    let parts = "[task.hls]\nlow_latency = true";
    let segments = "[task.hls]\nlow_latency = false\nrendition = \"highest\"";
    let ways: [(&str, String, u64, (f64, f64)); 7] = [
        ("RTMP", twenty("rtmp://HOST/live/cam-1", ""), 240, (0.0, 300.0)),
        ("MSE", twenty("ws://HOST:8080/mse/cam-1", ""), 240, (0.0, 300.0)),
        ("WSPlayer", twenty("ws://HOST:8080/ws/cam-1", ""), 240, (0.0, 300.0)),
        ("LL-HLS", twenty("http://HOST:8080/cam-1/index.m3u8", parts), 240, (300.0, 3_000.0)),
        ("HLS, fMP4", twenty("http://HOST:8080/cam-1/index.m3u8", segments), 180, (2_000.0, 12_000.0)),
        ("HLS, MPEG-TS", twenty("http://HOST:8080/cam-1/index.m3u8?container=ts", ""), 180, (2_000.0, 12_000.0)),
        ("WHEP", twenty("http://HOST:8080/cam-1/whep", ""), 240, (0.0, 300.0)),
    ];
    let outcomes = block_on(async {
        let publishing = start(plan(&host, 600, PUBLISHER)?)?;
        until(&publishing, "it publishes", |outcome| outcome.tasks[0].live == 1).await?;
        // Segments are made from when they are first asked for: the first viewers of all wait for three of them.
        let warm = twenty("http://HOST:8080/cam-1/index.m3u8?container=ts", "").replace("20", "1");
        let warm = start(plan(&host, 600, &warm)?)?;
        until(&warm, "segments are there", |outcome| outcome.tasks[0].pictures > 0).await?;
        let runs: Vec<Run> = ways.iter().map(|(_, task, ..)| start(plan(&host, 12, task)?)).collect::<Result<_>>()?;
        let mut outcomes = Vec::new();
        for run in &runs {
            outcomes.push(run.finished().await);
        }
        publishing.stop();
        warm.stop();
        publishing.finished().await;
        warm.finished().await;
        Ok(outcomes)
    })?;
    for ((name, _, pictures, (least, most)), outcome) in ways.iter().zip(&outcomes) {
        let row = &outcome.tasks[0];
        let latency = row.latency_ms.with_context(|| format!("{name}: no stamp was read: {row:?}"))?;
        report(&format!(
            "twenty viewers by {name}: first picture {:.0} ms, shown {:.0} ms after it was sent, one in a hundred {:.0} ms; \
             {} pictures, {} decoded",
            row.first_picture_ms.map_or(0.0, |first| first.p50),
            latency.p50,
            latency.p99,
            row.pictures,
            row.decoded.pictures,
        ));
        is_whole(row).context(*name)?;
        ensure!(row.pictures >= pictures * 20, "{name}: {row:?}");
        ensure!((*least..*most).contains(&latency.p50), "{name}: {latency:?}");
        let loaded = (row.playlists > 0, row.segments > 0, row.parts > 0);
        let expected = match *name {
            "LL-HLS" => (true, row.segments > 0, true),
            name => (name.starts_with("HLS"), name.starts_with("HLS"), false),
        };
        ensure!(loaded == expected, "{name}: {row:?}");
    }
    let cpu = outcomes.iter().map(|outcome| outcome.generator.cpu_s).fold(0.0, f64::max);
    report(&format!(
        "a hundred and forty viewers, their publisher and the decoders take {cpu:.1} s of CPU in some 14 s"
    ));
    // A viewer by parts loads hardly more playlists than parts, and no part twice.
    let low_latency = &outcomes[3].tasks[0];
    ensure!(low_latency.parts > 20 * 40 && low_latency.parts < 20 * 100, "{low_latency:?}");
    origin.wait_empty()?;
    origin.wait_baseline(&before)?;
    origin.stop()?;
    Ok(())
}

#[test]
fn pairs_of_rtmp_see_what_they_publish() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let before = origin.held()?;
    let pairs = "[[task]]\nwhat = \"pairs\"\ntarget = \"rtmp://HOST/live/pair-{i}\"\ncount = 3\n\
                 [[task]]\nwhat = \"pairs\"\ntarget = \"rtmp://HOST/live/other-{i}\"\n\
                 playback = \"ws://HOST:8080/mse/other-{i}\"\ncount = 3\n";
    let outcome = block_on(async { Ok(start(plan(&origin.host().to_string(), 6, pairs)?)?.finished().await) })?;
    for row in &outcome.tasks {
        ensure!((row.joined, row.left, row.failed, row.lost) == (3, 3, 0, 0), "{row:?}");
        let latency = row.latency_ms.context("no stamp was read")?;
        ensure!(latency.count > 200 && latency.p50 < 500.0 && row.decoded.refused == 0, "{row:?}");
    }
    origin.wait_empty()?;
    origin.wait_baseline(&before)?;
    origin.stop()?;
    Ok(())
}

const FIVE_WAYS: [&str; 5] = [
    "rtmp://HOST/live/NAME",
    "http://HOST:8080/NAME/index.m3u8",
    "http://HOST:8080/NAME/index.m3u8?container=ts",
    "ws://HOST:8080/mse/NAME",
    "ws://HOST:8080/ws/NAME",
];

/// Two viewers by each of the five ways.
fn viewers(name: &str) -> String {
    let task = |target: &str| {
        let target = target.replace("NAME", name);
        format!("[[task]]\nwhat = \"play\"\ntarget = \"{target}\"\ncount = 2\nrate = 20\n")
    };
    FIVE_WAYS.map(task).concat()
}

#[test]
fn a_stream_that_is_not_there_and_a_server_that_dies_are_told_of_each_viewer() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let host = origin.host().to_string();
    let outcome = block_on(async { Ok(start(plan(&host, 4, &viewers("nobody"))?)?.finished().await) })?;
    for row in &outcome.tasks {
        let told: Vec<_> = row.failures.iter().map(|failure| (failure.reason, failure.count)).collect();
        ensure!(told == [(Reason::NoStream, 2)], "{row:?}");
    }
    let outcome = block_on(async {
        let publishing = start(plan(&host, 600, PUBLISHER)?)?;
        until(&publishing, "it publishes", |outcome| outcome.tasks[0].live == 1).await?;
        let run = start(plan(&host, 600, &viewers("cam-1"))?)?;
        until(&run, "all see pictures", |outcome| outcome.tasks.iter().all(|row| row.live == 2 && row.pictures > 100))
            .await?;
        origin.kill();
        Ok(run.finished().await)
    })?;
    for row in &outcome.tasks {
        let told: Vec<_> = row.failures.iter().map(|failure| (failure.reason, failure.count)).collect();
        let is_clear = told.iter().all(|(reason, _)| {
            matches!(reason, Reason::Lost | Reason::Ended | Reason::Silent | Reason::ConnectionRefused)
        });
        ensure!(is_clear && (row.failed, row.live) == (2, 0), "{row:?}");
    }
    report(&format!("a server dies: {:?}", outcome.tasks.iter().map(|row| &row.failures).collect::<Vec<_>>()));
    Ok(())
}
