//! A source that stops sending its largest picture, as browsers do when their network narrows, and sends it again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::{http, report, turn};

use super::renditions::{INDEX, publish};
use super::{PATIENCE, beside, fetch};
use crate::sdk::pages::Pages;

/// A request is held for three target durations where nothing comes; players must not wait that long.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// The heights that the playlist of all renditions offers.
fn offered(origin: &Origin) -> Result<Vec<u32>> {
    let index = fetch(origin, INDEX)?.body;
    let sizes = index.lines().filter_map(|line| line.split("RESOLUTION=").nth(1)?.split(',').next());
    Ok(sizes.filter_map(|size| size.split('x').nth(1)?.parse().ok()).collect())
}

/// Plays by hls.js in a page until it shows the largest size.
fn play(origin: &Origin) -> Result<Pages> {
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.open("eve", "/healthz")?;
    pages.script("eve", "hls.js")?;
    let script = format!(
        "document.body.innerHTML = '<video id=video muted></video>';
         window.player = new Hls({{ lowLatencyMode: true, abrEwmaDefaultEstimate: 5e7 }});
         window.errors = [];
         player.on(Hls.Events.ERROR, (_, {{ details, fatal, response }}) => errors.push(`${{details}} ${{fatal}} ${{response?.code}}`));
         player.loadSource('{INDEX}');
         player.attachMedia(video);
         await new Promise((done) => player.on(Hls.Events.MANIFEST_PARSED, done));
         await video.play();
         window.seen = count(video);
         await until(() => `the largest size: ${{errors}} ${{video.videoHeight}}`, () => video.videoHeight === 540 && seen.frames > 60);
         errors.length = 0;"
    );
    pages.run("eve", &script)?;
    Ok(pages)
}

#[test]
fn players_go_to_another_size_when_theirs_is_sent_no_more_and_it_is_offered_again_when_it_comes() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let mut publisher = publish(&origin)?;
    fetch(&origin, INDEX)?;
    ensure!(offered(&origin)?.first() == Some(&540), "{:?}", offered(&origin));
    let index = fetch(&origin, INDEX)?.body;
    let largest = index.lines().find(|line| !line.starts_with('#')).context("no variant")?;
    let largest = beside(INDEX, largest);
    let mut pages = play(&origin)?;

    publisher.pause("f")?;
    let paused = Instant::now();
    until("its playlist is gone", PATIENCE, || {
        http::get(&origin.http(), &largest).is_ok_and(|gone| gone.status == 404)
    })?;
    let told = paused.elapsed();
    ensure!(told < TOLD_WITHIN, "after {told:?}");
    ensure!(offered(&origin)?.len() == 2, "{:?}", offered(&origin));
    let refused = http::get(&origin.http(), &format!("{largest}&_HLS_msn=99999999999&_HLS_part=1"))?;
    ensure!(refused.status == 404 && refused.header("cache-control") == Some("no-store"), "{refused:?}");
    let smaller =
        "await until(() => `a smaller size: ${errors} ${video.videoHeight}`, () => video.videoHeight === 270);
         const from = seen.frames;
         await until(() => `it goes on: ${errors}`, () => seen.frames > from + 40);
         return errors;";
    let errors = pages.run("eve", smaller)?;
    let after = paused.elapsed();

    publisher.resume("f")?;
    until("it is offered again", PATIENCE, || offered(&origin).is_ok_and(|sizes| sizes.first() == Some(&540)))?;
    let text = fetch(&origin, &largest)?.body;
    ensure!(text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
    let returned = "const from = seen.frames;
         await until(() => `it goes on: ${errors}`, () => seen.frames > from + 40);
         return errors;";
    let later = pages.run("eve", returned)?;
    report(&format!(
        "of a size that is sent no more players are told after {told:.1?}; hls.js has shown 40 pictures of the next after \
         {after:.1?}, with {errors}; in all {later}"
    ));
    ensure!(!later.to_string().contains("true"), "{later}");
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}
