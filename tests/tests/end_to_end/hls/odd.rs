//! Sources that do what none should: players of HLS go on, and no playlist breaks a rule.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::flv::Kind;
use headwater_tests::odd_rtmp::Piece;
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::source::quiet;
use headwater_tests::{heavy_turn, report, tools, turn};
use serde_json::Value;

use super::media_playlist;
use super::reader::Reader;
use crate::mse::odd::{BOTH, enhanced, piece, publish, usual};
use crate::sdk::pages::Pages;

pub(super) const INDEX: &str = "/odd/index.m3u8";
/// Longer than a track that brings nothing is waited for.
const A_WHILE: Duration = Duration::from_secs(4);

/// Plays by hls.js in a page.
fn watch(origin: &Origin, index: &str) -> Result<Pages> {
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.open("eve", "/healthz")?;
    pages.script("eve", "hls.js")?;
    let script = format!(
        "document.body.innerHTML = '<video id=video width=320 height=180></video>';
         window.player = new Hls({{ lowLatencyMode: true }});
         window.errors = [];
         player.on(Hls.Events.ERROR, (_, {{ details, fatal }}) => errors.push(fatal ? `fatal ${{details}}` : details));
         player.loadSource('{index}');
         player.attachMedia(video);
         await new Promise((done) => player.on(Hls.Events.MANIFEST_PARSED, done));
         window.shown = count(video);
         window.figures = () => ({{ shown: shown.frames, at: video.currentTime, width: video.videoWidth,
           sound: video.webkitAudioDecodedByteCount, errors }});
         await video.play();"
    );
    pages.run("eve", &script)?;
    Ok(pages)
}

/// Waits until hls.js shows a picture of that width, and then so many more, if there is one; else until it has played so
/// much more sound.
fn goes_on(pages: &mut Pages, what: &str, width: Option<u32>) -> Result<()> {
    let condition = match width {
        Some(width) => format!(
            "if (now.width === {width}) from ??= now;
             return from && now.shown > from.shown + 30;"
        ),
        None => "from ??= now; return now.at > from.at + 1.5 && now.sound > from.sound + 8000;".to_owned(),
    };
    let script = format!(
        "const began = performance.now();
         let now, from = null;
         await until(() => '{what}: ' + JSON.stringify(now), () => {{ now = figures(); {condition} }}, 25000);
         return {{ ...now, ms: Math.round(performance.now() - began) }};"
    );
    let seen = pages.run("eve", &script)?;
    report(&format!("hls.js, {what}: {seen}"));
    let is_fatal = |error: &Value| error.as_str().is_some_and(|error| error.starts_with("fatal"));
    ensure!(!seen["errors"].as_array().is_some_and(|errors| errors.iter().any(is_fatal)), "{what}: {seen}");
    Ok(())
}

/// Insists that no rule was broken from the first playlist to the last, that all media decodes, and that there were so many
/// discontinuities. Has a look at each piece between them.
pub(super) fn check(reader: Reader, discontinuities: u64, look: impl Fn(&Path) -> Result<()>) -> Result<()> {
    let read = reader.finish(Duration::from_secs(30))?;
    report(&format!("its playlists over it all: {}", read.told));
    read.check()?;
    ensure!(read.told["discontinuities"].as_u64() >= Some(discontinuities), "{}", read.told);
    read.decode()?;
    read.media()?.iter().try_for_each(|file| look(file))?;
    read.forget()
}

#[test]
fn hls_outlives_sound_that_stops_and_stamps_that_jump_by_an_hour() -> Result<()> {
    let _turn = turn();
    let tags = usual((640, 360))?;
    let origin = Origin::start()?;
    let publisher = publish(&origin, "odd", piece(&tags, &BOTH))?;
    let reader = Reader::start(&origin.page(&media_playlist(&origin, INDEX)?), Duration::ZERO)?;
    let mut pages = watch(&origin, INDEX)?;
    goes_on(&mut pages, "before all", Some(640))?;
    publisher.go_on(piece(&tags, &[Kind::Video]));
    std::thread::sleep(A_WHILE);
    goes_on(&mut pages, "without sound", Some(640))?;
    publisher.go_on(piece(&tags, &BOTH));
    goes_on(&mut pages, "with sound again", None)?;
    for (jump, what) in [(3_600_000, "an hour later"), (-1_800_000, "half an hour earlier")] {
        publisher.go_on(Piece { jump, ..piece(&tags, &BOTH) });
        goes_on(&mut pages, what, Some(640))?;
        goes_on(&mut pages, what, None)?;
    }
    check(reader, 2, |_| Ok(()))?;
    origin.stop()?;
    Ok(())
}

#[test]
fn hls_plays_sound_alone_and_picture_alone() -> Result<()> {
    let _turn = heavy_turn();
    let tags = usual((640, 360))?;
    let origin = Origin::start()?;
    for (name, kind, width) in [("sound", Kind::Audio, None), ("picture", Kind::Video, Some(640))] {
        let _publisher = publish(&origin, name, piece(&tags, &[kind]))?;
        let index = format!("/{name}/index.m3u8");
        let reader = Reader::start(&origin.page(&media_playlist(&origin, &index)?), Duration::ZERO)?;
        let mut pages = watch(&origin, &index)?;
        goes_on(&mut pages, name, width)?;
        check(reader, 0, |_| Ok(()))?;
    }
    origin.stop()?;
    Ok(())
}

#[test]
fn hls_goes_on_in_another_size_and_another_codec() -> Result<()> {
    let _turn = heavy_turn();
    let (large, small) = (usual((640, 360))?, usual((320, 180))?);
    let vp9 = enhanced("vp9", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k")?;
    let origin = Origin::start()?;
    let publisher = publish(&origin, "odd", piece(&large, &BOTH))?;
    let reader = Reader::start(&origin.page(&media_playlist(&origin, INDEX)?), Duration::ZERO)?;
    let mut pages = watch(&origin, INDEX)?;
    goes_on(&mut pages, "H.264", Some(640))?;
    for (what, tags, width) in [("another size", &small, 320), ("VP9", &vp9, 480), ("H.264 again", &large, 640)] {
        publisher.go_on(piece(tags, &BOTH));
        goes_on(&mut pages, what, Some(width))?;
    }
    check(reader, 3, |_| Ok(()))?;
    origin.stop()?;
    Ok(())
}

/// Of what ffmpeg reads of the newest segments: how many pictures, and what it complains of.
fn pictures(origin: &Origin, query: &str, seconds: u32) -> Result<(usize, String)> {
    let mut command = quiet(&tools::newest_ffmpeg()?);
    command.args(["-live_start_index", "-1", "-i", &origin.page(&format!("{INDEX}{query}"))]);
    command.args(["-t", &seconds.to_string(), "-map", "0:v", "-f", "framemd5", "-"]);
    let ended = Program::start("the playing ffmpeg", &mut command)?.wait(Duration::from_secs(40))?;
    let text = String::from_utf8_lossy(&ended.output).into_owned();
    // Of a playlist with two of them it reads an initialization section twice, and says so.
    let complaints =
        ended.messages.lines().filter(|line| !line.contains("Found duplicated MOOV Atom") && !line.is_empty());
    Ok((text.lines().filter(|line| line.starts_with("0,")).count(), complaints.collect::<Vec<_>>().join("\n")))
}

/// The one player here that both decodes H.265 and goes over to it in mid-stream, of transport streams: Chromium does not
/// decode it, ffmpeg and hlsdemux2 hold on to the first codec.
fn gstreamer(origin: &Origin, pictures: u32) -> Result<Program> {
    let mut command = Command::new("/usr/bin/python3");
    let (address, count) = (origin.page(&format!("{INDEX}?container=ts")), pictures.to_string());
    command.arg(tools::package().join("clients/gstreamer_hls.py"));
    Program::start("GStreamer", command.args(["uridecodebin", &address, &count, "100", "25"]))
}

#[test]
fn a_source_that_goes_over_to_h265_is_told_in_every_playlist_and_plays_on() -> Result<()> {
    let _turn = heavy_turn();
    let h264 = usual((640, 360))?;
    let options = "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=30:min-keyint=30:scenecut=0";
    let h265 = enhanced("h265", options)?;
    let origin = Origin::start()?;
    let publisher = publish(&origin, "odd", piece(&h264, &BOTH))?;
    let codecs = || super::fetch(&origin, INDEX).map(|answer| answer.body).unwrap_or_default();
    ensure!(codecs().contains("CODECS=\"avc1."), "{}", codecs());
    let reader = Reader::start(&origin.page(&media_playlist(&origin, INDEX)?), Duration::ZERO)?;
    let over = gstreamer(&origin, 300)?;
    std::thread::sleep(A_WHILE);
    publisher.go_on(piece(&h265, &BOTH));
    until("the new codec is offered", Duration::from_secs(10), || codecs().contains("CODECS=\"hvc1."))?;
    std::thread::sleep(A_WHILE);
    for query in ["", "?container=ts"] {
        let (count, complaints) = pictures(&origin, query, 3)?;
        ensure!(count > 80 && complaints.is_empty(), "a player that comes then, {query}: {count}, {complaints}");
    }
    let ended = over.succeed(Duration::from_secs(40))?;
    let seen: Value = serde_json::from_slice(&ended.output)?;
    report(&format!("GStreamer over the change to H.265: {} pictures, {} sounds", seen["pictures"], seen["sounds"]));
    ensure!(seen["problem"].is_null() && seen["pictures"].as_u64() >= Some(300), "{seen}; {}", ended.messages);
    check(reader, 1, |_| Ok(()))?;
    origin.stop()?;
    Ok(())
}
