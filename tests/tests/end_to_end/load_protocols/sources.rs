//! Agents that publish files.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_load::{Options, Outcome, Plan, Run};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::{Source, made_once, quiet, words};
use headwater_tests::{shared_turn, tools};

use super::{block_on, until};

/// A file is published by one agent and watched by two others; what those have found.
fn publish(origin: &Origin, file: &Path, publish: &str, play: &str) -> Result<Outcome> {
    let options = Options { may_read_files: true, ..Options::default() };
    let begin = |hold: u32, task: String| -> Result<Run> {
        let text = format!("name = \"file\"\nhold_s = {hold}\nworkers = 1\n[source]\nfile = {file:?}\n{task}");
        let text = text.replace("HOST", &origin.host().to_string());
        Ok(Run::start(Plan::from_toml(&text)?, &options)?)
    };
    block_on(async {
        let publishing = begin(600, format!("[[task]]\nwhat = \"publish\"\ntarget = \"{publish}\"\ncount = 1\n"))?;
        until(&publishing, "it publishes", |outcome| outcome.tasks[0].live == 1).await?;
        let viewing = begin(8, format!("[[task]]\nwhat = \"play\"\ntarget = \"{play}\"\ncount = 2\nrate = 20\n"))?;
        let outcome = viewing.finished().await;
        publishing.stop();
        let published = publishing.finished().await;
        ensure!((published.tasks[0].left, published.tasks[0].failed) == (1, 0), "{published:?}");
        Ok(outcome)
    })
}

#[test]
fn a_file_of_flv_is_repeated_without_a_seam_that_viewers_see() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    // Shorter than the viewers stay, so that they see it begin anew.
    let file = Source { group_seconds: 0.5, ..Source::default() }.file(3)?;
    let ways = [
        ("http://HOST:8080/a/whip", "http://HOST:8080/a/whep"),
        ("rtmp://HOST/live/b", "rtmp://HOST/live/b"),
        ("rtmp://HOST/live/c", "ws://HOST:8080/mse/c"),
        ("rtmp://HOST/live/d", "http://HOST:8080/d/index.m3u8"),
    ];
    for (to, from) in ways {
        let outcome = publish(&origin, &file, to, from)?;
        let row = &outcome.tasks[0];
        ensure!((row.joined, row.left, row.failed, row.lost) == (2, 2, 0, 0), "{from}: {row:?}");
        // Segments are made from when they are first asked for, and viewers of HLS wait for that.
        ensure!(row.pictures > 2 * 120, "{from}: {row:?}");
        ensure!(row.latency_ms.is_some_and(|latency| latency.count > 100), "{from}: {row:?}");
        let decoded = &row.decoded;
        ensure!(decoded.pictures > 30 && decoded.refused == 0 && decoded.width == 640, "{from}: {decoded:?}");
    }
    origin.wait_empty()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_file_of_enhanced_flv_is_published_and_played_by_rtmp() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let file = made_once("h265-320x180-4s", "flv", |path| {
        let mut command = quiet(&tools::newest_ffmpeg()?);
        command.args(words("-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=sample_rate=48000 -t 4"));
        command.args(words("-c:v libx265 -preset ultrafast -g 30 -bf 0 -x265-params log-level=error -c:a aac -f flv"));
        Program::start("the encoding ffmpeg", command.arg(path))?.succeed(Duration::from_secs(120))?;
        Ok(())
    })?;
    for from in ["rtmp://HOST/live/h265", "ws://HOST:8080/mse/h265", "http://HOST:8080/h265/index.m3u8"] {
        let outcome = publish(&origin, &file, "rtmp://HOST/live/h265", from)?;
        let row = &outcome.tasks[0];
        ensure!((row.joined, row.left, row.failed, row.lost) == (2, 2, 0, 0), "{from}: {row:?}");
        // Pictures of H.265 are taken apart, and not decoded.
        ensure!(row.pictures > 2 * 120 && row.decoded.parsed > 30 && row.decoded.pictures == 0, "{from}: {row:?}");
        row.first_picture_ms.context("no first picture")?;
        origin.wait_gone("h265")?;
    }
    origin.stop()?;
    Ok(())
}
