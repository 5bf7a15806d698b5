//! Playlists over time, as another implementation reads them.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::Source;
use headwater_tests::{playing_time, report, tools, turn};
use serde_json::Value;

use super::media_playlist;

#[test]
fn a_live_playlist_breaks_no_rule_over_a_change_of_encoders() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let first = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let list = origin.page(&media_playlist(&origin, "/clock/index.m3u8")?);
    let time = playing_time(Duration::from_secs(24));
    let mut command = Command::new(tools::on_path("node")?);
    command.arg(tools::package().join("browser/playlist.mjs")).args([list, time.as_secs().to_string()]);
    command.env("HEADWATER_TEST_TOOLS", tools::folder());
    let reader = Program::start("hls-parser", &mut command)?;
    std::thread::sleep(time / 3);
    first.kill();
    let other = Source { size: (320, 180), ..Source::default() };
    let second = other.publish(&origin.rtmp("clock"))?;
    let ended = reader.succeed(time + Duration::from_secs(20))?;
    let seen: Value = serde_json::from_slice(&ended.output)?;
    report(&format!("a live playlist over {time:?}: {seen}"));
    ensure!(seen["complaints"].as_array().is_some_and(Vec::is_empty), "{seen}");
    ensure!(seen["discontinuities"].as_u64() >= Some(1) && seen["missing"] == false, "{seen}");
    ensure!(seen["playlists"].as_u64() > Some(time.as_secs() * 2), "{seen}");
    second.kill();
    origin.stop()?;
    Ok(())
}
