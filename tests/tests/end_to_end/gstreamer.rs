//! GStreamer's webrtcbin, which shows an RSA certificate (version 1.22), publishes and plays.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::Browser;
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::{heavy_turn, report, tools};

const PATIENCE: Duration = Duration::from_secs(30);

/// `task` is `publish` or `play`. The system's Python, as GStreamer's bindings are made for that.
fn gstreamer(task: &str, url: &str, codec: &str) -> Result<Program> {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(tools::package().join("clients/gstreamer.py")).args([task, url, codec]);
    Program::start(format!("GStreamer, to {task}"), &mut command)
}

/// The last number of pictures or sounds that it says it has decoded.
fn decoded(player: &Program, medium: &str) -> u32 {
    let said = player.messages();
    let counts =
        said.lines().filter_map(|line| line.strip_prefix(medium)?.strip_prefix(": ")?.strip_suffix(" decoded"));
    counts.filter_map(|count| count.parse().ok()).next_back().unwrap_or(0)
}

#[test]
fn gstreamer_publishes_by_whip_and_plays_by_whep() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    for codec in ["H264", "VP8"] {
        let publisher = gstreamer("publish", &origin.whip(codec), codec)?;
        origin.wait_published(codec).with_context(|| publisher.messages())?;

        let mut browser = Browser::play(&origin.whep(codec))?;
        browser.wait_frames(100, PATIENCE).with_context(|| publisher.messages())?;
        let watched = browser.finish()?;
        let seen = watched.seen();
        ensure!(seen.backwards() == 0, "{} frames were shown out of order", seen.backwards());
        ensure!(seen.tone() > 0.7, "tone {:.2}", seen.tone());

        let player = gstreamer("play", &origin.whep(codec), codec)?;
        let plays = || decoded(&player, "video") >= 100 && decoded(&player, "audio") >= 100;
        until("GStreamer decodes pictures and sounds", PATIENCE, plays).with_context(|| player.messages())?;
        report(&format!(
            "GStreamer 1.22, {codec}: {} frames in Chromium, tone {:.2}; {} pictures and {} sounds decoded by itself",
            seen.frames(),
            seen.tone(),
            decoded(&player, "video"),
            decoded(&player, "audio"),
        ));
        player.succeed(PATIENCE)?;
        publisher.succeed(PATIENCE)?;
        // Its DELETE ends the stream.
        origin.wait_gone(codec)?;
    }
    origin.stop()?;
    Ok(())
}
