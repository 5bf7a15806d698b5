//! Browsers that publish through networks that lose, delay, narrow or let no UDP through.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::{Browser, Seen};
use headwater_tests::network::Relay;
use headwater_tests::origin::Origin;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::{heavy_turn, http, report, turn};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const CLOCK: Kind<'_> = Kind::Clock { codec: "video/H264" };

#[test]
fn a_publisher_who_loses_one_datagram_in_twenty_is_seen_nearly_whole() -> Result<()> {
    publish_with_loss(50, 0.85)
}

#[test]
fn a_publisher_who_loses_one_datagram_in_ten_goes_on_being_seen() -> Result<()> {
    publish_with_loss(100, 0.6)
}

/// Loss in both directions and 25 ms each way; what is lost is asked for and sent again.
fn publish_with_loss(per_mille: u64, decoded_at_least: f64) -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let relay = Relay::start(SocketAddr::new(origin.host().into(), 8189), per_mille)?;
    for link in [relay.to_client(), relay.to_server()] {
        link.delay(Duration::from_millis(25));
        link.lose(per_mille);
    }
    let publisher = Publisher::start_via(&origin.whip("lossy"), &CLOCK, &relay)?;
    origin.wait_published("lossy")?;
    let mut browser = Browser::play(&origin.whep("lossy"))?;
    browser.wait_frames(30, PATIENCE)?;
    let decoded = |seen: &Seen<'_>| seen.statistics("video")["framesDecoded"].as_u64().unwrap_or_default();
    let sum = |key: &str| -> Result<u64> { Ok(publisher.sent()?.iter().filter_map(|size| size[key].as_u64()).sum()) };
    let (decoded_before, sent_before, asked_before) = (decoded(&browser.look()), sum("framesSent")?, sum("pliCount")?);
    let time = Duration::from_secs(10);
    browser.settle(time);
    let (sent, asked) = (sum("framesSent")? - sent_before, sum("pliCount")? - asked_before);
    let again = sum("retransmittedPacketsSent")?;
    let heard = sum("nackCount")?;
    let said = nacks(&origin, "lossy")?;
    let watched = browser.finish()?;
    let part = (decoded(&watched.seen()) - decoded_before) as f64 / sent as f64;
    report(&format!(
        "a publisher with {per_mille} of 1,000 datagrams lost: {:.0} % of {sent} pictures were decoded by a viewer, \
         {again} packets sent again ({said} requests, {heard} of them heard), {asked} key frames asked for in 10 s, longest pause {:.0} ms, {} backwards",
        100.0 * part,
        watched.seen().longest_pause(),
        watched.seen().backwards(),
    ));
    ensure!(again > 10, "only {again} packets were sent again, so this shows nothing");
    // Some requests are lost on their way, and both count now and then.
    let share = heard as f64 / said as f64;
    ensure!((0.6..1.2).contains(&share), "the server tells of {said} requests for packets, the browser of {heard}");
    ensure!(asked <= 20, "{asked} key frames were asked for in 10 seconds");
    ensure!(part > decoded_at_least, "{:.0} % of the pictures were decoded", 100.0 * part);
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

/// How often a publisher was asked for packets, by what REST says of it.
fn nacks(origin: &Origin, name: &str) -> Result<u64> {
    let filter = json!({ "name": name, "published": true, "display": ["metrics"] });
    let answer = http::post_json(&origin.http(), "/rest-api/stream/find", &filter.to_string())?;
    let streams: Value = serde_json::from_str(&answer.body)?;
    streams[0]["metrics"]["VIDEO_NACK"].as_u64().with_context(|| format!("no VIDEO_NACK in {streams}"))
}

#[test]
fn a_publishers_bitrate_follows_its_network_down_and_up() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let relay = Relay::start(SocketAddr::new(origin.host().into(), 8189), 7)?;
    relay.to_server().delay(Duration::from_millis(20));
    let publisher = Publisher::start_via(&origin.whip("narrow"), &Kind::BusyClock { codec: "video/H264" }, &relay)?;
    origin.wait_published("narrow")?;
    let reaches = |what: &str, within: Duration, holds: &dyn Fn(f64) -> bool| -> Result<(f64, f64)> {
        let begin = Instant::now();
        publisher.wait(what, within, |_| publisher.target().is_ok_and(holds))?;
        Ok((publisher.target()?, begin.elapsed().as_secs_f64()))
    };
    let (wide, _) = reaches("a megabit on a wide network", PATIENCE, &|bits| bits > 1_000_000.0)?;
    relay.to_server().limit(Some(400));
    let (narrow, down) = reaches("less on a narrow one", PATIENCE, &|bits| bits < 450_000.0)?;
    relay.to_server().limit(None);
    // Chromium's estimate grows by about eight parts in a hundred each second.
    let (again, up) = reaches("more when it is wide again", PATIENCE * 2, &|bits| bits > 800_000.0)?;
    report(&format!(
        "the encoder aims at {:.0} kbit/s, on a network of 400 kbit/s at {:.0} after {down:.0} s, and afterwards at \
         {:.0} after {up:.0} s",
        wide / 1_000.0,
        narrow / 1_000.0,
        again / 1_000.0
    ));
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_browser_behind_a_firewall_publishes_over_tcp() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Publisher::start_without_udp(&origin.whip("tcp"), &CLOCK)?;
    origin.wait_published("tcp")?;
    let mut browser = Browser::play(&origin.whep("tcp"))?;
    browser.wait_frames(150, PATIENCE)?;
    ensure!(publisher.transport()? == "tcp", "the media went over {}", publisher.transport()?);
    let watched = browser.finish()?;
    ensure!(watched.seen().backwards() == 0, "{} frames were shown out of order", watched.seen().backwards());
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}
