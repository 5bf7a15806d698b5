//! The server as its operator meets it: command line, configuration, REST, metrics, stop.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::Browser;
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::program::{Ended, Program};
use headwater_tests::source::{Source, publish_file};
use headwater_tests::{heavy_turn, http, scratch, shared_turn, tools};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

fn origin(arguments: &[&str]) -> Result<Ended> {
    Program::start("origin", Command::new(tools::origin()?).args(arguments))?.wait(PATIENCE)
}

#[test]
fn the_printed_default_configuration_is_accepted() -> Result<()> {
    let printed = origin(&["--print-default-config"])?;
    ensure!(printed.status.success(), "{}", printed.messages);
    let file = scratch("default.toml")?;
    std::fs::write(&file, &printed.output)?;
    let path = file.to_string_lossy().into_owned();
    let checked = origin(&["--config", &path, "--check-config"])?;
    ensure!(checked.status.success(), "{}", checked.messages);
    Ok(())
}

#[test]
fn a_misspelt_key_is_refused_with_its_line_and_the_nearest_right_one() -> Result<()> {
    let file = scratch("wrong.toml")?;
    std::fs::write(&file, "[listen]\naddress = \"127.0.0.1\"\n\n[http]\nprots = [8080]\n")?;
    let path = file.to_string_lossy().into_owned();
    let refused = origin(&["--config", &path, "--check-config"])?;
    ensure!(!refused.status.success(), "it was accepted");
    let words = format!("{}{}", String::from_utf8_lossy(&refused.output), refused.messages);
    for word in ["prots", "ports", ":5"] {
        ensure!(words.contains(word), "no {word:?} in: {words}");
    }
    ensure!(!words.contains("panicked"), "{words}");
    Ok(())
}

#[test]
fn another_address_than_loopback_is_refused_unless_it_is_meant() -> Result<()> {
    let refused = origin(&["--listen", "0.0.0.0", "--check-config"])?;
    ensure!(!refused.status.success() && refused.messages.contains("insecure"), "{}", refused.messages);
    Ok(())
}

#[test]
fn a_taken_port_ends_the_start_with_words() -> Result<()> {
    let _turn = shared_turn();
    let first = Origin::start()?;
    let second = origin(&["--listen", &first.host().to_string()])?;
    ensure!(!second.status.success(), "both run");
    ensure!(second.messages.contains("8080") || second.messages.contains("1935"), "{}", second.messages);
    ensure!(!second.messages.contains("panicked"), "{}", second.messages);
    first.stop()?;
    Ok(())
}

#[test]
fn health_readiness_and_metrics_are_served_on_every_http_port() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    for port in [8080, 8081, 8082] {
        let address = format!("{}:{port}", origin.host());
        for page in ["/healthz", "/readyz", "/metrics", "/"] {
            let answer = http::get(&address, page)?;
            ensure!(answer.status == 200, "{address}{page}: {answer:?}");
        }
    }
    let metrics = http::get(&origin.http(), "/metrics")?.body;
    ensure!(metrics.lines().filter(|line| line.starts_with("# TYPE headwater_")).count() > 5, "{metrics}");
    origin.stop()?;
    Ok(())
}

#[test]
fn the_rest_api_finds_a_stream_with_its_viewers_and_ends_it() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let empty = http::post_json(&origin.http(), "/rest-api/stream/find_all", "{}")?;
    ensure!(empty.status == 404, "{empty:?}");
    let source = Source { sample_rate: 44_100, ..Source::default() };
    let publisher = publish_file(&source.file(60)?, &origin.rtmp("told"), 0.0)?;
    origin.wait_published("told")?;
    let mut player = Recorder::rtmpdump(&origin.rtmp("told"))?;
    player.wait_pictures(30, PATIENCE)?;
    let mut browser = Browser::play(&origin.whep("told"))?;
    browser.wait_frames(30, PATIENCE)?;
    let found = http::post_json(&origin.http(), "/rest-api/stream/find", r#"{"name":"told","published":true}"#)?;
    let list: Value = serde_json::from_str(&found.body).with_context(|| found.body.clone())?;
    let stream = list.get(0).context("not found")?;
    ensure!(stream["videoCodec"] == "H264" && stream["width"] == 640 && stream["height"] == 360, "{stream}");
    ensure!(stream["viewers"] == 2 && stream["mediaProvider"] == "RTMP" && stream["bFrames"] == false, "{stream}");
    let conversions = stream["conversions"].as_array().context("no conversion is told")?;
    ensure!(conversions.iter().any(|one| one["from"] == "AAC" && one["to"] == "opus"), "{stream}");
    let ended = http::post_json(&origin.http(), "/rest-api/stream/terminate", r#"{"name":"told"}"#)?;
    ensure!(ended.status == 200, "{ended:?}");
    origin.wait_empty()?;
    publisher.wait(PATIENCE).context("the publisher is told to end")?;
    headwater_tests::program::until("the player is sent away", PATIENCE, || !player.runs())?;
    player.finish()?;
    browser.finish()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn audio_is_converted_only_while_somebody_needs_it() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("lazy"))?;
    origin.wait_published("lazy")?;
    let player = Recorder::rtmpdump(&origin.rtmp("lazy"))?;
    player.wait_pictures(30, PATIENCE)?;
    let conversions = || -> Result<u64> { Ok(origin.metric("headwater_conversions")?.unwrap_or_default() as u64) };
    ensure!(conversions()? == 0, "a conversion runs for an RTMP player");
    let mut one = Browser::play(&origin.whep("lazy"))?;
    one.wait_frames(30, PATIENCE)?;
    let mut two = Browser::play(&origin.whep("lazy"))?;
    two.wait_frames(30, PATIENCE)?;
    ensure!(conversions()? == 1, "{} conversions for two browsers", conversions()?);
    one.finish()?;
    two.finish()?;
    let gone = || conversions().is_ok_and(|running| running == 0);
    headwater_tests::program::until("the conversion stops", PATIENCE, gone)?;
    player.finish()?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_stop_ends_viewers_and_publishers_soon() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("last"))?;
    origin.wait_published("last")?;
    let player = Recorder::rtmpdump(&origin.rtmp("last"))?;
    player.wait_pictures(30, PATIENCE)?;
    let mut browser = Browser::play(&origin.whep("last"))?;
    browser.wait_frames(30, PATIENCE)?;
    let begun = Instant::now();
    origin.stop()?;
    ensure!(begun.elapsed() < Duration::from_secs(8), "the stop took {:?}", begun.elapsed());
    publisher.wait(PATIENCE).context("the publisher ends")?;
    player.finish()?;
    browser.kill();
    Ok(())
}
