//! Enhanced RTMP with the newest ffmpeg: HEVC, AV1 and Opus, and conversion where a viewer needs another codec.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::Browser;
use headwater_tests::origin::Origin;
use headwater_tests::players::{Recorder, decode, probe};
use headwater_tests::program::Program;
use headwater_tests::source::{made_once, publish_file_by, quiet, words};
use headwater_tests::{flv, heavy_turn, report, scratch, tools};

const PATIENCE: Duration = Duration::from_secs(20);

/// An FLV file in enhanced form, made by the newest ffmpeg.
fn file(name: &str, encoders: &str) -> Result<PathBuf> {
    made_once(name, "flv", |path| {
        let mut command = quiet(&tools::newest_ffmpeg()?);
        command.args(words("-f lavfi -i testsrc2=size=640x360:rate=30"));
        command.args(words("-f lavfi -i sine=frequency=500:sample_rate=48000 -ac 2 -t 40 -g 30 -pix_fmt yuv420p"));
        command.args(words(encoders)).args(["-f", "flv"]).arg(path);
        Program::start("the encoding ffmpeg", &mut command)?.succeed(Duration::from_secs(180))?;
        Ok(())
    })
}

#[test]
fn hevc_and_opus_come_back_unchanged_to_an_enhanced_player() -> Result<()> {
    let _turn = heavy_turn();
    let file = file(
        "hevc-opus",
        "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=30:min-keyint=30:scenecut=0 -c:a libopus",
    )?;
    let sent = flv::tags(&std::fs::read(&file)?)?;
    let newest = tools::newest_ffmpeg()?;
    let origin = Origin::start()?;
    let publisher = publish_file_by(&newest, &file, &origin.rtmp("new"), 0.0)?;
    origin.wait_published("new")?;
    for url in [origin.rtmp("new"), origin.flv("new") + "?enhanced=1"] {
        let recorder = Recorder::newest_ffmpeg(&url)?;
        recorder.wait_pictures(90, PATIENCE).context(url.clone())?;
        let got = recorder.finish()?;
        let (sent_pictures, got_pictures) = (flv::pictures(&sent)?, flv::pictures(&got)?);
        let first = &got_pictures.first().context("no picture")?.nal_units;
        let at = sent_pictures.iter().position(|picture| picture.nal_units == *first).context("not sent so")?;
        let same = got_pictures.iter().zip(&sent_pictures[at..]).all(|(got, sent)| got.nal_units == sent.nal_units);
        ensure!(same, "{url}: pictures differ from those sent");
        let sounds = flv::sounds(&got);
        ensure!(sounds.len() > 50 && flv::is_piece_of(&sounds, &flv::sounds(&sent)), "{url}: Opus differs");
        let recording = scratch("hevc.flv")?;
        std::fs::write(&recording, flv::write(&got))?;
        let complaints = decode(&newest, &recording)?;
        ensure!(complaints.is_empty(), "{url}: {complaints}");
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn opus_goes_to_a_browser_as_it_is_and_to_an_old_player_as_aac() -> Result<()> {
    let _turn = heavy_turn();
    let encoders = "-c:v libx264 -preset veryfast -tune zerolatency -profile:v main -c:a libopus";
    let file = file("h264-opus", encoders)?;
    let origin = Origin::start()?;
    let publisher = publish_file_by(&tools::newest_ffmpeg()?, &file, &origin.rtmp("opus"), 0.0)?;
    origin.wait_published("opus")?;
    let mut browser = Browser::play(&origin.whep("opus"))?;
    browser.wait_frames(120, PATIENCE)?;
    let streams = probe(&origin.rtmp("opus"))?;
    ensure!(streams.iter().any(|stream| stream["codec_name"] == "h264"), "{streams:?}");
    let audio = streams.iter().find(|stream| stream["codec_name"] == "aac").context("no AAC for the old player")?;
    ensure!(audio["channels"] == 2, "{audio}");
    let watched = browser.finish()?;
    let seen = watched.seen();
    ensure!(seen.tone() > 0.9 && seen.silence() < 10.0, "tone {:.2}, silence {:.1} %", seen.tone(), seen.silence());
    report(&format!("Opus unchanged to the browser: tone {:.2}, silent {:.1} %", seen.tone(), seen.silence()));
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn av1_comes_back_to_an_enhanced_player() -> Result<()> {
    let _turn = heavy_turn();
    let file = file("av1-aac", "-c:v libsvtav1 -preset 12 -svtav1-params keyint=30 -c:a aac")?;
    let newest = tools::newest_ffmpeg()?;
    let origin = Origin::start()?;
    let publisher = publish_file_by(&newest, &file, &origin.rtmp("av1"), 0.0)?;
    origin.wait_published("av1")?;
    let mut command = quiet(&newest);
    command.args(["-i", &origin.rtmp("av1"), "-t", "4", "-f", "framemd5", "-"]);
    let ended = Program::start("the playing ffmpeg", &mut command)?.succeed(PATIENCE * 2)?;
    let frames = String::from_utf8_lossy(&ended.output).lines().filter(|line| line.starts_with("0,")).count();
    ensure!(frames > 90, "{frames} frames of AV1; ffmpeg said: {}", ended.messages);
    publisher.kill();
    origin.stop()?;
    Ok(())
}
