//! Play across the wraps of every counter on the way. Ten minutes with `cargo xtask test --long`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::Browser;
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::program::Program;
use headwater_tests::source::{Source, publish_file, quiet};
use headwater_tests::{flv, playing_time, report, tools, turn};

const PATIENCE: Duration = Duration::from_secs(20);

/// RTMP times of 0xFFFFFF milliseconds and more stand in an extended field.
#[test]
fn publishing_across_the_extended_timestamp_goes_on() -> Result<()> {
    publishing_across(16_777_215, 1)
}

/// RTMP times have 32 bits, but ffmpeg goes back to zero after 31 of them, so the server sees its clock jump.
#[test]
fn publishing_across_the_end_of_the_encoders_clock_goes_on() -> Result<()> {
    publishing_across(1 << 31, 40)
}

fn publishing_across(milliseconds: u64, tolerance: i64) -> Result<()> {
    let _turn = turn();
    let file = Source::default().file(30)?;
    let sent = flv::pictures(&flv::tags(&std::fs::read(&file)?)?)?;
    let origin = Origin::start()?;
    let publisher = publish_file(&file, &origin.rtmp("far"), milliseconds as f64 / 1_000.0 - 7.0)?;
    origin.wait_published("far")?;
    let recorder = Recorder::rtmpdump(&origin.rtmp("far"))?;
    let mut browser = Browser::play(&origin.whep("far"))?;
    browser.wait_frames(30, PATIENCE)?;
    recorder.wait_pictures(390, PATIENCE * 2)?;
    let got = flv::pictures(&recorder.finish()?)?;
    let first = got.first().context("nothing came")?;
    let at =
        sent.iter().position(|picture| picture.nal_units == first.nal_units).context("no such picture was sent")?;
    for (sent, pair) in sent[at..].windows(2).zip(got.windows(2)) {
        ensure!(pair[1].nal_units == sent[1].nal_units, "a picture is missing at {} ms", pair[1].milliseconds);
        let step =
            |pictures: &[flv::Picture]| i64::from(pictures[1].milliseconds) - i64::from(pictures[0].milliseconds);
        ensure!(
            (step(pair) - step(sent)).abs() <= tolerance,
            "time jumps from {} to {}",
            pair[0].milliseconds,
            pair[1].milliseconds
        );
    }
    let watched = browser.finish()?;
    let seen = watched.seen();
    ensure!(seen.longest_pause() < 1_000.0, "the browser's picture stood for {:.0} ms", seen.longest_pause());
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// Sequence numbers have 16 bits, so more than 65,536 packets to one viewer wrap them wherever they began. The encoder's
/// times begin 15 seconds before they need the extended field.
#[test]
fn a_browser_plays_across_a_wrap_of_the_sequence_numbers() -> Result<()> {
    let _turn = turn();
    let time = playing_time(Duration::from_secs(30));
    // A short play needs many packets a second to wrap, a long one is a stream as people send it.
    let kilobits = if time > Duration::from_secs(300) { 3_000 } else { 16_000 };
    let source = Source { size: (1280, 720), kilobits, group_seconds: 2.0, ..Source::default() };
    let file = source.file(20)?;
    let origin = Origin::start()?;
    let mut command = quiet(&tools::on_path("ffmpeg")?);
    command.args(["-re", "-stream_loop", "-1", "-i"]).arg(&file);
    command.args(["-c", "copy", "-output_ts_offset", "16762.215", "-f", "flv", &origin.rtmp("wide")]);
    let publisher = Program::start("the publishing ffmpeg", &mut command)?;
    origin.wait_published("wide")?;
    let mut browser = Browser::play(&origin.whep("wide"))?;
    browser.wait_frames(30, PATIENCE)?;
    std::thread::sleep(time);
    let received = |seen: &headwater_tests::browser::Seen<'_>| {
        seen.statistics("video")["packetsReceived"].as_u64().unwrap_or_default()
    };
    browser.wait("more than 65,536 packets of video came", Duration::from_secs(90), |seen| received(seen) > 66_000)?;
    browser.wait_frames(60, PATIENCE).context("it plays on after the wrap")?;
    let watched = browser.finish()?;
    let seen = watched.seen();
    let video = seen.statistics("video");
    report(&format!(
        "{} packets, {} lost, {} frames decoded, {} freezes, longest pause {:.0} ms",
        received(&seen),
        video["packetsLost"],
        video["framesDecoded"],
        video["freezeCount"],
        seen.longest_pause()
    ));
    let expected = time.as_secs() * u64::from(source.rate);
    ensure!(seen.frames() * 10 > expected * 8, "{} frames were shown in {time:?}", seen.frames());
    let lost = video["packetsLost"].as_i64().unwrap_or_default();
    ensure!((lost as f64) < received(&seen) as f64 / 1_000.0, "{lost} packets were lost on this very machine");
    publisher.kill();
    origin.stop()?;
    Ok(())
}
