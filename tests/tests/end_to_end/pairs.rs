//! Every way in meets every way out: the Web SDK, the Web SDK of WCS, and plain WHIP and WHEP, from page to page.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::{heavy_turn, report};
use serde_json::Value;

use crate::sdk::pages::Pages;

/// By what a page speaks with the server: `ways.js` knows these.
const WAYS: [&str; 3] = ["session", "wcs", "http"];
/// Changing pictures that each viewer has to see.
const PICTURES: u64 = 25;

/// Opens a page in which all ways can be gone; the plain one with this client.
pub(crate) fn open(pages: &mut Pages, page: &str, client: &str) -> Result<()> {
    pages.open(page, "/healthz")?;
    // The page is text; what shows the video needs a size to be drawn.
    pages.run(page, "document.body.innerHTML = ''; document.body.style = 'width:640px;height:360px';")?;
    for script in ["ways.js", "@flashphoner/websdk", client] {
        pages.script(page, script)?;
    }
    Ok(())
}

/// One page publishes by that way in that codec; three others play it at once, each by a way of its own.
fn publish_to_all(pages: &mut Pages, way: &str, codec: &str) -> Result<()> {
    let name = format!("{way}-{codec}");
    open(pages, "sender", "sender.js")?;
    for viewer in WAYS {
        open(pages, viewer, "observe.js")?;
    }
    pages.run("sender", &format!("await ways.publish('{way}', '{name}', '{codec}');"))?;
    for viewer in WAYS {
        let pair = || format!("{codec} by {way} to {viewer}");
        pages.run(viewer, &format!("await ways.play('{viewer}', '{name}');")).with_context(pair)?;
    }
    for viewer in WAYS {
        let pair = format!("{codec} by {way} to {viewer}");
        pages.front(viewer)?;
        let seen = pages.run(viewer, &format!("return ways.arrives({PICTURES});")).with_context(|| pair.clone())?;
        report(&format!("{pair}: {seen}"));
        is_right(&seen, codec).with_context(|| pair.clone())?;
        pages.run(viewer, "await ways.stop();").with_context(|| pair)?;
    }
    pages.run("sender", "await ways.stop();").with_context(|| format!("{way} stops"))?;
    Ok(())
}

/// Whether a viewer has seen what it should.
pub(crate) fn is_right(seen: &Value, codec: &str) -> Result<()> {
    ensure!(seen["video"]["codec"] == format!("video/{codec}"), "another codec: {seen}");
    ensure!(seen["audio"]["codec"] == "audio/opus", "another codec of the sound: {seen}");
    ensure!(seen["video"]["decoded"].as_u64() >= Some(PICTURES), "too little was decoded: {seen}");
    ensure!(seen["width"].as_u64() >= Some(320) && seen["height"].as_u64() >= Some(180), "no size: {seen}");
    ensure!(seen["light"].as_f64() > Some(20.0), "the picture is black: {seen}");
    Ok(())
}

#[test]
fn what_is_published_by_any_way_is_played_by_every_way() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "500")])?;
    let before = origin.held()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    let begun = Instant::now();
    for codec in ["H264", "VP8"] {
        for way in WAYS {
            publish_to_all(&mut pages, way, codec)?;
            origin.wait_empty()?;
        }
    }
    report(&format!("eighteen pairs took {:.0} s", begun.elapsed().as_secs_f64()));
    drop(pages);
    origin.wait_baseline(&before)?;
    origin.stop()?;
    Ok(())
}
