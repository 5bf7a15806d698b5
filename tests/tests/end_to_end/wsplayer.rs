//! A page decodes the frames of a WebSocket itself: picture, sound, both together, and soon.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::source::{Profile, Source};
use headwater_tests::{program::until, report, turn};
use serde_json::Value;

use crate::sdk::pages::Pages;

const PATIENCE: Duration = Duration::from_secs(10);

/// Plays `clock` in a page named `eve`, and watches it for so many seconds.
fn play(pages: &mut Pages, seconds: u32) -> Result<Value> {
    pages.open("eve", "/healthz")?;
    pages.front("eve")?;
    pages.script("eve", "canvas.js")?;
    pages.run(
        "eve",
        "const { WsPlayer } = await import('/assets/sdk/wsplayer.js');
         document.body.innerHTML = '<canvas id=canvas style=\"width:640px;height:360px\"></canvas>';
         window.began = performance.now();
         window.player = new WsPlayer({ base: '/', name: 'clock', canvas });
         window.events = [];
         for (const type of ['lost', 'blocked']) player.addEventListener(type, ({ detail }) => events.push([type, detail?.code, detail?.message]));
         await player.start();
         window.startMs = performance.now() - began;
         await until('sound', () => !player.kinds.includes('audio') || player.output);
         window.seen = watchCanvas(canvas, player.output);",
    )?;
    let script = format!(
        "await player.stats();
         await new Promise((done) => setTimeout(done, {seconds}000));
         return {{ ...sumUp(seen), startMs, kinds: player.kinds, tracks: player.tracks, stats: await player.stats(), width: canvas.width, height: canvas.height, events }};"
    );
    pages.run("eve", &script)
}

fn number(seen: &Value, key: &str) -> Result<f64> {
    seen[key].as_f64().with_context(|| format!("no {key} in {seen}"))
}

fn tell(name: &str, seen: &Value) {
    let keys =
        ["p50", "p95", "sync", "frames", "backwards", "unreadable", "longestPause", "tone", "silentBlocks", "startMs"];
    let words: Vec<String> =
        keys.iter().map(|key| format!("{key} {:.1}", seen[*key].as_f64().unwrap_or(f64::NAN))).collect();
    report(&format!("{name}: {}; {}; offsets {}", words.join(", "), seen["stats"], seen["offsets"]));
}

fn check(name: &str, source: &Source, latency: f64) -> Result<()> {
    let origin = Origin::start()?;
    let publisher = source.publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    let seen = play(&mut pages, 9)?;
    tell(name, &seen);
    ensure!(seen["width"] == 640 && seen["height"] == 360, "{seen}");
    ensure!(number(&seen, "frames")? > 225.0, "{seen}");
    ensure!(number(&seen, "backwards")? == 0.0, "{seen}");
    ensure!(number(&seen, "unreadable")? * 20.0 < number(&seen, "frames")?, "{seen}");
    ensure!(number(&seen, "p50")? < latency, "{seen}");
    ensure!(number(&seen, "tone")? > 0.7 && number(&seen, "soundBlocks")? > 500.0, "{seen}");
    ensure!(number(&seen, "silentBlocks")? * 20.0 < number(&seen, "soundBlocks")?, "{seen}");
    ensure!(number(&seen, "sync")?.abs() < 60.0, "{seen}");
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    let listed = origin.streams()?;
    ensure!(listed[0]["viewers"] == 1, "{listed:?}");
    pages.run("eve", "await player.stop();")?;
    until("no viewer is left", PATIENCE, || {
        origin.metric("headwater_wsplayer_viewers").is_ok_and(|count| count == Some(0.0))
    })?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_decodes_what_an_encoder_sends_by_rtmp() -> Result<()> {
    let _turn = turn();
    check("WSPlayer, RTMP", &Source::default(), 300.0)
}

#[test]
fn a_page_decodes_what_another_page_sends_by_webrtc() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.empty("anna")?;
    for codec in ["H264", "VP8", "VP9"] {
        let publish = format!(
            "window.session = sdk.createSession({{ transport: 'whip' }});
             window.stream = session.createStream({{ name: 'clock', display: '#video', codecs: ['{codec}'] }});
             await stream.publish();"
        );
        pages.run("anna", &publish)?;
        origin.wait_published("clock")?;
        let seen = play(&mut pages, 5)?;
        tell(&format!("WSPlayer, WebRTC {codec}"), &seen);
        ensure!(seen["tracks"][0]["format"] == codec && seen["tracks"][1]["format"] == "opus", "{seen}");
        ensure!(number(&seen, "frames")? > 60.0, "{seen}");
        ensure!(number(&seen, "soundBlocks")? > 300.0, "{seen}");
        pages.run("eve", "await player.stop();")?;
        pages.front("anna")?;
        pages.run("anna", "await stream.stop();")?;
        origin.wait_empty()?;
    }
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    origin.stop()?;
    Ok(())
}

#[test]
fn what_a_page_sends_by_webrtc_is_seen_soon_and_heard_in_step() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let mut publisher = Publisher::start(&origin.whip("clock"), &Kind::Clock { codec: "video/H264" })?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    let seen = play(&mut pages, 10)?;
    tell("WSPlayer, WebRTC with a clock", &seen);
    publisher.check()?;
    ensure!(number(&seen, "backwards")? == 0.0, "{seen}");
    ensure!(number(&seen, "p50")? < 300.0, "{seen}");
    ensure!(number(&seen, "tone")? > 0.7 && number(&seen, "sync")?.abs() < 100.0, "{seen}");
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_that_was_hidden_goes_on_at_the_live_edge() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    play(&mut pages, 3)?;
    // Pages of a headless browser are never hidden; this one is told that it is.
    let hide = "Object.defineProperty(document, 'hidden', { value: true, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
        await new Promise((done) => setTimeout(done, 500));
        const at = seen.frames;
        await new Promise((done) => setTimeout(done, 6000));
        return { ...(await player.stats()).video, drawn: seen.frames - at };";
    let before = pages.run("eve", hide)?;
    ensure!(before["drawn"] == 0, "{before}");
    let after = pages.run(
        "eve",
        "delete document.hidden;
         document.dispatchEvent(new Event('visibilitychange'));
         const at = seen.frames; await until('pictures again', () => seen.frames > at + 60);
         return { video: (await player.stats()).video, late: sumUp({ ...seen, latencies: seen.latencies.slice(-30) }), events };",
    )?;
    report(&format!("hidden for six seconds: {before} {after}"));
    ensure!(after["events"] == serde_json::json!([]), "{after}");
    ensure!(number(&after["late"], "p50")? < 400.0, "{after}");
    ensure!(number(&before, "framesDecoded")? > 240.0, "{before} {after}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_decodes_b_frames_in_their_order() -> Result<()> {
    let _turn = turn();
    let source = Source { profile: Profile::High, b_frames: 2, sample_rate: 44_100, ..Source::default() };
    check("WSPlayer, RTMP with B-frames", &source, 1_500.0)
}
