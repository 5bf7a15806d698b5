//! A viewer whose network becomes narrow gets a smaller picture soon, and a larger one when it is wide again.

use anyhow::{Result, ensure};
use headwater_tests::narrow::Narrow;
use headwater_tests::origin::Origin;
use headwater_tests::{report, turn};
use serde_json::Value;

use super::renditions::{INDEX, publish};
use crate::sdk::pages::Pages;

/// What carries all sizes, and what carries the smallest with its sound, in kilobits in a second.
const WIDE: u64 = 5_000;
const NARROW: u64 = 500;

/// The best that is seen within a time that grows with each look, and how long it took.
const WIDTH: &str = "const size = async (what, is) => {
      const begin = performance.now();
      await until(() => `${what}, not ${video.videoWidth}: ${JSON.stringify([told(), errors])}`, () => video.videoWidth && is(video.videoWidth), 30000);
      return (performance.now() - begin) / 1000;
    };";

/// A page that sees sizes through a network, by the player that the script makes; the script says in `told()` what the
/// player thinks of the network, in bits in a second.
fn watch(network: &Narrow, begin: &str) -> Result<Pages> {
    let mut pages = Pages::of(&network.page("/"))?;
    pages.open("eve", "/healthz")?;
    pages.script("eve", "hls.js")?;
    pages.run(
        "eve",
        &format!(
            "document.body.innerHTML = '<video id=video style=\"width:640px;height:360px\"></video>';
             window.errors = [];
             {begin}
             await video.play();
             window.frozen = 0;
             window.shown = 0;
             const see = (now) => {{
               if (shown) frozen = Math.max(frozen, now - shown);
               shown = now;
               video.requestVideoFrameCallback(see);
             }};
             video.requestVideoFrameCallback(see);"
        ),
    )?;
    Ok(pages)
}

/// Narrows the network and widens it again; yields what was seen.
fn turn_by_network(network: &Narrow, pages: &mut Pages) -> Result<Value> {
    let wide = pages.run(
        "eve",
        &format!(
            "{WIDTH} await size('the largest', (width) => width === 960);
             // What is measured holds what came before there was a picture for some seconds.
             const at = video.currentTime;
             await until('it plays', () => video.currentTime > at + 4, 30000);
             frozen = 0;
             return told() / 1000;"
        ),
    )?;
    network.set(NARROW);
    let narrow = pages.run(
        "eve",
        &format!(
            "{WIDTH} const after = await size('a smaller one', (width) => width < 960);
             const at = video.currentTime;
             await until(() => `it plays on: ${{video.currentTime - at}}`, () => video.currentTime > at + 4, 30000);
             const seen = {{ after, frozen: frozen / 1000, thought: told() / 1000, width: video.videoWidth }};
             return seen;"
        ),
    )?;
    network.set(WIDE);
    let width = narrow["width"].clone();
    let again = pages.run(
        "eve",
        &format!("{WIDTH} return [await size('a larger one', (width) => width > {width}), video.videoWidth, errors];"),
    )?;
    Ok(serde_json::json!({ "wide": wide, "narrow": narrow, "again": again }))
}

fn check(name: &str, seen: &Value) -> Result<()> {
    report(&format!("{name} from {WIDE} kbit/s to {NARROW} and back: {seen}"));
    let narrow = &seen["narrow"];
    ensure!(narrow["after"].as_f64() < Some(12.0) && narrow["frozen"].as_f64() < Some(6.0), "{name}: {seen}");
    ensure!(seen["again"][2].as_array().is_some_and(Vec::is_empty), "{name}: {seen}");
    Ok(())
}

#[test]
fn the_own_reader_turns_to_a_size_that_its_network_carries() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = publish(&origin)?;
    let network = Narrow::start(origin.http().parse()?, WIDE)?;
    let begin = format!(
        "const {{ HlsReader }} = await import('/assets/sdk/hls.js');
         const address = new URL('{INDEX}', location.href).href;
         window.reader = new HlsReader(video);
         window.told = () => reader.rate;
         reader.onlost = (error) => errors.push(`${{error.code}}: ${{error.message}}`);
         await reader.start(address, await (await fetch(address)).text());"
    );
    let mut pages = watch(&network, &begin)?;
    let seen = turn_by_network(&network, &mut pages)?;
    check("the own reader", &seen)?;
    // The sound is a rendition of its own.
    pages.script("eve", "canvas.js")?;
    let heard = pages.run(
        "eve",
        "const context = new AudioContext({ sampleRate: 48000 });
         const sound = context.createMediaElementSource(video);
         sound.connect(context.destination);
         const seen = watchCanvas(video, sound);
         await until('flashes and beeps', () => seen.flashes.length > 5 && seen.beeps.length > 5, 25000);
         return sumUp(seen);",
    )?;
    report(&format!("its sound after the picture: {} ms; {}", heard["sync"], heard["offsets"]));
    ensure!(heard["sync"].as_f64().is_some_and(|sync| sync.abs() < 120.0), "{heard}");
    // What comes out of the browser's store, or waits in the server, tells nothing of the network.
    let (wide, narrow) = (seen["wide"].as_f64(), seen["narrow"]["thought"].as_f64());
    ensure!(wide < Some(1.3 * WIDE as f64) && narrow < Some(2.0 * NARROW as f64), "{seen}");
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn hls_js_turns_to_a_size_that_its_network_carries() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = publish(&origin)?;
    let network = Narrow::start(origin.http().parse()?, WIDE)?;
    let begin = format!(
        "window.player = new Hls({{ lowLatencyMode: true }});
         window.told = () => player.bandwidthEstimate;
         player.on(Hls.Events.ERROR, (_, {{ details, fatal }}) => fatal && errors.push(details));
         player.loadSource('{INDEX}');
         player.attachMedia(video);
         await new Promise((done) => player.on(Hls.Events.MANIFEST_PARSED, done));"
    );
    let mut pages = watch(&network, &begin)?;
    check("hls.js", &turn_by_network(&network, &mut pages)?)?;
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}
