//! hls.js in Chromium, in low latency.

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, report, turn};
use serde_json::Value;

use super::PATIENCE;
use crate::sdk::pages::Pages;

/// The latency that is asked for in the middle, in milliseconds, with parts of 200.
const LATENCY: f64 = 1_500.0;

/// Plays `clock` by hls.js in a page named `eve`.
fn begin(pages: &mut Pages) -> Result<()> {
    begin_at(pages, "/clock/index.m3u8")
}

/// The same with the path of its playlist.
pub(super) fn begin_at(pages: &mut Pages, index: &str) -> Result<()> {
    pages.open("eve", "/healthz")?;
    pages.script("eve", "canvas.js")?;
    pages.script("eve", "hls.js")?;
    let script = format!("window.index = {};", Value::from(index));
    pages.run("eve", &script)?;
    pages
        .run(
            "eve",
            "document.body.innerHTML = '<video id=video style=\"width:640px;height:360px\"></video>';
         window.player = new Hls({ lowLatencyMode: true });
         window.errors = [];
         player.on(Hls.Events.ERROR, (_, { type, details, fatal }) => errors.push(`${type} ${details} ${fatal}`));
         player.loadSource(index);
         player.attachMedia(video);
         await new Promise((done) => player.on(Hls.Events.MANIFEST_PARSED, done));
         await video.play();
         const context = new AudioContext({ sampleRate: 48000 });
         const sound = context.createMediaElementSource(video);
         sound.connect(context.destination);
         await new Promise((done) => setTimeout(done, 6000));
         window.seen = watchCanvas(video, sound);",
        )
        .map(drop)
}

pub(super) fn watch(pages: &mut Pages, seconds: u32) -> Result<Value> {
    let script = format!(
        "await new Promise((done) => setTimeout(done, {seconds}000));
         const lowest = player.levels[player.currentLevel]?.details ?? {{}};
         return {{ ...sumUp(seen), errors, width: video.videoWidth, height: video.videoHeight, lag: player.latency,
           target: player.targetLatency, parts: lowest.partList?.length ?? 0, blocks: lowest.canBlockReload ?? false }};"
    );
    pages.run("eve", &script)
}

pub(super) fn number(seen: &Value, key: &str) -> Result<f64> {
    seen[key].as_f64().with_context(|| format!("no {key} in {seen}"))
}

pub(super) fn tell(name: &str, seen: &Value) {
    let keys = ["p50", "p95", "sync", "frames", "unreadable", "longestPause", "tone", "lag", "target", "parts"];
    let words: Vec<String> =
        keys.iter().map(|key| format!("{key} {:.2}", seen[*key].as_f64().unwrap_or(f64::NAN))).collect();
    report(&format!("{name}: {}; errors {}", words.join(", "), seen["errors"]));
}

fn check(seen: &Value, latency: f64) -> Result<()> {
    ensure!(seen["blocks"] == true && number(seen, "parts")? > 3.0, "hls.js plays no parts: {seen}");
    ensure!(number(seen, "frames")? > 215.0 && number(seen, "backwards")? == 0.0, "{seen}");
    ensure!(number(seen, "unreadable")? * 20.0 < number(seen, "frames")?, "{seen}");
    ensure!(number(seen, "p50")? < latency, "{seen}");
    ensure!(number(seen, "tone")? > 0.7 && number(seen, "soundBlocks")? > 500.0, "{seen}");
    ensure!(number(seen, "sync")?.abs() < 60.0, "{seen}");
    ensure!(seen["errors"].as_array().is_some_and(Vec::is_empty), "{seen}");
    Ok(())
}

#[test]
fn hls_js_plays_at_low_latency_what_an_encoder_sends_by_rtmp() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages)?;
    let seen = watch(&mut pages, 10)?;
    tell("LL-HLS by hls.js, RTMP", &seen);
    ensure!(seen["width"] == 640 && seen["height"] == 360, "{seen}");
    check(&seen, LATENCY)?;
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    ensure!(origin.streams()?[0]["viewers"] == 1, "one page is one viewer: {:?}", origin.streams()?);
    pages.run("eve", "player.destroy();")?;
    until("the viewer is gone", PATIENCE * 3, || origin.metric("headwater_hls_viewers").is_ok_and(|n| n == Some(0.0)))?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn hls_js_plays_at_low_latency_what_a_browser_publishes() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Publisher::start(&origin.whip("clock"), &Kind::Clock { codec: "video/H264" })?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages)?;
    let seen = watch(&mut pages, 10)?;
    tell("LL-HLS by hls.js, WebRTC", &seen);
    check(&seen, LATENCY)?;
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

/// The encoder fails and another one comes in its place: numbers go on, and the page does as well.
#[test]
fn hls_js_goes_on_when_the_encoder_is_replaced() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages)?;
    publisher.kill();
    let other = Source { size: (320, 180), sample_rate: 44_100, ..Source::default() };
    let publisher = until_published(&origin, &other)?;
    let script = "const end = performance.now() + 25000;
        while (video.videoWidth !== 320 && performance.now() < end) await new Promise((done) => setTimeout(done, 100));
        const before = seen.frames;
        await new Promise((done) => setTimeout(done, 4000));
        return { width: video.videoWidth, more: seen.frames - before, errors, buffered: video.buffered.length, at: video.currentTime };";
    let seen = pages.run("eve", script)?;
    report(&format!("hls.js over a change of encoders: {seen}"));
    ensure!(seen["width"] == 320 && number(&seen, "more")? > 60.0, "{seen}");
    let fatal = seen["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|error| error.as_str().is_some_and(|e| e.ends_with("true")));
    ensure!(fatal.count() == 0, "{seen}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// The name is free as soon as the server has noticed that the first encoder is gone.
fn until_published(origin: &Origin, source: &Source) -> Result<headwater_tests::program::Program> {
    let publisher = source.publish(&origin.rtmp("clock"))?;
    until("the second encoder is live", PATIENCE, || {
        origin.streams().is_ok_and(|list| list.iter().any(|stream| stream["width"] == 320))
    })?;
    Ok(publisher)
}
