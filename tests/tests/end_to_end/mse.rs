//! A page plays fragmented MP4 that comes over a WebSocket: picture, sound, both together, and soon.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::source::{Profile, Source};
use headwater_tests::{program::until, report, turn};
use serde_json::Value;

use crate::sdk::pages::Pages;

mod fragments;
mod mishaps;
pub(crate) mod odd;
mod slow;
mod still;
mod web_sdk;

const PATIENCE: Duration = Duration::from_secs(10);

/// Plays `clock` in a page named `eve`, and watches it for so many seconds.
fn play(pages: &mut Pages, seconds: u32) -> Result<Value> {
    pages.open("eve", "/healthz")?;
    pages.script("eve", "canvas.js")?;
    pages.run(
        "eve",
        "const { MsePlayer } = await import('/assets/sdk/mse.js');
         document.body.innerHTML = '<video id=video style=\"width:640px;height:360px\"></video>';
         const began = performance.now();
         window.player = new MsePlayer({ base: '/', name: 'clock', video });
         window.events = [];
         for (const type of ['lost', 'blocked']) player.addEventListener(type, ({ detail }) => events.push([type, detail?.code, detail?.message]));
         await player.start();
         window.startMs = performance.now() - began;
         const context = new AudioContext({ sampleRate: 48000 });
         const sound = context.createMediaElementSource(video);
         sound.connect(context.destination);
         await new Promise((done) => setTimeout(done, 3000));
         window.seen = watchCanvas(video, sound);",
    )?;
    let script = format!(
        "await player.stats();
         await new Promise((done) => setTimeout(done, {seconds}000));
         return {{ ...sumUp(seen), startMs, kinds: player.kinds, tracks: player.tracks, stats: await player.stats(), width: video.videoWidth, height: video.videoHeight, events }};"
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
    // To be heard by the test, the sound makes a way round that takes it some tens of milliseconds.
    ensure!(number(&seen, "sync")?.abs() < 100.0, "{seen}");
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    let listed = origin.streams()?;
    ensure!(listed[0]["viewers"] == 1, "{listed:?}");
    pages.run("eve", "await player.stop();")?;
    until("no viewer and no feed is left", PATIENCE, || {
        let is_none = |name: &str| origin.metric(name).is_ok_and(|count| count == Some(0.0));
        is_none("headwater_mse_viewers") && is_none("headwater_mse_feeds")
    })?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_plays_by_mse_what_an_encoder_sends_by_rtmp() -> Result<()> {
    let _turn = turn();
    check("MSE, RTMP", &Source::default(), 300.0)
}

#[test]
fn a_page_plays_b_frames_by_mse_in_their_order() -> Result<()> {
    let _turn = turn();
    let source = Source { profile: Profile::High, b_frames: 2, sample_rate: 44_100, ..Source::default() };
    check("MSE, RTMP with B-frames", &source, 1_500.0)
}
