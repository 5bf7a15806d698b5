//! A camera that is switched off while its microphone stays on, and comes back: players go on with the sound and a still
//! picture.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use headwater_codec::h264::{AvcConfig, Repeat};
use headwater_codec::nal;
use headwater_tests::flv::{self, Kind, Tag};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::{Profile, Source, quiet};
use headwater_tests::{report, scratch, shared_turn, tools, turn};
use serde_json::Value;

use super::media_playlist;
use super::odd::{INDEX, check};
use super::reader::Reader;
use crate::mse::odd::{BOTH, piece, publish, usual};
use crate::sdk::pages::Pages;

/// Plays `odd` in a page by hls.js, by the own reader of HLS and by MSE, side by side.
const PLAY: &str = "document.body.innerHTML = ['hlsjs', 'own', 'mse'].map((id) => `<video id=${id} width=320 height=180></video>`).join('');
    const [hlsjs, own, mse] = window.videos = ['hlsjs', 'own', 'mse'].map((id) => document.getElementById(id));
    window.errors = [];
    const player = new Hls({ lowLatencyMode: true });
    player.on(Hls.Events.ERROR, (_, { details, fatal }) => errors.push(`hls.js ${details} ${fatal}`));
    player.loadSource('/odd/index.m3u8');
    player.attachMedia(hlsjs);
    await new Promise((done) => player.on(Hls.Events.MANIFEST_PARSED, done));
    const { HlsReader } = await import('/assets/sdk/hls.js');
    const address = new URL('/odd/index.m3u8', location.href).href;
    const reader = new HlsReader(own);
    reader.onlost = (error) => errors.push(`own ${error.code} true`);
    await reader.start(address, await (await fetch(address)).text());
    const { MsePlayer } = await import('/assets/sdk/mse.js');
    const feed = new MsePlayer({ base: '/', name: 'odd', video: mse });
    feed.addEventListener('lost', ({ detail }) => errors.push(`mse ${detail?.code} true`));
    await Promise.all([hlsjs.play(), own.play(), feed.start()]);
    window.shown = videos.map((video) => count(video));
    window.figures = () => videos.map((video, index) => ({ name: video.id, at: video.currentTime, shown: shown[index].frames,
      sound: video.webkitAudioDecodedByteCount }));
    await until(() => JSON.stringify([figures(), errors]), () => shown.every(({ frames }) => frames > 30), 20000);";

/// Watches for some seconds: how many of them each player has played, and how much sound.
fn watch(pages: &mut Pages, what: &str, seconds: u32) -> Result<Vec<Value>> {
    let script = format!(
        "const from = figures();
         await new Promise((done) => setTimeout(done, {seconds}000));
         return [figures().map((now, index) => ({{ name: now.name, played: now.at - from[index].at,
           shown: now.shown - from[index].shown, sound: now.sound - from[index].sound }})), errors];"
    );
    let seen = pages.run("eve", &script)?;
    report(&format!("{what}, {seconds} s: {seen}"));
    ensure!(!seen[1].to_string().contains("true"), "{seen}");
    Ok(seen[0].as_array().context("no figures")?.clone())
}

/// Decode times of the first track of a kind, and when the last one ends, in seconds.
fn times(file: &Path, kind: &str) -> Result<Vec<f64>> {
    let mut command = Command::new(tools::on_path("ffprobe")?);
    command.args(["-v", "error", "-select_streams", kind, "-show_entries", "packet=dts_time", "-of", "csv=p=0"]);
    let ended = Program::start("ffprobe", command.arg(file))?.succeed(Duration::from_secs(30))?;
    let text = String::from_utf8_lossy(&ended.output).into_owned();
    Ok(text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect())
}

#[test]
fn players_go_on_when_the_picture_stops_and_show_it_when_it_is_back() -> Result<()> {
    let _turn = turn();
    let tags = usual((640, 360))?;
    let origin = Origin::start()?;
    let publisher = publish(&origin, "odd", piece(&tags, &BOTH))?;
    let ts = format!("{INDEX}?container=ts");
    let readers = [media_playlist(&origin, INDEX)?, media_playlist(&origin, &ts)?];
    let [fmp4, ts] = readers.map(|path| Reader::start(&origin.page(&path), Duration::ZERO));
    let mut command = Command::new("/usr/bin/python3");
    command.arg(tools::package().join("clients/gstreamer_hls.py"));
    let gstreamer =
        Program::start("GStreamer", command.args(["uridecodebin3", &origin.page(INDEX), "150", "600", "40"]))?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.open("eve", "/healthz")?;
    pages.script("eve", "hls.js")?;
    pages.run("eve", PLAY)?;
    publisher.go_on(piece(&tags, &[Kind::Audio]));
    let off = watch(&mut pages, "without a picture", 8)?;
    // The picture is waited for for a second before it is shown still, and players with little in hand wait as well.
    for seen in &off {
        ensure!(seen["played"].as_f64() > Some(6.0) && seen["sound"].as_u64() > Some(30_000), "{seen}");
    }
    publisher.go_on(piece(&tags, &BOTH));
    pages.run("eve", "const from = figures(); await until(() => JSON.stringify([figures(), errors]), () => figures().every((now, index) => now.shown > from[index].shown + 60), 15000);")?;
    let back = watch(&mut pages, "with the picture again", 2)?;
    ensure!(back.iter().all(|seen| seen["shown"].as_u64() > Some(30)), "{back:?}");
    let ended = gstreamer.succeed(Duration::from_secs(40))?;
    let seen: Value = serde_json::from_slice(&ended.output)?;
    report(&format!("GStreamer: {} pictures, {} blocks of sound", seen["pictures"], seen["sounds"]));
    ensure!(seen["problem"].is_null() && seen["sounds"].as_u64() >= Some(600), "{seen}; it said: {}", ended.messages);
    for reader in [fmp4?, ts?] {
        check(reader, 0, |file| {
            let (pictures, sounds) = (times(file, "v")?, times(file, "a")?);
            let longest = pictures.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
            let least = pictures.windows(2).map(|pair| pair[1] - pair[0]).fold(1.0, f64::min);
            report(&format!(
                "{} pictures, {least:.3} to {longest:.3} s apart; {} sounds",
                pictures.len(),
                sounds.len()
            ));
            // Where there are no parts, a still picture lasts for half a second.
            ensure!(longest < 0.6 && least > 0.0, "pictures are {least} to {longest} s apart");
            let ends = [&pictures, &sounds].map(|times| times.last().copied().unwrap_or_default());
            ensure!((ends[0] - ends[1]).abs() < 0.5, "{ends:?}");
            Ok(())
        })?;
    }
    origin.stop()?;
    Ok(())
}

/// The first key frame of an encoder's file and the pictures that repeat it, as a byte stream.
fn repeated(tags: &[Tag], count: u32) -> Result<Vec<u8>> {
    let record = tags.iter().find(|tag| tag.kind == Kind::Video).context("no picture")?;
    let config = AvcConfig::parse(&Bytes::copy_from_slice(&record.body[5..]))?;
    let key = flv::pictures(tags)?.into_iter().find(|picture| picture.key).context("no key frame")?;
    let (mut frame, mut stream) = (Vec::new(), Vec::new());
    config.sps.iter().chain(&config.pps).for_each(|set| nal::push(set, &mut frame));
    key.nal_units.iter().for_each(|unit| nal::push(unit, &mut frame));
    nal::to_annexb(&frame, &mut stream)?;
    let repeat = Repeat::of(&config, &frame).context("it cannot be repeated")?;
    for number in 1..=count {
        nal::to_annexb(&repeat.write(number), &mut stream)?;
    }
    Ok(stream)
}

#[test]
fn ffmpeg_sees_the_same_picture_where_the_server_repeats_one() -> Result<()> {
    let _turn = shared_turn();
    for (profile, size) in [(Profile::Baseline, (640, 360)), (Profile::Main, (636, 358)), (Profile::High, (1280, 720))]
    {
        let source = Source { profile, size, ..Source::default() };
        let stream = repeated(&flv::tags(&std::fs::read(source.file(2)?)?)?, 70)?;
        let file = scratch("repeated.h264")?;
        std::fs::write(&file, &stream)?;
        let mut command = quiet(&tools::on_path("ffmpeg")?);
        command.args(["-loglevel", "warning", "-err_detect", "explode", "-i"]).arg(&file);
        command.args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]);
        let ended = Program::start("the decoding ffmpeg", &mut command)?.succeed(Duration::from_secs(30))?;
        let text = String::from_utf8_lossy(&ended.output).into_owned();
        let sums: Vec<_> =
            text.lines().filter(|line| line.starts_with("0,")).map(|line| line.rsplit(',').next()).collect();
        ensure!(sums.len() == 71 && sums.iter().all(|sum| *sum == sums[0]), "{profile:?}: {text} {}", ended.messages);
        ensure!(ended.messages.is_empty(), "{profile:?}: {}", ended.messages);
        report(&format!("{profile:?}: 70 pictures that repeat one, {} bytes in all", stream.len()));
    }
    Ok(())
}
