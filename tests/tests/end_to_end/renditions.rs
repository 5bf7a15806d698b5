//! Viewers of a picture that comes in three sizes: each gets the one that its network carries, or the one it chose.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use headwater_tests::browser::Browser;
use headwater_tests::network::Relay;
use headwater_tests::origin::Origin;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::{heavy_turn, report, turn};

const PATIENCE: Duration = Duration::from_secs(30);
const THREE_SIZES: Kind<'_> = Kind::Simulcast { codec: "video/VP8", rids: &["q", "h", "f"] };

/// A publisher that has sent for long enough that all sizes come.
fn publish(origin: &Origin, name: &str) -> Result<Publisher> {
    let publisher = Publisher::start(&origin.whip(name), &THREE_SIZES)?;
    origin.wait_published(name)?;
    let is_sent = |size: &serde_json::Value| size["framesSent"].as_u64().unwrap_or(0) > 60;
    publisher.wait("three sizes are sent", PATIENCE, |sent| sent.iter().filter(|size| is_sent(size)).count() == 3)?;
    Ok(publisher)
}

/// The widths of what is sent, the smallest first.
fn widths(publisher: &Publisher) -> Result<Vec<u32>> {
    let mut widths: Vec<u32> =
        publisher.sent()?.iter().filter_map(|size| size["frameWidth"].as_u64()).map(|width| width as u32).collect();
    widths.sort_unstable();
    Ok(widths)
}

#[test]
fn a_viewer_on_a_narrow_network_gets_a_smaller_picture_until_it_is_wide_again() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = publish(&origin, "narrow")?;
    let relay = Relay::start(SocketAddr::new(origin.host().into(), 8189), 3)?;
    for link in [relay.to_client(), relay.to_server()] {
        link.delay(Duration::from_millis(20));
    }
    let mut browser = Browser::play_via(&origin.whep("narrow"), &relay)?;
    let widest = widths(&publisher)?.last().copied().unwrap_or_default();
    let mut becomes = |what: &str, within: Duration, holds: &dyn Fn(u32) -> bool| -> Result<(u32, f64)> {
        let begin = Instant::now();
        browser.wait(what, within, |seen| holds(seen.size().0))?;
        Ok((browser.look().size().0, begin.elapsed().as_secs_f64()))
    };
    becomes("the largest size on a wide network", PATIENCE, &|width| width == widest)?;
    relay.to_client().limit(Some(500));
    let (narrow, down) = becomes("a smaller size on a narrow one", PATIENCE, &|width| width < widest)?;
    relay.to_client().limit(None);
    let (_, up) = becomes("the largest size when it is wide again", PATIENCE * 2, &|width| width == widest)?;
    report(&format!(
        "a viewer's picture is {widest} wide, {narrow} after {down:.1} s on a network of 500 kbit/s, and {widest} again \
         {up:.1} s after it is wide"
    ));
    ensure!(down < 10.0, "going down took {down:.1} s");
    let watched = browser.finish()?;
    ensure!(watched.seen().backwards() == 0, "{} frames were shown out of order", watched.seen().backwards());
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_viewer_gets_the_size_that_it_asks_for() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = publish(&origin, "chosen")?;
    let mut browser = Browser::play(&format!("{}?rendition=q", origin.whep("chosen")))?;
    let smallest = widths(&publisher)?.first().copied().unwrap_or_default();
    browser.wait("the smallest size", PATIENCE, |seen| seen.size().0 == smallest)?;
    let frames = browser.look().frames();
    browser.wait("it stays", PATIENCE, |seen| seen.frames() > frames + 90)?;
    ensure!(browser.look().size().0 == smallest, "it has become {:?}", browser.look().size());
    browser.finish()?;
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}
