//! Firefox publishes and watches. It has other DTLS, ICE and timing than Chromium, and no H.264 for WebRTC as it is shipped.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::{Browser, Engine, Look};
use headwater_tests::hosts::Network;
use headwater_tests::origin::Origin;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, report, scratch, turn};

use super::sdk::pages::Pages;

const PATIENCE: Duration = Duration::from_secs(40);
const VP8: &str = "video/VP8";

/// Runs it with a server at an address of its own, as Firefox sends no media to a loopback address.
fn with_server(act: impl FnOnce(&Origin) -> Result<()> + Send) -> Result<()> {
    let network = Network::new()?;
    let host = network.host("server")?;
    host.inside(|| {
        let origin = Origin::at(host.address(), &[("LISTEN__INSECURE", "true")], &[])?;
        act(&origin)?;
        origin.stop().map(drop)
    })
}

/// Cameras and what hears the sound are for pages over TLS alone.
fn secure(origin: &Origin, path: &str) -> String {
    format!("https://{}:8443{path}", origin.host())
}

#[test]
fn firefox_plays_what_chromium_publishes() -> Result<()> {
    let _turn = turn();
    with_server(|origin| {
        let publisher = Publisher::start(&secure(origin, "/clock/whip"), &Kind::Clock { codec: VP8 })?;
        origin.wait_published("clock")?;
        let mut browser = Browser::play_in(Engine::Firefox, &secure(origin, "/clock/whep"))?;
        browser.wait_frames(250, PATIENCE)?;
        let watched = browser.finish()?;
        watched.sees_clock("VP8 from Chromium by WHIP to Firefox by WHEP", 100.0)?;
        ensure!(watched.complaints.is_empty(), "{:?}", watched.complaints);
        publisher.leave()?;
        origin.wait_gone("clock")
    })
}

#[test]
fn both_browsers_play_what_firefox_publishes() -> Result<()> {
    let _turn = turn();
    with_server(|origin| {
        let kind = Kind::Clock { codec: VP8 };
        let mut publisher = Publisher::start_in(Engine::Firefox, &secure(origin, "/clock/whip"), &kind)?;
        origin.wait_published("clock")?;
        for engine in [Engine::Chromium, Engine::Firefox] {
            let mut browser = Browser::play_in(engine, &secure(origin, "/clock/whep"))?;
            browser.wait_frames(200, PATIENCE)?;
            // Where the sound came late at first, Chromium goes on showing the pictures later than it need: 93 ms were seen.
            browser.finish()?.sees_clock(&format!("VP8 from Firefox by WHIP to {engine:?} by WHEP"), 150.0)?;
        }
        publisher.check()?;
        publisher.leave()?;
        origin.wait_gone("clock")
    })
}

/// The page finds out by itself that there is another way.
#[test]
fn firefox_without_h264_for_webrtc_plays_it_by_mse() -> Result<()> {
    let _turn = turn();
    with_server(|origin| {
        let _source = Source::default().publish(&origin.rtmp("camera"))?;
        origin.wait_published("camera")?;
        let look = Look { screenshot: Some(scratch("firefox-mse.png")?), ..Look::default() };
        let mut browser = Browser::open_in(Engine::Firefox, &secure(origin, "/play/camera"), &look)?;
        browser.wait_frames(200, PATIENCE)?;
        let watched = browser.finish()?;
        let seen = watched.seen();
        let (latency, slowest) = seen.latency(50).zip(seen.latency(95)).context("no clock could be read")?;
        report(&format!("H.264 by MSE in Firefox: latency p50 {latency:.0} ms, p95 {slowest:.0} ms"));
        ensure!(watched.text.contains("MSE"), "{}", watched.text);
        ensure!(seen.backwards() == 0, "{} frames were shown out of order", seen.backwards());
        ensure!(slowest < 1_500.0, "latency p50 {latency:.0} ms, p95 {slowest:.0} ms");
        Ok(())
    })
}

#[test]
fn a_visitor_with_firefox_publishes_and_plays_on_one_page() -> Result<()> {
    let _turn = heavy_turn();
    with_server(|origin| {
        let mut pages = Pages::in_firefox(&secure(origin, "/"))?;
        pages.open("two-way", "/two-way?name=both")?;
        pages.click("two-way", "#play")?;
        pages.click("two-way", "#publish")?;
        for (part, state) in [("publisher", "publishing"), ("player", "playing")] {
            let script =
                format!("await until('{state}', () => document.getElementById('{part}').dataset.state === '{state}');");
            pages.run("two-way", &script)?;
        }
        pages.run(
            "two-way",
            "const seen = count(document.getElementById('theirs')); await until('pictures', () => seen.frames > 60);
             await until('numbers', () => document.querySelector('#player .numbers').textContent.includes('VP8'));",
        )?;
        let picture = scratch("firefox-two-way.png")?;
        pages.see("two-way", &picture)?;
        report(&format!("the page in Firefox: {}", picture.display()));
        pages.click("two-way", "#publish")?;
        origin.wait_empty()
    })
}
