//! Leave to watch that is not given, or is taken back while somebody watches.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::http::{self, Answer};
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::source::{Source, quiet};
use headwater_tests::{heavy_turn, report, scratch, shared_turn, tools};

use super::{PATIENCE, beside, fetch, media_playlist};
use crate::hooks::BackEnd;
use crate::sdk::pages::Pages;

/// A player that goes on for so many seconds of media.
fn play(origin: &Origin, path: &str, seconds: u32) -> Result<Program> {
    let mut command = quiet(&tools::on_path("ffmpeg")?);
    command.args(["-i", &origin.page(path), "-t", &seconds.to_string(), "-map", "0:v", "-f", "framemd5", "-"]);
    Program::start("the playing ffmpeg", &mut command)
}

/// How many pictures it has decoded.
fn pictures(player: Program) -> Result<usize> {
    let ended = player.succeed(PATIENCE * 2)?;
    Ok(String::from_utf8_lossy(&ended.output).lines().filter(|line| line.starts_with("0,")).count())
}

/// The newest segment that a playlist lists.
fn newest(list: &str, playlist: &str) -> Result<String> {
    let address = playlist.lines().rev().find(|line| !line.starts_with('#')).context("no segment")?;
    Ok(beside(list, address))
}

fn ask(origin: &Origin, path: &str) -> Result<Answer> {
    http::get(&origin.http(), path)
}

#[test]
fn an_application_refuses_a_viewer_at_the_door_and_ends_another_while_it_watches() -> Result<()> {
    let _turn = heavy_turn();
    let strict = BackEnd::start(&["--refuse", "secret", "--watch-ms", "6000"])?;
    let mild = BackEnd::start(&[])?;
    let applications = format!("defaultApp={}, mild={}", strict.url, mild.url);
    let origin = Origin::configured(&[
        ("HOOKS__APPLICATIONS", &applications),
        ("HOOKS__SECRET_KEY", "canary-4712"),
        ("HOOKS__KEEP_ALIVE", "true"),
        ("HOOKS__KEEP_ALIVE_INTERVAL_MS", "1000"),
    ])?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    for path in ["/secret/index.m3u8", "/secret/_main.m3u8"] {
        let refused = ask(&origin, path)?;
        let words = refused.body.contains("the application does not allow it");
        ensure!(refused.status == 403 && words && refused.header("cache-control") == Some("no-store"), "{refused:?}");
    }
    strict.wait("playHLS secret", "PENDING")?;

    let stays = play(&origin, "/clock/index.m3u8?appKey=mild", 14)?;
    mild.wait("playHLS clock", "PENDING")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.open("eve", "/healthz")?;
    pages.script("eve", "hls.js")?;
    let begun = Instant::now();
    let list = media_playlist(&origin, "/clock/index.m3u8")?;
    let known = newest(&list, &fetch(&origin, &list)?.body)?;
    pages.run(
        "eve",
        "document.body.innerHTML = '<video id=video muted></video>';
         window.player = new Hls({ lowLatencyMode: true });
         window.codes = [];
         player.on(Hls.Events.ERROR, (_, { response }) => response && codes.push(response.code));
         player.loadSource('/clock/index.m3u8');
         player.attachMedia(video);
         await video.play();
         window.seen = count(video);
         await until(() => `pictures: ${codes}`, () => seen.frames > 30);",
    )?;
    let mut last = None;
    until("the viewer is told to go", PATIENCE, || {
        last = ask(&origin, &list).ok();
        last.as_ref().is_some_and(|last| last.status == 403)
    })
    .with_context(|| format!("{last:?}"))?;
    let after = begun.elapsed();
    ensure!(last.as_ref().is_some_and(|last| last.body.contains("Terminated by keep-alive")), "{last:?}");
    ensure!(after > Duration::from_secs(5), "after {after:?}");
    // What it knows is still there, as for a cache; nothing tells it of more, and another address is not guessed.
    ensure!(ask(&origin, &known)?.status == 200);
    ensure!(ask(&origin, &format!("{list}&_HLS_msn=1"))?.status == 403);
    strict.wait("stopStream clock", "")?;
    let codes = pages.run("eve", "await until(() => `403: ${codes}`, () => codes.includes(403)); return codes;")?;
    let shown = pictures(stays)?;
    report(&format!("told to go after {after:.1?}; hls.js saw {codes}; the other viewer had {shown} of 420 pictures"));
    ensure!(shown >= 400, "the other viewer had {shown} pictures");
    ensure!(!origin.log().contains("canary-4712"), "the key stands in the log");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// Who was let in by a key stays, as by every other protocol; nobody else gets in by it.
#[test]
fn a_key_that_is_taken_out_opens_no_playlist_any_more_while_those_who_are_in_play_on() -> Result<()> {
    let _turn = shared_turn();
    let keys = |names: &str| format!("[access]\nplay = \"authenticated\"\nstream_keys = [{names}]\n");
    let file = scratch("leave.toml")?;
    std::fs::write(&file, keys(r#""publish:**:encoder-4711", "play:**:early-4711", "play:**:late-4711""#))?;
    let origin = Origin::with(&[], &["--config", &file.to_string_lossy()])?;
    let publisher = Source::default().publish(&origin.rtmp("clock?token=encoder-4711"))?;
    until("it publishes", PATIENCE, || origin.log().contains("an RTMP publisher begins"))?;
    let list = media_playlist(&origin, "/clock/index.m3u8?token=early-4711")?;
    let stays = play(&origin, "/clock/index.m3u8?token=early-4711", 8)?;
    until("ffmpeg is let in", PATIENCE, || origin.log().matches("a viewer of HLS has come").count() == 2)?;

    std::fs::write(&file, keys(r#""publish:**:encoder-4711", "play:**:late-4711""#))?;
    until("others are in force", PATIENCE, || origin.log().contains("access.stream_keys"))?;
    let before = newest(&list, &fetch(&origin, &list)?.body)?;
    let unknown = list.replace("&viewer=", "&viewer=0");
    for path in ["/clock/index.m3u8?token=early-4711", "/clock/_main.m3u8?token=early-4711", &unknown] {
        let refused = ask(&origin, path)?;
        ensure!(matches!(refused.status, 401 | 403), "{path}: {refused:?}");
    }
    let other = media_playlist(&origin, "/clock/index.m3u8?token=late-4711")?;
    ensure!(fetch(&origin, &other)?.body.contains("#EXTINF"));
    until("its playlist goes on", PATIENCE, || {
        fetch(&origin, &list).and_then(|text| newest(&list, &text.body)).is_ok_and(|now| now != before)
    })?;
    let shown = pictures(stays)?;
    ensure!(shown >= 230, "who came by it had {shown} of 240 pictures");
    ensure!(!origin.log().contains("4711"), "a key stands in the log");
    publisher.kill();
    origin.stop()?;
    Ok(())
}
