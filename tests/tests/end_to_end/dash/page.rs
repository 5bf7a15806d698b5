//! dash.js in Chromium.

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::source::Source;
use headwater_tests::{flv, heavy_turn, report, turn};
use serde_json::Value;

use super::{MANIFEST, replace};
use crate::any_node::Spread;
use crate::mse::odd::{BOTH, piece, publish, usual};
use crate::sdk::pages::Pages;

/// Three segments behind, and one that is being made.
const LATENCY: f64 = 12_000.0;

/// Plays `clock` by dash.js in a page named `eve`.
fn begin(pages: &mut Pages) -> Result<()> {
    pages.open("eve", "/healthz")?;
    pages.script("eve", "canvas.js")?;
    pages.script("eve", "dashjs")?;
    let script = format!(
        "document.body.innerHTML = '<video id=video style=\"width:640px;height:360px\"></video>';
         window.player = dashjs.MediaPlayer().create();
         window.errors = [];
         player.on(dashjs.MediaPlayer.events.ERROR, ({{ error }}) => errors.push(`${{error.code}} ${{error.message}}`));
         player.initialize(video, {}, true);
         await new Promise((done) => player.on(dashjs.MediaPlayer.events.PLAYBACK_PLAYING, done));
         const context = new AudioContext({{ sampleRate: 48000 }});
         const sound = context.createMediaElementSource(video);
         sound.connect(context.destination);
         await new Promise((done) => setTimeout(done, 2000));
         window.seen = watchCanvas(video, sound);",
        Value::from(MANIFEST)
    );
    pages.run("eve", &script).map(drop)
}

fn watch(pages: &mut Pages, seconds: u32) -> Result<Value> {
    let script = format!(
        "await new Promise((done) => setTimeout(done, {seconds}000));
         return {{ ...sumUp(seen), errors, width: video.videoWidth, height: video.videoHeight, at: video.currentTime,
           codec: player.getCurrentTrackFor('audio')?.codec }};"
    );
    pages.run("eve", &script)
}

fn number(seen: &Value, key: &str) -> f64 {
    seen[key].as_f64().unwrap_or(f64::NAN)
}

fn check(name: &str, seen: &Value) -> Result<()> {
    let keys = ["p50", "sync", "frames", "unreadable", "longestPause", "tone"];
    let words: Vec<String> = keys.iter().map(|key| format!("{key} {:.2}", number(seen, key))).collect();
    report(&format!("dash.js, {name}: {}; {}; errors {}", words.join(", "), seen["codec"], seen["errors"]));
    ensure!(seen["errors"].as_array().is_some_and(Vec::is_empty), "{seen}");
    ensure!(number(seen, "frames") > 90.0 && number(seen, "backwards") == 0.0, "{seen}");
    ensure!(number(seen, "unreadable") * 20.0 < number(seen, "frames"), "{seen}");
    ensure!(number(seen, "p50") < LATENCY, "{seen}");
    ensure!(number(seen, "tone") > 0.7 && number(seen, "soundBlocks") > 250.0, "{seen}");
    ensure!(number(seen, "sync").abs() < 100.0, "{seen}");
    Ok(())
}

/// The encoder fails and another one, of another size, comes in its place.
#[test]
fn dash_js_plays_with_sound_and_goes_on_when_the_encoder_is_replaced() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages)?;
    let seen = watch(&mut pages, 6)?;
    check("RTMP", &seen)?;
    ensure!(seen["width"] == 640 && seen["height"] == 360, "{seen}");
    ensure!(origin.streams()?[0]["viewers"] == 1, "one page is one viewer: {:?}", origin.streams()?);
    let publisher = replace(&origin, publisher)?;
    let script = "const end = performance.now() + 30000;
        while (video.videoWidth !== 320 && performance.now() < end) await new Promise((done) => setTimeout(done, 100));
        const [frames, blocks, silent] = [seen.frames, seen.soundBlocks, seen.silentBlocks];
        await new Promise((done) => setTimeout(done, 4000));
        return { width: video.videoWidth, more: seen.frames - frames, errors,
          heard: seen.soundBlocks - blocks - (seen.silentBlocks - silent), at: video.currentTime };";
    let after = pages.run("eve", script)?;
    report(&format!("dash.js over a change of encoders: {after}"));
    ensure!(after["width"] == 320 && number(&after, "more") > 60.0 && number(&after, "heard") > 200.0, "{after}");
    ensure!(after["errors"].as_array().is_some_and(Vec::is_empty), "{after}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// Through a load balancer that sends each of its requests to another server than the one before.
#[test]
fn dash_js_plays_from_one_of_two_servers_whoever_is_asked() -> Result<()> {
    let _turn = heavy_turn();
    let spread = Spread::start()?;
    let publisher = Source::default().publish(&spread.nodes[0].rtmp("clock"))?;
    spread.nodes[0].wait_published("clock")?;
    let mut pages = Pages::of(&spread.page("/"))?;
    begin(&mut pages)?;
    let seen = watch(&mut pages, 8)?;
    check("over two servers", &seen)?;
    report(&format!("{} requests were passed on", spread.passed()?));
    ensure!(spread.passed()? > 5.0, "only {} requests were passed on", spread.passed()?);
    let viewers: f64 = spread.nodes.iter().filter_map(|node| node.metric("headwater_hls_viewers").ok().flatten()).sum();
    ensure!(viewers == 1.0, "one page is {viewers} viewers");
    drop(pages);
    publisher.kill();
    spread.stop()
}

/// Its sound stays Opus.
#[test]
fn dash_js_plays_what_a_browser_publishes() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Publisher::start(&origin.whip("clock"), &Kind::Clock { codec: "video/H264" })?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages)?;
    let seen = watch(&mut pages, 6)?;
    check("WebRTC", &seen)?;
    ensure!(seen["codec"].as_str().is_some_and(|codec| codec.contains("opus")), "{seen}");
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

/// Sound and picture are renditions of their own here.
#[test]
fn dash_js_goes_on_when_the_picture_stops_and_shows_it_when_it_is_back() -> Result<()> {
    let _turn = turn();
    let tags = usual((640, 360))?;
    let origin = Origin::start()?;
    let publisher = publish(&origin, "clock", piece(&tags, &BOTH))?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages)?;
    publisher.go_on(piece(&tags, &[flv::Kind::Audio]));
    let script = "const from = video.currentTime;
        await new Promise((done) => setTimeout(done, 8000));
        return { played: video.currentTime - from, errors };";
    let off = pages.run("eve", script)?;
    publisher.go_on(piece(&tags, &BOTH));
    let script = "const [at, began] = [video.currentTime, performance.now()];
        await new Promise((done) => setTimeout(done, 8000));
        const [played, from] = [video.currentTime - at, seen.frames];
        await until(() => JSON.stringify([video.currentTime, errors]), () => seen.frames > from + 60, 15000);
        return { played, ms: performance.now() - began, errors };";
    let back = pages.run("eve", script)?;
    report(&format!("dash.js without a picture, 8 s: {off}; after that, 8 s: {back}"));
    ensure!(number(&off, "played") > 7.0 && number(&back, "played") > 7.0, "{off} {back}");
    ensure!(back["errors"].as_array().is_some_and(Vec::is_empty), "{back}");
    origin.stop()?;
    Ok(())
}
