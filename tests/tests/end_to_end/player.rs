//! The player page finds a way to play, says which and why, and goes on when one is lost.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use headwater_tests::narrow::BlackHole;
use headwater_tests::origin::Origin;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, report, scratch, turn};
use serde_json::Value;

use crate::sdk::pages::{Pages, Window};

const DESKTOP: Window = Window { size: (1280, 800), dark: false };
const PHONE: Window = Window { size: (390, 844), dark: true };

/// What the page says of itself once it plays.
const PLAYS: &str = "const { headwater } = window;
    await until(() => `playing, not ${headwater.state} by ${headwater.way}: ${headwater.error?.message}; ${headwater.why}`, () => headwater.state === 'playing' && headwater.player.width, 30000);
    const played = performance.now() / 1000;
    await until('the delay', () => headwater.latency?.measured && headwater.latency.samples > 60, 20000);
    const { way, why, tried, latency, stats } = headwater;
    return { way, why, tried, latency, stats, played, words: document.body.innerText, width: headwater.player.width };";

/// WebRTC as in a network in which all media goes to another address than the server's, over UDP and over TCP.
fn media_goes_to(address: SocketAddr) -> String {
    let (host, port) = (address.ip(), address.port());
    format!(
        "const {{ RTCPeerConnection }} = window;
         const accept = RTCPeerConnection.prototype.setRemoteDescription;
         RTCPeerConnection.prototype.setRemoteDescription = function ({{ type, sdp }}) {{
           return accept.call(this, {{ type, sdp: sdp.replaceAll(/^(a=candidate:.*) \\d+\\.\\d+\\.\\d+\\.\\d+ \\d+ typ/gm, '$1 {host} {port} typ') }});
         }};"
    )
}

fn see(pages: &mut Pages, name: &str) -> Result<()> {
    let file = scratch(&format!("player-{name}.png"))?;
    pages.see("page", &file)?;
    report(&format!("picture of the page: {}", file.display()));
    Ok(())
}

fn tell(name: &str, seen: &Value) {
    report(&format!("{name}: {}; {}; latency {}", seen["way"], seen["why"], seen["latency"]));
}

/// Has the page play first in that way, as its viewer does.
fn choose(pages: &mut Pages, way: &str) -> Result<Value> {
    let choose = format!(
        "const choice = document.querySelector('#way');
         choice.value = '{way}';
         choice.dispatchEvent(new Event('change'));
         await until('another way', () => window.headwater.way === '{way}');"
    );
    pages.run("page", &format!("{choose}{PLAYS}"))
}

fn published(stream: &str) -> Result<(Origin, headwater_tests::program::Program)> {
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp(stream))?;
    origin.wait_published(stream)?;
    Ok((origin, publisher))
}

#[test]
fn the_page_plays_by_webrtc_first_and_by_whatever_its_viewer_chooses() -> Result<()> {
    let _turn = turn();
    let (origin, publisher) = published("ways")?;
    for (name, window) in [("desktop", DESKTOP), ("phone", PHONE)] {
        let mut pages = Pages::strict(&origin.page("/"), window)?;
        pages.open("page", "/play/ways")?;
        let seen = pages.run("page", PLAYS)?;
        tell(name, &seen);
        ensure!(seen["way"] == "webrtc" && seen["tried"] == serde_json::json!([]), "{seen}");
        pages.run("page", "document.querySelector('#statistics-button').click();")?;
        see(&mut pages, &format!("webrtc-{name}"))?;
        for (way, words) in [("wsplayer", "WSPlayer"), ("mse", "MSE"), ("webrtc", "WebRTC over UDP")] {
            let seen = choose(&mut pages, way)?;
            tell(name, &seen);
            ensure!(seen["way"] == way && seen["width"] == 640, "{seen}");
            ensure!(seen["words"].as_str().is_some_and(|found| found.contains(words)), "{seen}");
            ensure!(seen["latency"]["p50"].as_f64() < Some(400.0), "{seen}");
            see(&mut pages, &format!("{way}-{name}"))?;
        }
        ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn by_wsplayer_a_viewer_stays_while_its_publisher_comes_back_with_another_size() -> Result<()> {
    let _turn = turn();
    let (origin, publisher) = published("back")?;
    let mut pages = Pages::strict(&origin.page("/"), DESKTOP)?;
    pages.open("page", "/play/back?by=wsplayer")?;
    let before = pages.run("page", PLAYS)?;
    ensure!(before["width"] == 640, "{before}");
    publisher.kill();
    // The sound has a gap of more than a second, by which it may not be early for good.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let publisher = Source { size: (960, 540), ..Source::default() }.publish(&origin.rtmp("back"))?;
    let after = pages.run(
        "page",
        "const { headwater } = window;
         await until('the other size', () => headwater.player.width === 960 && headwater.state === 'playing', 20000);
         const { stats } = headwater;
         await until('it goes on', () => headwater.stats.video.framesDecoded > stats.video.framesDecoded + 60);
         const late = () => headwater.latency?.measured ? headwater.latency.ms : Infinity;
         await until(() => `the delay of before, not ${late()} ms`, () => late() < 450);
         return { sessions: headwater.sessions, latency: headwater.latency, canvas: [headwater.player.element.width, headwater.player.element.height] };",
    )?;
    report(&format!("back with another size: {after}"));
    ensure!(after["sessions"] == 1 && after["canvas"] == serde_json::json!([960, 540]), "{after}");
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn by_hls_a_viewer_winds_back_and_comes_back_to_the_live_edge() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, publisher) = published("wound")?;
    let mut pages = Pages::strict(&origin.page("/"), PHONE)?;
    pages.open("page", "/play/wound?by=hls")?;
    let seen = pages.run("page", PLAYS)?;
    tell("hls", &seen);
    ensure!(seen["way"] == "hls" && seen["latency"]["p50"].as_f64() < Some(4_000.0), "{seen}");
    pages
        .run("page", "await until('a bar to wind back with', () => !document.querySelector('#seek').hidden, 35000);")?;
    let wound = pages.run(
        "page",
        "const bar = document.querySelector('#seek');
         if (document.querySelector('#fullscreen').getBoundingClientRect().right > innerWidth) throw new Error('the controls do not fit');
         bar.value = -15;
         bar.dispatchEvent(new Event('input'));
         const { player } = window.headwater;
         await until('what was before', () => player.window.behind > 12 && !player.element.seeking && player.element.readyState > 2);
         const at = player.element.currentTime;
         await until('it goes on there', () => player.element.currentTime > at + 1);
         return [player.window, document.querySelector('#live').innerText];",
    )?;
    ensure!(wound[1].as_str().is_some_and(|text| text.starts_with('\u{2212}')), "{wound}");
    // The controls leave a picture that plays to itself.
    pages.run("page", "document.querySelector('#stage').dispatchEvent(new Event('pointermove'));")?;
    see(&mut pages, "wound")?;
    pages.click("page", "#live")?;
    let live = pages.run(
        "page",
        "const { player } = window.headwater;
         await until('the live edge', () => player.window.behind < 8 && player.element.readyState > 2);
         const at = player.element.currentTime;
         await until('it goes on there', () => player.element.currentTime > at + 1);
         return player.window;",
    )?;
    report(&format!("wound back to {}, then live: {live}", wound[0]));
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// Plays by MSE what WebRTC could not get to the viewer, and tells after how many seconds.
fn falls_to_mse(origin: &Origin, media: SocketAddr) -> Result<f64> {
    let mut pages = Pages::strict(&origin.page("/"), DESKTOP)?;
    pages.open("page", "/healthz")?;
    pages.before("page", &media_goes_to(media))?;
    pages.open("page", "/play/blocked")?;
    let seen = pages.run("page", PLAYS)?;
    tell("blocked", &seen);
    ensure!(seen["way"] == "mse", "{seen}");
    ensure!(seen["tried"][0]["way"] == "webrtc" && seen["tried"][0]["code"] == "blocked", "{seen}");
    ensure!(seen["why"].as_str().is_some_and(|why| why.starts_with("By MSE, since WebRTC did not")), "{seen}");
    see(&mut pages, "blocked")?;
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    seen["played"].as_f64().context("no time")
}

#[test]
fn a_viewer_whose_network_refuses_webrtc_sees_the_stream_all_the_same() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, publisher) = published("blocked")?;
    let after = falls_to_mse(&origin, "127.0.0.1:9".parse()?)?;
    report(&format!("MSE {after:.1} s after the page was opened, where WebRTC is refused"));
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// A packet filter that drops gives no sign: only the time that passes tells.
#[test]
fn a_viewer_whose_network_swallows_webrtc_sees_the_stream_after_a_few_seconds() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, publisher) = published("blocked")?;
    let hole = BlackHole::open(origin.host().into())?;
    let after = falls_to_mse(&origin, hole.address())?;
    report(&format!("MSE {after:.1} s after the page was opened, where WebRTC is swallowed"));
    ensure!(hole.swallowed() > 0, "the browser never tried");
    // The player gives WebRTC six seconds; the rest is for MSE, and for a slow machine.
    ensure!(after > 5.0 && after < 25.0, "{after}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}
