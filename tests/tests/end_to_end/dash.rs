//! Players of DASH play what encoders and browsers send.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::players::{decode, probe};
use headwater_tests::program::{Program, until};
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::source::{Source, quiet};
use headwater_tests::{heavy_turn, http, report, scratch, shared_turn, tools, turn};
use serde_json::Value;

mod page;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const MANIFEST: &str = "/clock/manifest.mpd";

/// Reads a description for some seconds by mpd-parser, and all that it lists.
fn read(address: &str, seconds: u32) -> Result<Value> {
    let mut command = Command::new(tools::on_path("node")?);
    command.arg(tools::package().join("browser/manifest.mjs")).args([address, &seconds.to_string()]);
    command.env("HEADWATER_TEST_TOOLS", tools::folder());
    let ended = Program::start("mpd-parser", &mut command)?.succeed(Duration::from_secs(60 + u64::from(seconds)))?;
    Ok(serde_json::from_slice(&ended.output)?)
}

/// How many Periods are described.
fn periods(origin: &Origin) -> usize {
    http::get(&origin.http(), MANIFEST).map_or(0, |answer| answer.body.matches("<Period ").count())
}

/// Another encoder takes the place of one that fails, with another size and other sound.
pub(super) fn replace(origin: &Origin, first: Program) -> Result<Program> {
    first.kill();
    let other = Source { size: (320, 180), sample_rate: 44_100, ..Source::default() };
    let publisher = other.publish(&origin.rtmp("clock"))?;
    until("the second encoder is live", PATIENCE, || {
        origin.streams().is_ok_and(|list| list.iter().any(|stream| stream["width"] == 320))
    })?;
    Ok(publisher)
}

/// ffmpeg plays the newest Period from its beginning; it knows no others. No segment is read twice.
#[test]
fn ffmpeg_plays_dash_and_plays_it_again_when_the_encoder_was_replaced() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let address = origin.page(MANIFEST);
    play(&address, 10, (640, "48000"))?;
    let publisher = replace(&origin, publisher)?;
    until("another Period is described", PATIENCE, || periods(&origin) == 2)?;
    play(&address, 3, (320, "44100"))?;
    let told = read(&address, 3)?;
    report(&format!("mpd-parser over a change of encoders: {told}"));
    ensure!(told["periods"] == 2 && told["complaints"].as_array().is_some_and(Vec::is_empty), "{told}");
    ensure!(told["segments"].as_u64() >= Some(6) && told["clock"].as_f64() < Some(2_000.0), "{told}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// Some seconds are copied as they come, and decoded.
pub(crate) fn play(address: &str, seconds: u32, (width, sample_rate): (u32, &str)) -> Result<()> {
    let file = scratch("dash.mkv")?;
    let mut command = quiet(&tools::on_path("ffmpeg")?);
    command.args(["-re", "-i", address, "-t", &seconds.to_string(), "-c", "copy"]).arg(&file);
    Program::start("the recording ffmpeg", &mut command)?.succeed(Duration::from_secs(60))?;
    let complaints = decode(&tools::on_path("ffmpeg")?, &file)?;
    ensure!(complaints.is_empty(), "{complaints}");
    let streams = probe(&file.display().to_string())?;
    let has = |key: &str, value: Value| streams.iter().any(|stream| stream[key] == value);
    ensure!(has("width", width.into()) && has("sample_rate", sample_rate.into()), "{streams:?}");
    Ok(())
}

/// Each size is a Representation of the one picture, and the sound stays Opus.
#[test]
fn all_sizes_of_a_picture_are_described() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let sizes = Kind::Simulcast { codec: "video/H264", rids: &["q", "h", "f"] };
    let publisher = Publisher::start(&origin.whip("clock"), &sizes)?;
    origin.wait_published("clock")?;
    let is_sent = |size: &Value| size["framesSent"].as_u64().unwrap_or(0) > 60;
    let all = |sent: &[Value]| sent.iter().filter(|size| is_sent(size)).count() == 3;
    publisher.wait("three sizes are sent", PATIENCE, all)?;
    let told = read(&origin.page(MANIFEST), 3)?;
    report(&format!("mpd-parser, three sizes: {told}"));
    ensure!(told["complaints"].as_array().is_some_and(Vec::is_empty), "{told}");
    let codecs: Vec<&str> = told["codecs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ensure!(codecs.iter().filter(|codec| codec.starts_with("avc1.")).count() == 3, "{told}");
    ensure!(codecs.last() == Some(&"opus"), "{told}");
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

/// GStreamer by both of its demultiplexers.
#[test]
fn gstreamer_plays_dash() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let address = origin.page(MANIFEST);
    let runs = ["uridecodebin3", "uridecodebin"].map(|decoder| {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(tools::package().join("clients/gstreamer_hls.py")).args([decoder, &address, "210", "300", "40"]);
        (decoder, Program::start(decoder, &mut command))
    });
    for (decoder, run) in runs {
        let ended = run?.succeed(Duration::from_secs(60))?;
        let seen: Value = serde_json::from_slice(&ended.output)?;
        report(&format!("DASH by GStreamer's {decoder}: {} pictures, tone {}", seen["pictures"], seen["tone"]));
        ensure!(seen["problem"].is_null(), "{decoder}: {seen}; it said: {}", ended.messages);
        ensure!(seen["pictures"].as_u64() >= Some(210) && seen["sounds"].as_u64() >= Some(300), "{decoder}: {seen}");
        ensure!(seen["tone"].as_f64() > Some(0.7), "{decoder}: {seen}");
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// The key goes with every address; the player is asked for as a player of HLS is, and is one viewer.
#[test]
fn a_key_lets_a_player_of_dash_in_and_what_is_not_there_is_said_as_for_hls() -> Result<()> {
    let _turn = shared_turn();
    let keys = r#"["publish:**:in-key-4711", "play:**:out-key-4711"]"#;
    let origin = Origin::configured(&[("ACCESS__STREAM_KEYS", keys), ("ACCESS__PLAY", "authenticated")])?;
    let publisher = Source::default().publish(&origin.rtmp("clock?token=in-key-4711"))?;
    until("the encoder publishes", PATIENCE, || origin.log().contains("an RTMP publisher begins"))?;
    for query in ["", "?token=in-key-4711", "?token=wrong"] {
        let answer = http::get(&origin.http(), &format!("{MANIFEST}{query}"))?;
        ensure!(matches!(answer.status, 401 | 403), "{query}: {answer:?}");
    }
    let path = format!("{MANIFEST}?token=out-key-4711");
    let answers = [http::get(&origin.http(), &path)?, http::get(&origin.http(), &path)?];
    for answer in &answers {
        ensure!(answer.status == 200 && answer.header("content-type") == Some("application/dash+xml"), "{answer:?}");
        ensure!(answer.body.matches("?token=out-key-4711\"").count() == 4, "{answer:?}");
    }
    ensure!(origin.log().matches("a viewer of HLS has come").count() == 1, "who comes again is the same viewer");
    for (dash, hls) in [("/no/manifest.mpd", "/no/index.m3u8"), ("/no/no.mpd", "/no/no.m3u8")] {
        let with_key = |path: &str| http::get(&origin.http(), &format!("{path}?token=out-key-4711"));
        let (dash, hls) = (with_key(dash)?, with_key(hls)?);
        ensure!(dash.status == 404 && dash.body == hls.body, "{dash:?} {hls:?}");
    }
    let init = answers[0].body.split('"').find(|text| text.contains("-init-")).unwrap_or_default();
    let kept = http::get(&origin.http(), &format!("/clock/{init}"))?;
    ensure!(kept.header("cache-control") == Some("public, max-age=3600, immutable"), "{kept:?}");
    let guessed = init.replace("-init-", "-t0-").replace(".mp4", ".m4s").replace("video", "audio");
    ensure!(http::get(&origin.http(), &format!("/clock/{guessed}"))?.status == 404, "{guessed}");
    ensure!(!origin.log().contains("out-key-4711"), "the key is in the log");
    publisher.kill();
    origin.stop()?;
    Ok(())
}
