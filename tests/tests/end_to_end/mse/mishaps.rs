//! Publishers that are browsers, and those that come back; viewers that take nothing for a while.

use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::source::{Profile, Source};
use headwater_tests::{heavy_turn, report, turn};
use serde_json::Value;

use crate::sdk::pages::Pages;

/// Plays a stream in a page named `eve`; resolves when it is seen.
fn begin(pages: &mut Pages, name: &str) -> Result<()> {
    pages.open("eve", "/healthz")?;
    let script = format!(
        "const {{ MsePlayer }} = await import('/assets/sdk/mse.js');
         document.body.innerHTML = '<video id=video style=\"width:640px;height:360px\"></video>';
         window.player = new MsePlayer({{ base: '/', name: '{name}', video }});
         window.events = [];
         for (const type of ['lost', 'blocked']) player.addEventListener(type, ({{ detail }}) => events.push([type, detail?.code, detail?.message]));
         await player.start();"
    );
    pages.run("eve", &script).map(drop)
}

/// Pictures shown within some seconds, how often the browser was found with nothing to play, and what else there is to
/// be told.
fn watch(pages: &mut Pages, seconds: u32) -> Result<Value> {
    let script = format!(
        "const seen = Object.assign(count(video), {{ bare: 0 }});
         const look = setInterval(() => seen.bare += video.buffered.length ? 0 : 1, 50);
         await new Promise((done) => setTimeout(done, {seconds}000));
         clearInterval(look);
         return {{ ...seen, stats: await player.stats(), tracks: player.tracks, width: video.videoWidth, events }};"
    );
    pages.run("eve", &script)
}

#[test]
fn a_page_plays_by_mse_what_a_browser_publishes() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut publisher = Pages::of(&origin.page("/"))?;
    publisher.empty("bob")?;
    publisher.run("bob", "window.stream = sdk.createSession().createStream({ name: 'camera', source: 'camera', codecs: ['H264'] }); await stream.publish();")?;
    origin.wait_published("camera")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, "camera")?;
    // Longer than the browser keeps: a camera begins a group only when it is asked to, and groups go as a whole.
    let seen = watch(&mut pages, 25)?;
    report(&format!("MSE of a browser's camera: {} pictures in 25 s; {}", seen["frames"], seen["stats"]["edge"]));
    ensure!(seen["frames"].as_u64() > Some(375), "{seen}");
    ensure!(seen["bare"] == 0 && seen["stats"]["edge"]["aheadMs"].as_f64() > Some(0.0), "{seen}");
    let formats: Vec<_> =
        seen["tracks"].as_array().into_iter().flatten().map(|track| track["format"].as_str()).collect();
    ensure!(formats == [Some("H264"), Some("opus")], "{seen}");
    ensure!(seen["events"] == serde_json::json!([]), "{seen}");
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_goes_on_when_the_publisher_comes_back_with_another_size() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let first = Source::default().publish(&origin.rtmp("again"))?;
    origin.wait_published("again")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, "again")?;
    ensure!(watch(&mut pages, 3)?["width"] == 640);
    first.kill();
    let other = Source { size: (320, 180), profile: Profile::High, sample_rate: 44_100, ..Source::default() };
    let second = other.publish(&origin.rtmp("again"))?;
    pages.run("eve", "await until(() => `another size than ${video.videoWidth}: ${JSON.stringify(events)}`, () => video.videoWidth === 320, 20000);")?;
    let seen = watch(&mut pages, 5)?;
    report(&format!("MSE after another publisher: {} pictures in 5 s; {}", seen["frames"], seen["stats"]["edge"]));
    ensure!(seen["frames"].as_u64() > Some(100) && seen["events"] == serde_json::json!([]), "{seen}");
    second.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_that_was_asleep_goes_on_at_the_live_edge() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Source { kilobits: 4_000, ..Source::default() }.publish(&origin.rtmp("sleepy"))?;
    origin.wait_published("sleepy")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, "sleepy")?;
    watch(&mut pages, 2)?;
    pages.run("eve", "const end = performance.now() + 8000; while (performance.now() < end);")?;
    std::thread::sleep(Duration::from_secs(2));
    let seen = watch(&mut pages, 5)?;
    report(&format!("MSE after 8 s of sleep: {} pictures in 5 s; {}", seen["frames"], seen["stats"]["edge"]));
    ensure!(seen["frames"].as_u64() > Some(100) && seen["events"] == serde_json::json!([]), "{seen}");
    ensure!(seen["stats"]["edge"]["aheadMs"].as_f64() < Some(600.0), "{seen}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}
