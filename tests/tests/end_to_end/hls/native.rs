//! The player of HLS that is in Chromium itself, without a script.

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::source::Source;
use headwater_tests::turn;
use serde_json::Value;

use super::page::{number, tell};
use super::{PATIENCE, fetch, media_playlist};
use crate::sdk::pages::Pages;

/// It plays whole segments alone, and stays three of them behind.
const LATENCY: f64 = 12_000.0;

/// Opens a playlist by a video element, and tells what is seen and heard for some seconds.
fn play(pages: &mut Pages, index: &str) -> Result<Value> {
    pages.open("eve", "/healthz")?;
    pages.script("eve", "canvas.js")?;
    let says =
        pages.run("eve", "return document.createElement('video').canPlayType('application/vnd.apple.mpegurl');")?;
    ensure!(says == "maybe" || says == "probably", "this Chromium has no player of HLS of its own: it says {says}");
    let script = format!(
        "document.body.innerHTML = '<video id=video style=\"width:640px;height:360px\"></video>';
         video.src = {};
         await video.play();
         const context = new AudioContext({{ sampleRate: 48000 }});
         const sound = context.createMediaElementSource(video);
         sound.connect(context.destination);
         await new Promise((done) => setTimeout(done, 2000));
         const seen = watchCanvas(video, sound);
         await new Promise((done) => setTimeout(done, 7000));
         return {{ ...sumUp(seen), errors: video.error?.message ?? null, width: video.videoWidth }};",
        Value::from(index)
    );
    pages.run("eve", &script)
}

/// Waits until there is as much as it stays behind: of less it makes an error, and where parts are listed, players that
/// know them need not wait for so much.
fn wait_for_segments(origin: &Origin) -> Result<()> {
    let list = media_playlist(origin, "/clock/index.m3u8")?;
    let segments = || fetch(origin, &list).map_or(0, |answer| answer.body.matches("#EXTINF").count());
    until("a playlist has three segments", PATIENCE, || segments() >= 3)
}

fn check(name: &str, seen: &Value) -> Result<()> {
    tell(name, seen);
    ensure!(seen["errors"].is_null() && seen["width"] == 640, "{seen}");
    ensure!(number(seen, "frames")? > 140.0 && number(seen, "backwards")? == 0.0, "{seen}");
    ensure!(number(seen, "unreadable")? * 20.0 < number(seen, "frames")?, "{seen}");
    ensure!(number(seen, "p50")? < LATENCY && number(seen, "longestPause")? < 1_000.0, "{seen}");
    // A beep is heard at each flash.
    ensure!(number(seen, "soundBlocks")? > 500.0 && seen["offsets"].as_array().is_some_and(|o| o.len() >= 4), "{seen}");
    ensure!(number(seen, "sync")?.abs() < 100.0, "{seen}");
    Ok(())
}

#[test]
fn chromium_plays_both_containers_without_a_script() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    wait_for_segments(&origin)?;
    check("Chromium's own HLS, RTMP, fragmented MP4", &play(&mut pages, "/clock/index.m3u8")?)?;
    check("Chromium's own HLS, RTMP, transport streams", &play(&mut pages, "/clock/index.m3u8?container=ts")?)?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn chromium_plays_without_a_script_what_a_browser_publishes() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Publisher::start(&origin.whip("clock"), &Kind::Clock { codec: "video/H264" })?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    wait_for_segments(&origin)?;
    check("Chromium's own HLS, WebRTC", &play(&mut pages, "/clock/index.m3u8")?)?;
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}
