//! The pages that show the SDK, as a visitor uses them: on a desktop and on a phone, in light and in dark colours.

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::{heavy_turn, report, scratch};

use super::pages::{Pages, Window};

const DESK: Window = Window { size: (1280, 860), dark: false };
const PHONE: Window = Window { size: (360, 740), dark: true };

/// Nothing is wider than the window, and everything that can be used has a name and can be reached by keyboard.
const IS_USABLE: &str = "
    const wide = document.documentElement.scrollWidth > innerWidth;
    const shown = [...document.querySelectorAll('button, input, select, a')].filter((one) => one.offsetParent && !one.disabled);
    const nameless = shown.filter((one) => !(one.getAttribute('aria-label') || one.labels?.length || one.textContent.trim()));
    const skipped = shown.filter((one) => one.tabIndex < 0);
    const small = shown.filter((one) => one.matches('button, input:not([type=checkbox]), select') && one.offsetHeight < 40);
    return [wide && 'too wide', ...nameless, ...skipped, ...small].filter(Boolean).map((one) => one.outerHTML ?? one);";

fn is_usable(pages: &mut Pages, page: &str) -> Result<()> {
    let found = pages.run(page, IS_USABLE)?;
    ensure!(found == serde_json::json!([]), "page {page}: {found}");
    Ok(())
}

fn keep_picture(pages: &mut Pages, page: &str) -> Result<()> {
    let file = scratch(&format!("{page}.png"))?;
    pages.see(page, &file)?;
    report(&format!("picture of the page {page}: {}", file.display()));
    Ok(())
}

/// Waits until a part of the page is in that state.
fn state(id: &str, state: &str) -> String {
    format!("await until('{state}', () => document.getElementById('{id}').dataset.state === '{state}');")
}

#[test]
fn a_visitor_publishes_and_plays_on_one_page() -> Result<()> {
    let _turn = heavy_turn();
    for window in [DESK, PHONE] {
        let origin = Origin::start()?;
        let mut pages = Pages::strict(&origin.page("/"), window)?;
        pages.open("two-way", "/two-way?name=both")?;
        is_usable(&mut pages, "two-way")?;
        pages.click("two-way", "#play")?;
        pages.click("two-way", "#publish")?;
        pages.run("two-way", &state("publisher", "publishing"))?;
        pages.run("two-way", &state("player", "playing"))?;
        pages.run(
            "two-way",
            "const seen = count(document.getElementById('theirs')); await until('pictures', () => seen.frames > 20);
             await until('numbers', () => document.querySelector('#player .numbers').textContent.includes('H264'));",
        )?;
        pages.click("two-way", "#mute-camera")?;
        pages.run("two-way", "await until('black', () => light(document.getElementById('theirs')) < 12);")?;
        pages.click("two-way", "#mute-camera")?;
        is_usable(&mut pages, "two-way")?;
        keep_picture(&mut pages, "two-way")?;
        pages.click("two-way", "#publish")?;
        pages.run("two-way", &state("publisher", "stopped"))?;
        origin.wait_empty()?;
        // The viewer waits for the stream; the server's word that there is none is an error to the console alone.
        let unexpected = |complaint: &&String| !complaint.contains("404");
        ensure!(pages.complaints().iter().all(|one| !unexpected(&one)), "{:?}", pages.complaints());
        origin.stop()?;
    }
    Ok(())
}

#[test]
fn a_canvas_and_a_screen_are_published_from_their_pages() -> Result<()> {
    let _turn = heavy_turn();
    for window in [DESK, PHONE] {
        let origin = Origin::start()?;
        let mut pages = Pages::strict(&origin.page("/"), window)?;
        for (page, button, name) in [("canvas", "#publish", "my-canvas"), ("screen", "#share", "my-screen")] {
            pages.open(page, &format!("/{page}"))?;
            is_usable(&mut pages, page)?;
            pages.click(page, button)?;
            pages.run(page, &state("publisher", "publishing"))?;
            origin.wait_published(name)?;
            is_usable(&mut pages, page)?;
            keep_picture(&mut pages, page)?;
        }
        // What the canvas draws has the clock from which the player page reads the true delay.
        pages.open("watch", "/play/my-canvas")?;
        pages.run("watch", "await until('the delay', () => window.headwater.latency?.measured, 20000);")?;
        for (page, button) in [("canvas", "#publish"), ("screen", "#share")] {
            pages.click(page, button)?;
            pages.run(page, &state("publisher", "stopped"))?;
        }
        origin.wait_empty()?;
        origin.stop()?;
    }
    Ok(())
}

#[test]
fn the_example_player_plays_or_says_where_else_to() -> Result<()> {
    let _turn = heavy_turn();
    for window in [DESK, PHONE] {
        let origin = Origin::with(&[], &["--demo"])?;
        origin.wait_published("demo")?;
        let mut pages = Pages::strict(&origin.page("/"), window)?;
        pages.open("player", "/player")?;
        is_usable(&mut pages, "player")?;
        pages.run("player", "await until('a name', () => document.getElementById('name').value === 'demo');")?;
        pages.click("player", "#play")?;
        pages.run("player", &state("player", "playing"))?;
        pages.run(
            "player",
            "await until('quality', () => document.querySelector('.health').textContent.includes('Connection'));",
        )?;
        keep_picture(&mut pages, "player")?;
        pages.click("player", "#play")?;
        let told = pages.run(
            "player",
            "const list = document.getElementById('technology'); list.value = 'rtmp'; list.dispatchEvent(new Event('input'));
             return document.getElementById('address').textContent;",
        )?;
        ensure!(told == format!("rtmp://{}/live/demo", origin.host()), "{told}");
        pages.fill("player", "#name", "nobody")?;
        ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());

        pages.open("list", "/")?;
        let links = pages
            .run("list", "return [...document.querySelectorAll('.try')].map((one) => one.getAttribute('href'));")?;
        ensure!(links == serde_json::json!(["/two-way", "/screen", "/canvas", "/player"]), "{links}");
        is_usable(&mut pages, "list")?;
        origin.stop()?;
    }
    Ok(())
}
