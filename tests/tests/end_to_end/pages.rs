//! The pages that a newcomer sees.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::{Browser, Look, Report};
use headwater_tests::origin::Origin;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, http, report, scratch, turn};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_demo_plays_on_its_page_without_any_other_program() -> Result<()> {
    let _turn = turn();
    let origin = Origin::with(&[], &["--demo"])?;
    origin.wait_published("demo")?;
    let mut browser = Browser::open(&origin.page("/play/demo"), &Look::default())?;
    browser.wait_frames(150, PATIENCE)?;
    let watched = browser.finish()?;
    let seen = watched.seen();
    ensure!(seen.changes() * 10 > seen.frames() * 9, "{} of {} frames differ", seen.changes(), seen.frames());
    let latency = seen.latency(50).context("the clock in the test picture cannot be read")?;
    report(&format!("demo: latency p50 {latency:.0} ms, p95 {:.0} ms", seen.latency(95).unwrap_or_default()));
    ensure!(latency < 400.0, "latency {latency:.0} ms");
    ensure!(seen.silence() < 20.0, "{:.1} % of the sound is silent", seen.silence());
    ensure!(watched.complaints.is_empty(), "{:?}", watched.complaints);
    origin.stop()?;
    Ok(())
}

#[test]
fn the_player_page_plays_a_published_stream_in_both_colour_schemes() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("seen"))?;
    origin.wait_published("seen")?;
    for (dark, size) in [(false, (1280, 800)), (true, (390, 844))] {
        let screenshot = scratch("player.png")?;
        let look = Look { size: Some(size), dark, screenshot: Some(screenshot.clone()) };
        let mut browser = Browser::open(&origin.page("/play/seen"), &look)?;
        browser.wait_frames(150, PATIENCE)?;
        let watched = browser.finish()?;
        ensure!(watched.seen().size() == (640, 360), "{:?}", watched.seen().size());
        ensure!(watched.complaints.is_empty(), "{:?}", watched.complaints);
        ensure!(watched.text.contains("seen"), "the page does not name the stream: {}", watched.text);
        shows_the_true_delay(&watched)?;
        report(&format!("picture of the page: {}", screenshot.display()));
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// The delay that the page shows is the one that the clock in the picture tells.
fn shows_the_true_delay(watched: &Report) -> Result<()> {
    let after = watched.text.split("Delay").nth(1).context("the page shows no delay")?;
    let words = after.split_whitespace().skip_while(|word| word.parse::<f64>().is_err());
    let (number, unit) = words.clone().zip(words.skip(1)).next().context("the delay has no number")?;
    let shown = number.parse::<f64>()? * if unit == "s" { 1_000.0 } else { 1.0 };
    let true_delay = watched.seen().latency(50).context("no clock could be read")?;
    report(&format!("the page shows a delay of {shown:.0} ms, the clock tells {true_delay:.0} ms"));
    ensure!((shown - true_delay).abs() < 60.0, "{shown} ms shown, {true_delay} ms true");
    Ok(())
}

#[test]
fn the_first_page_lists_live_streams() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("listed"))?;
    origin.wait_published("listed")?;
    let mut browser = Browser::open(&origin.page("/"), &Look::default())?;
    browser.settle(Duration::from_secs(4));
    let watched = browser.finish()?;
    for word in ["listed", "H264", "640"] {
        ensure!(watched.text.contains(word), "no {word:?} in: {}", watched.text);
    }
    let foreign: Vec<_> = watched.complaints.iter().filter(|complaint| complaint.starts_with("foreign")).collect();
    ensure!(foreign.is_empty(), "the page asks other hosts: {foreign:?}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_for_nothing_live_says_so_in_words() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut browser = Browser::open(&origin.page("/play/nobody"), &Look::default())?;
    browser.settle(Duration::from_secs(5));
    let watched = browser.finish()?;
    ensure!(watched.text.to_lowercase().contains("live"), "the page says: {}", watched.text);
    let missing = http::get(&origin.http(), "/no/such/page.html")?;
    ensure!(missing.status == 404, "{missing:?}");
    origin.stop().context("origin stops")?;
    Ok(())
}
