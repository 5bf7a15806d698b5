//! The Console, in a browser, before two real servers.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::{Origin, free_address};
use headwater_tests::program::Program;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, report, scratch, tools};
use serde_json::Value;

use crate::cluster::node_at;
use crate::sdk::pages::{Pages, Window};

pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const DESKTOP: Window = Window { size: (1280, 860), dark: false };
pub(crate) const PHONE: Window = Window { size: (380, 760), dark: true };
pub(crate) const PASSWORD: &str = "heron in the reeds";
pub(crate) const KEY: &str = "in-key-2207";
/// What a browser itself says of answers that are no faults: credentials that are wrong, and lists that are empty.
const ANSWERS: [&str; 2] = ["the server responded with a status of 401", "the server responded with a status of 404"];

/// The hash that `origin --hash-password` makes.
pub(crate) fn hash(password: &str) -> Result<String> {
    let mut made = Program::start("origin", Command::new(tools::origin()?).arg("--hash-password"))?;
    made.say(password)?;
    Ok(String::from_utf8(made.succeed(SOON)?.output)?.trim().to_owned())
}

/// An origin and an edge that know the same users.
fn pair() -> Result<(Origin, Origin)> {
    let hash = hash(PASSWORD)?;
    let users = format!(r#"["anna:operator:{hash}", "ben:viewer:{hash}"]"#);
    let stream_keys = format!(r#"["publish:**:{KEY}"]"#);
    let keys =
        [("ACCESS__USERS", users.as_str()), ("ACCESS__STREAM_KEYS", &stream_keys), ("RELAY__ALLOW", "127.0.0.0/8")];
    let origin = node_at(free_address()?, "origin", None, &keys)?;
    let edge = node_at(free_address()?, "edge", Some(&origin), &keys)?;
    Ok((origin, edge))
}

/// Scripts broke no rule of the page, and none of them failed.
pub(crate) fn no_complaints(pages: &Pages) -> Result<()> {
    let is_fault = |words: &&String| !ANSWERS.iter().any(|answer| words.contains(answer));
    let faults: Vec<_> = pages.complaints().iter().filter(is_fault).collect();
    ensure!(faults.is_empty(), "{faults:?}");
    Ok(())
}

pub(crate) fn open(pages: &mut Pages, address: &str) -> Result<()> {
    pages.run("page", &format!("location.hash = '{address}'; await new Promise((done) => setTimeout(done));")).map(drop)
}

pub(crate) fn sign_in(pages: &mut Pages, name: &str, password: &str) -> Result<()> {
    pages.fill("page", "#user", name)?;
    pages.fill("page", "#password", password)?;
    pages.click("page", "#sign-in button")
}

/// Waits for a condition of the page that a script tells.
pub(crate) fn wait(pages: &mut Pages, what: &str, condition: &str) -> Result<Value> {
    let script = format!(
        "return await until(() => '{what}; the page says: ' + document.body.innerText.slice(0, 1500), () => {condition}, 25000);"
    );
    pages.run("page", &script)
}

/// Keeps a picture of the page, which must fit into its window.
pub(crate) fn see(pages: &mut Pages, name: &str) -> Result<()> {
    let wide = pages.run(
        "page",
        "const outside = [...document.querySelectorAll('main *, header *')].filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1);
         return document.documentElement.scrollWidth > innerWidth ? outside.map((one) => one.outerHTML.slice(0, 200)).slice(0, 5).join('\\n') || 'something' : '';",
    )?;
    ensure!(wide == "", "{name} is wider than its window: {wide}");
    let file = scratch(&format!("console-{name}.png"))?;
    pages.see("page", &file)?;
    report(&format!("picture of the Console, {name}: {}", file.display()));
    Ok(())
}

#[test]
fn an_operator_runs_two_servers_from_one_page() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, edge) = pair()?;
    let (origin_id, edge_id) = (format!("origin-{}", origin.host()), format!("edge-{}", edge.host()));
    let mut pages = Pages::strict(&edge.page("/"), DESKTOP)?;
    pages.open("page", "/console")?;
    wait(&mut pages, "a form to sign in", "document.body.dataset.state === 'sign-in'")?;
    see(&mut pages, "sign-in")?;
    sign_in(&mut pages, "anna", "a guess")?;
    wait(&mut pages, "a refusal", "document.querySelector('#wrong').checkVisibility()")?;
    sign_in(&mut pages, "anna", PASSWORD)?;
    wait(&mut pages, "it is let in", "document.body.dataset.state === 'ready'")?;
    let kept = pages.run("page", "return [location.href, JSON.stringify(localStorage), document.cookie].join();")?;
    ensure!(!kept.as_str().unwrap_or_default().contains("heron") && !kept.to_string().contains("Basic"), "{kept}");

    // Each server's own figures, of the other by way of this one.
    let both = format!(
        "['{origin_id}', '{edge_id}'].every((id) => {{
           const card = document.querySelector(`[data-server=\"${{id}}\"]`);
           return card?.dataset.active === 'true' && /Memory\\s*\\d+ MB/.test(card.innerText) && /CPU\\s*[\\d.]+ %/.test(card.innerText);
         }})"
    );
    wait(&mut pages, "both servers with their figures", &both)?;
    let publisher = Source::default().publish(&origin.rtmp(&format!("cam?key={KEY}")))?;

    // A stream of the other server, with its size.
    open(&mut pages, &format!("#/streams?on={origin_id}"))?;
    wait(&mut pages, "the stream", "/cam[^]*640×360/.test(document.querySelector('table').innerText)")?;
    see(&mut pages, "streams")?;

    // Fetched by the form, from the origin to the edge.
    open(&mut pages, "#/relays")?;
    wait(&mut pages, "the form", "document.querySelector('form.form')")?;
    pages.fill("page", "[name=url]", &origin.rtmp("cam"))?;
    pages.fill("page", "[name=local]", "fetched")?;
    pages.click("page", "form.form [type=submit]")?;
    wait(&mut pages, "the pull flows", "/fetched[^]*Flows/.test(document.querySelector('table').innerText)")?;
    see(&mut pages, "relays")?;
    open(&mut pages, "#/streams/fetched")?;
    wait(&mut pages, "the stream that was fetched", "/Live/.test(document.querySelector('#page h1')?.innerText)")?;
    plays(&mut pages)?;

    // The way of a stream that the edge fetches for this page's own player.
    open(&mut pages, "#/streams/cam")?;
    plays(&mut pages)?;
    let hops = format!(
        "[...document.querySelectorAll('.hop')].map((hop) => hop.dataset.node).join() === '{origin_id},{edge_id}' && /\\d lost|% lost/.test(document.querySelector('.way')?.innerText)"
    );
    wait(&mut pages, "the way with its figures", &hops)?;
    wait(&mut pages, "the viewer, by protocol", "/WebRTC\\s*1/.test(document.querySelector('.split')?.innerText)")?;
    see(&mut pages, "stream")?;

    // What was begun here is stopped here.
    open(&mut pages, "#/relays")?;
    wait(&mut pages, "the pull", "document.querySelector('[aria-label=\"Stop fetched\"]')")?;
    pages.click("page", "[aria-label=\"Stop fetched\"]")?;
    pages.click("page", "dialog [data-answer=yes]")?;
    wait(&mut pages, "no pull", "!document.querySelector('[aria-label=\"Stop fetched\"]')")?;

    // A question comes before an end, and Escape says no.
    open(&mut pages, &format!("#/streams?on={origin_id}"))?;
    wait(&mut pages, "the stream", "document.querySelector('[aria-label=\"End cam\"]')")?;
    pages.click("page", "[aria-label=\"End cam\"]")?;
    pages.click("page", "dialog [data-answer=no]")?;
    wait(
        &mut pages,
        "it is still there",
        "!document.querySelector('dialog') && document.querySelector('[aria-label=\"End cam\"]')",
    )?;
    pages.click("page", "[aria-label=\"End cam\"]")?;
    see(&mut pages, "question")?;
    pages.click("page", "dialog [data-answer=yes]")?;
    publisher.wait(SOON).context("ffmpeg goes on")?;
    wait(&mut pages, "no stream", "!document.querySelector('[aria-label=\"End cam\"]')")?;
    no_complaints(&pages)?;
    drop(pages);
    origin.stop()?;
    edge.stop()?;
    Ok(())
}

/// Plays the stream of the page in its small player.
fn plays(pages: &mut Pages) -> Result<()> {
    wait(pages, "the button", "[...document.querySelectorAll('button')].find((one) => one.innerText === 'Preview')")?;
    pages
        .run("page", "[...document.querySelectorAll('button')].find((one) => one.innerText === 'Preview').click();")?;
    let moves =
        "{ const video = document.querySelector('video'); return video?.videoWidth === 640 && video.currentTime > 1; }";
    wait(pages, "pictures", &format!("(() => {moves})()")).map(drop)
}

#[test]
fn who_only_looks_is_shown_no_buttons_and_a_phone_shows_all_of_it() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, edge) = pair()?;
    let origin_id = format!("origin-{}", origin.host());
    let _publisher = Source { b_frames: 2, profile: headwater_tests::source::Profile::Main, ..Source::default() }
        .publish(&origin.rtmp(&format!("a-long-name/of-a-stream/in-the-north-hall?key={KEY}")))?;
    let mut pages = Pages::strict(&origin.page("/"), PHONE)?;
    pages.open("page", "/console")?;
    sign_in(&mut pages, "ben", PASSWORD)?;
    wait(&mut pages, "both servers", "document.querySelectorAll('.server[data-active=true] .area[d^=M]').length >= 3")?;
    see(&mut pages, "phone-servers")?;
    open(&mut pages, "#/streams")?;
    wait(&mut pages, "the stream", "/640×360/.test(document.querySelector('table').innerText)")?;
    ensure!(pages.run("page", "return document.querySelector('[aria-label^=\"End \"]') === null;")? == true);
    see(&mut pages, "phone-streams")?;
    pages.click("page", "a.name")?;
    plays(&mut pages)?;
    wait(
        &mut pages,
        "its viewer and charts",
        "document.querySelector('.split b') && document.querySelector('.chart .line')?.getAttribute('d').includes('L')",
    )?;
    see(&mut pages, "phone-stream")?;
    for page in ["sessions", "relays"] {
        open(&mut pages, &format!("#/{page}?on={origin_id}"))?;
        wait(&mut pages, page, "document.querySelector('#page h1') && !document.querySelector('form.form')")?;
        see(&mut pages, &format!("phone-{page}"))?;
    }

    // A server that does not answer is told of, and that it does again.
    open(&mut pages, "#/servers")?;
    origin.freeze()?;
    wait(&mut pages, "that it is lost", "document.querySelector('#lost').checkVisibility()")?;
    see(&mut pages, "phone-lost")?;
    origin.thaw()?;
    wait(&mut pages, "that it is back", "!document.querySelector('#lost').checkVisibility()")?;
    // A reload leaves whoever signed in where they were; signing out does not.
    pages.open("page", "/console")?;
    wait(&mut pages, "it is still let in", "document.body.dataset.state === 'ready'")?;
    pages.click("page", "#sign-out")?;
    pages.open("page", "/console")?;
    wait(&mut pages, "it is let in no more", "document.body.dataset.state === 'sign-in'")?;
    drop(pages);
    edge.kill();
    origin.kill();
    Ok(())
}

#[test]
fn a_server_that_knows_nobody_shows_itself_on_its_own_machine() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut pages = Pages::strict(&origin.page("/"), Window { dark: true, ..DESKTOP })?;
    pages.open("page", "/console")?;
    wait(&mut pages, "its card", "/this server/.test(document.querySelector('.server')?.innerText)")?;
    see(&mut pages, "dark-alone")?;
    for index in 0..3 {
        pages.run("page", &format!("document.querySelectorAll('#tabs a')[{index}].focus();"))?;
    }
    open(&mut pages, "#/sessions")?;
    wait(&mut pages, "the list", "/Nobody watches/.test(document.body.innerText)")?;
    no_complaints(&pages)?;
    drop(pages);
    origin.stop()?;
    Ok(())
}
