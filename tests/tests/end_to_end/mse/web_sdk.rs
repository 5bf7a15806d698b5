//! The MSE provider of the WCS Web SDK, unmodified, as it comes from npm.

use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::source::{Profile, Source};
use headwater_tests::wcs::Page;
use headwater_tests::{heavy_turn, report, turn};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

fn statuses(log: &Value) -> Vec<&str> {
    let log = log.as_array().map(Vec::as_slice).unwrap_or_default();
    log.iter().filter_map(|entry| entry["status"].as_str()).filter(|status| *status != "RESIZE").collect()
}

#[test]
fn the_web_sdk_plays_by_its_mse_provider_until_it_is_told_to_stop() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "100")])?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut page = Page::open(&origin.page("/healthz"))?;
    page.call("session", json!(["s", { "urlServer": format!("ws://{}", origin.http()) }]))?;
    page.call("play", json!(["p", "s", { "name": "clock", "mediaProvider": "MSE" }]))?;
    page.call("status", json!(["p", "PLAYING"]))?;
    let size = page.call("motion", json!(["p", 100]))?;
    ensure!(size["width"] == 640 && size["height"] == 360, "{size}");
    ensure!(origin.streams()?[0]["viewers"] == 1, "{:?}", origin.streams()?);
    ensure!(origin.log().contains("a client plays a stream by MSE"), "it plays by something else");

    page.call("ask", json!(["p", "stop"]))?;
    let log = page.call("status", json!(["p", "STOPPED"]))?;
    ensure!(statuses(&log) == ["PENDING", "PENDING", "PLAYING", "STOPPED"], "{log}");
    until("no viewer is left", PATIENCE, || origin.streams().is_ok_and(|streams| streams[0]["viewers"] == 0))?;

    page.call("play", json!(["q", "s", { "name": "clock", "mediaProvider": "MSE" }]))?;
    page.call("status", json!(["q", "PLAYING"]))?;
    page.call("motion", json!(["q", 30]))?;
    publisher.kill();
    let log = page.call("status", json!(["q", "FAILED"]))?;
    ensure!(log.to_string().contains("Stopped by publisher stop"), "{log}");
    page.call("play", json!(["n", "s", { "name": "nobody", "mediaProvider": "MSE" }]))?;
    let log = page.call("status", json!(["n", "FAILED"]))?;
    ensure!(log.to_string().contains("Stream not found"), "{log}");
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    origin.stop()?;
    Ok(())
}

/// Plays `clock` for some seconds, and says what was seen and heard.
fn seen(source: &Source, seconds: u32) -> Result<Value> {
    let origin = Origin::start()?;
    let publisher = source.publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut page = Page::open(&origin.page("/healthz"))?;
    page.call("session", json!(["s", { "urlServer": format!("ws://{}", origin.http()) }]))?;
    page.call("play", json!(["p", "s", { "name": "clock", "mediaProvider": "MSE" }]))?;
    page.call("status", json!(["p", "PLAYING"]))?;
    page.call("motion", json!(["p", 10]))?;
    let seen = page.call("seen", json!(["p", seconds]))?;
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    publisher.kill();
    origin.stop()?;
    Ok(seen)
}

/// The page knows one time for each picture, and no other order than by that.
#[test]
fn the_web_sdk_plays_by_its_mse_provider_a_source_with_b_frames_in_order() -> Result<()> {
    let _turn = turn();
    for (what, b_frames, per_second) in [("two B-frames", 2, 7), ("none", 0, 20)] {
        let profile = if b_frames > 0 { Profile::High } else { Profile::Baseline };
        let seen = seen(&Source { profile, b_frames, ..Source::default() }, 6)?;
        report(&format!("MSE of the WCS Web SDK, {what}: {seen}"));
        ensure!(seen["backwards"] == 0 && seen["width"] == 640, "{what}: {seen}");
        ensure!(
            seen["frames"].as_u64() > Some(per_second * 6) && seen["unreadable"].as_u64() < Some(5),
            "{what}: {seen}"
        );
        ensure!(seen["sync"].as_f64().is_some_and(|late| late.abs() < 150.0), "{what}: {seen}");
    }
    Ok(())
}
