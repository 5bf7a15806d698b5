//! Publishers on bad networks vanish without a word and come back under their name: their viewers stay.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::Browser;
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::{quiet, words};
use headwater_tests::wcs::Page;
use headwater_tests::{heavy_turn, report, tools};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than anything here takes: whatever ends sooner was ended, and did not run out.
const GRACE: (&str, &str) = ("STREAMS__GRACE_MS", "60000");

fn publish(origin: &Origin) -> Result<Program> {
    let mut command = quiet(&tools::newest_ffmpeg()?);
    command.args(words("-re -f lavfi -i testsrc2=size=640x360:rate=30 -pix_fmt yuv420p -g 60"));
    command.args(words("-c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline"));
    command.args(["-f", "whip", &origin.whip("camera")]);
    Program::start("the publishing ffmpeg", &mut command)
}

#[test]
fn who_comes_after_a_publisher_that_has_vanished_gets_its_viewers_and_who_comes_before_is_refused() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[GRACE])?;
    let first = publish(&origin)?;
    origin.wait_published("camera")?;
    let mut browser = Browser::play(&origin.whep("camera"))?;
    browser.wait_frames(60, PATIENCE)?;

    let stranger = publish(&origin)?.wait(PATIENCE)?;
    ensure!(!stranger.status.success(), "a stranger was taken while the publisher was there");
    browser.wait_frames(30, PATIENCE).context("after a stranger was refused")?;

    // Killed: neither DTLS nor the resource of the session hears of it.
    first.kill();
    let frames = browser.look().frames();
    let second = publish(&origin)?;
    browser.wait("the browser sees the second publisher", PATIENCE, |seen| seen.frames() > frames + 90)?;
    let watched = browser.finish()?;
    report(&format!("between two publishers the picture stood for {:.0} ms", watched.seen().longest_pause()));
    ensure!(watched.seen().backwards() == 0, "{} frames were shown out of order", watched.seen().backwards());
    second.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn viewers_stay_when_the_web_sdk_loses_its_connection_and_leave_when_it_closes_it() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[GRACE])?;
    let address = format!("ws://{}", origin.http());
    let mut watching = Page::open(&origin.page("/healthz"))?;
    watching.call("session", json!(["t", { "urlServer": address }]))?;
    let publish = |page: &mut Page| -> Result<()> {
        page.call("session", json!(["s", { "urlServer": address }]))?;
        page.call("publish", json!(["camera", "s", { "name": "camera" }]))?;
        page.call("status", json!(["camera", "PUBLISHING"]))?;
        Ok(())
    };
    let mut lost = Page::open(&origin.page("/healthz"))?;
    publish(&mut lost)?;
    watching.call("play", json!(["viewer", "t", { "name": "camera" }]))?;
    watching.call("status", json!(["viewer", "PLAYING"]))?;
    watching.call("motion", json!(["viewer", 20]))?;
    lost.kill();

    let mut back = Page::open(&origin.page("/healthz"))?;
    publish(&mut back)?;
    watching.call("motion", json!(["viewer", 40])).context("after the publisher came back")?;
    let log = watching.call("status", json!(["viewer", "PLAYING"]))?;
    ensure!(log.as_array().is_some_and(|log| log.iter().all(|entry| entry["status"] != "FAILED")), "{log}");

    back.call("askSession", json!(["s", "disconnect"]))?;
    let log = watching.call("status", json!(["viewer", "FAILED"]))?;
    ensure!(log.to_string().contains("Stopped by publisher stop"), "{log}");
    origin.wait_gone("camera")?;
    origin.stop()?;
    Ok(())
}
