//! Browsers behind networks that lose and delay datagrams.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::browser::{Browser, Seen};
use headwater_tests::network::Relay;
use headwater_tests::origin::Origin;
use headwater_tests::source::Source;
use headwater_tests::{report, turn};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_viewer_who_loses_one_datagram_in_twenty_gets_every_picture() -> Result<()> {
    watch_with_loss(50, 0.95)
}

#[test]
fn a_viewer_who_loses_one_datagram_in_ten_gets_nearly_every_picture() -> Result<()> {
    watch_with_loss(100, 0.85)
}

/// Loss in both directions and 50 ms each way; what is lost is asked for and sent again.
///
/// What counts is what can be decoded: how evenly a browser then shows it is its own affair.
fn watch_with_loss(per_mille: u64, decoded_at_least: f64) -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let source = Source { group_seconds: 2.0, ..Source::default() };
    let publisher = source.publish(&origin.rtmp("lossy"))?;
    origin.wait_published("lossy")?;
    let relay = Relay::start(SocketAddr::new(origin.host().into(), 8189), per_mille)?;
    for link in [relay.to_client(), relay.to_server()] {
        link.delay(Duration::from_millis(50));
        link.lose(per_mille);
    }
    let mut browser = Browser::play_via(&origin.whep("lossy"), &relay)?;
    browser.wait_frames(30, PATIENCE)?;
    let decoded = |seen: &Seen<'_>| seen.statistics("video")["framesDecoded"].as_u64().unwrap_or_default();
    let seen = browser.look();
    let (shown_before, decoded_before, lost_before) = (seen.frames(), decoded(&seen), relay.to_client().dropped());
    let time = Duration::from_secs(10);
    browser.settle(time);
    let watched = browser.finish()?;
    let seen = watched.seen();
    let lost = relay.to_client().dropped() - lost_before;
    let sent = time.as_secs_f64() * f64::from(source.rate);
    let (shown, decoded) =
        ((seen.frames() - shown_before) as f64 / sent, (decoded(&seen) - decoded_before) as f64 / sent);
    let video = seen.statistics("video");
    report(&format!(
        "with {per_mille} of 1,000 datagrams lost, {:.0} % of the pictures were decoded, {:.0} % shown; {lost} lost, \
         {} asked for, {} sent again, {} key frames asked for, {} freezes, longest pause {:.0} ms",
        100.0 * decoded,
        100.0 * shown,
        video["nackCount"],
        video["retransmittedPacketsReceived"],
        video["pliCount"],
        video["freezeCount"],
        seen.longest_pause()
    ));
    ensure!(lost > 20, "only {lost} datagrams were lost, so this shows nothing");
    ensure!(decoded > decoded_at_least, "{:.0} % of the pictures were decoded", 100.0 * decoded);
    ensure!(video["retransmittedPacketsReceived"].as_u64() > Some(0), "nothing was sent again");
    publisher.kill();
    origin.stop()?;
    Ok(())
}
