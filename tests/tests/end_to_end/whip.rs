//! Browsers and encoders publish over WebRTC; browsers and players of every protocol watch.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::{Browser, percentile};
use headwater_tests::flv;
use headwater_tests::origin::Origin;
use headwater_tests::players::{Recorder, probe};
use headwater_tests::program::Program;
use headwater_tests::publisher::{Kind, Publisher};
use headwater_tests::source::{quiet, words};
use headwater_tests::{heavy_turn, report, sync, tools, turn};

const PATIENCE: Duration = Duration::from_secs(30);

/// A picture with a clock and a tone with beeps, from one browser to another.
fn goes_from_browser_to_browser(codec: &str) -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let mut publisher = Publisher::start(&origin.whip("clock"), &Kind::Clock { codec })?;
    origin.wait_published("clock")?;
    let mut browser = Browser::play(&origin.whep("clock"))?;
    browser.wait_frames(250, PATIENCE)?;
    publisher.check()?;
    let sent = publisher.codec()?;
    ensure!(sent.eq_ignore_ascii_case(codec), "{sent} is sent");
    browser.finish()?.sees_clock(&format!("{codec} from Chromium by WHIP to Chromium by WHEP"), 100.0)?;
    publisher.leave()?;
    origin.wait_gone("clock")?;
    origin.stop()?;
    Ok(())
}

#[test]
fn h264_goes_from_a_browser_to_a_browser() -> Result<()> {
    goes_from_browser_to_browser("video/H264")
}

#[test]
fn vp8_goes_from_a_browser_to_a_browser() -> Result<()> {
    goes_from_browser_to_browser("video/VP8")
}

#[test]
fn a_camera_in_a_browser_plays_at_once_over_rtmp_and_http() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Publisher::start(&origin.whip("cam"), &Kind::Camera { codec: "video/H264" })?;
    origin.wait_published("cam")?;
    let streams = probe(&origin.rtmp("cam"))?;
    let codecs: Vec<&str> = streams.iter().filter_map(|stream| stream["codec_name"].as_str()).collect();
    ensure!(codecs.contains(&"h264") && codecs.contains(&"aac"), "{codecs:?}");
    let picture = streams.iter().find(|stream| stream["codec_name"] == "h264").context("no picture")?;
    ensure!(picture["width"] == 640 && picture["height"] == 360, "{picture}");
    let recorder = Recorder::curl(&origin.flv("cam"))?;
    recorder.wait_pictures(100, PATIENCE)?;
    let tags = recorder.finish()?;
    let times =
        |kind| tags.iter().filter(move |tag| tag.kind == kind).map(|tag| tag.milliseconds).collect::<Vec<u32>>();
    let (pictures, sounds) = (times(flv::Kind::Video), times(flv::Kind::Audio));
    ensure!(pictures.is_sorted() && sounds.is_sorted(), "times run backwards");
    // Sound is converted from when the first player asks for it, so it may begin later; it must not drift.
    let (picture, sound) = (pictures.last().unwrap_or(&0), sounds.last().unwrap_or(&0));
    report(&format!("{} pictures up to {picture} ms, {} sounds up to {sound} ms", pictures.len(), sounds.len()));
    ensure!(
        sounds.len() > 60 && picture.abs_diff(*sound) < 300,
        "pictures up to {picture} ms, sounds up to {sound} ms"
    );
    let steps: Vec<u32> = pictures.windows(2).skip(1).map(|pair| pair[1] - pair[0]).collect();
    ensure!(steps.iter().all(|step| *step < 200), "pictures are {steps:?} ms apart");
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

/// By the stamps of what RTMP and HTTP-FLV players get, with the sound converted to AAC on the way.
#[test]
fn sound_and_picture_of_a_browser_are_together_for_rtmp_and_http_players() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let publisher = Publisher::start(&origin.whip("clock"), &Kind::Clock { codec: "video/H264" })?;
    origin.wait_published("clock")?;
    let recorders = [
        ("HTTP-FLV by curl", Recorder::curl(&origin.flv("clock"))?),
        ("RTMP by rtmpdump", Recorder::rtmpdump(&origin.rtmp("clock"))?),
    ];
    for (name, recorder) in recorders {
        recorder.wait_pictures(300, PATIENCE).context(name)?;
        let offsets = sync::sound_after_picture(&recorder.stop()).context(name)?;
        let middle = percentile(&offsets, 50).with_context(|| format!("{name}: no flash met a beep"))?;
        report(&format!("{name}: sound after picture {middle:.0} ms by the stamps: {offsets:.0?}"));
        ensure!(offsets.len() >= 6, "{name}: only {} flashes met a beep", offsets.len());
        ensure!(middle.abs() < 100.0, "{name}: the sound comes {middle:.0} ms after the picture: {offsets:.0?}");
    }
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}

/// ffmpeg 9 asks for nothing but retransmission, answers one ICE check, and wants a length of each answer.
pub(crate) fn publish_by_ffmpeg(url: &str, seconds: u32) -> Result<Program> {
    let mut command = quiet(&tools::newest_ffmpeg()?);
    command.args(words("-re -f lavfi -i testsrc2=size=640x360:rate=30"));
    command.args(words("-f lavfi -i sine=frequency=500:sample_rate=48000 -ac 2 -pix_fmt yuv420p -g 60"));
    command.args(words("-c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -c:a libopus"));
    command.args(["-t", &seconds.to_string(), "-f", "whip", url]);
    Program::start("the publishing ffmpeg", &mut command)
}

#[test]
fn ffmpeg_publishes_by_whip_to_browsers_and_players() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    // Longer than a server waits for a peer that it takes for gone.
    let publisher = publish_by_ffmpeg(&origin.whip("ff"), 25)?;
    origin.wait_published("ff")?;
    let mut browser = Browser::play(&origin.whep("ff"))?;
    let streams = probe(&origin.rtmp("ff"))?;
    ensure!(streams.len() == 2, "{streams:?}");
    browser.wait_frames(450, PATIENCE)?;
    let watched = browser.finish()?;
    let seen = watched.seen();
    report(&format!("ffmpeg 9 by WHIP: {} frames, tone {:.2}", seen.frames(), seen.tone()));
    ensure!(seen.tone() > 0.9 && seen.silence() < 15.0, "tone {:.2}, silence {:.1} %", seen.tone(), seen.silence());
    publisher.succeed(PATIENCE)?;
    // Its DELETE ends the stream; it complains of any answer to that, whatever it is.
    origin.wait_gone("ff")?;
    origin.stop()?;
    Ok(())
}

/// An independent stack, in Python.
fn publish_by_aiortc(url: &str, codec: &str) -> Result<Program> {
    let python = tools::folder().join("venv/bin/python");
    let mut command = Command::new(python);
    command.arg(tools::package().join("clients/aiortc_whip.py")).args([url, codec]);
    Program::start("aiortc", &mut command)
}

#[test]
fn aiortc_publishes_by_whip() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    for codec in ["H264", "VP8"] {
        let name = codec.to_owned();
        let publisher = publish_by_aiortc(&origin.whip(&name), codec)?;
        origin.wait_published(&name).with_context(|| publisher.messages())?;
        let mut browser = Browser::play(&origin.whep(&name))?;
        browser.wait_frames(100, PATIENCE).with_context(|| publisher.messages())?;
        let watched = browser.finish()?;
        report(&format!("aiortc, {codec}: {} frames", watched.seen().frames()));
        publisher.kill();
    }
    origin.stop()?;
    Ok(())
}

#[test]
fn viewers_who_stay_see_a_browser_come_back() -> Result<()> {
    let _turn = heavy_turn();
    // A browser takes its time to start on a busy machine.
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "20000")])?;
    let kind = Kind::Clock { codec: "video/H264" };
    let first = Publisher::start(&origin.whip("back"), &kind)?;
    origin.wait_published("back")?;
    let mut browser = Browser::play(&origin.whep("back"))?;
    browser.wait_frames(60, PATIENCE)?;
    // It closes its connection without saying DELETE, as a page that is reloaded does.
    first.vanish()?;
    let frames = browser.look().frames();
    let second = Publisher::start(&origin.whip("back"), &kind)?;
    browser.wait("the browser sees the second publisher", PATIENCE, |seen| seen.frames() > frames + 60)?;
    let watched = browser.finish()?;
    ensure!(watched.seen().backwards() == 0, "{} frames were shown out of order", watched.seen().backwards());
    second.leave()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn viewers_see_the_best_of_several_sizes() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let kind = Kind::Simulcast { codec: "video/VP8", rids: &["q", "h", "f"] };
    let publisher = Publisher::start(&origin.whip("sizes"), &kind)?;
    origin.wait_published("sizes")?;
    let is_sent = |size: &serde_json::Value| size["framesSent"].as_u64().unwrap_or(0) > 60;
    publisher.wait("three sizes are sent", PATIENCE, |sent| sent.iter().filter(|size| is_sent(size)).count() == 3)?;
    let mut browser = Browser::play(&origin.whep("sizes"))?;
    browser.wait_frames(150, PATIENCE)?;
    let widths = publisher.sent()?.into_iter().filter(is_sent).filter_map(|size| size["frameWidth"].as_u64());
    let largest = widths.max().unwrap_or(0);
    let watched = browser.finish()?;
    let seen = watched.seen();
    report(&format!("simulcast: the largest size sent is {largest} wide, shown are {:?}", seen.size()));
    ensure!(u64::from(seen.size().0) == largest, "{} pixels wide are sent, {:?} shown", largest, seen.size());
    ensure!(seen.backwards() == 0, "{} frames were shown out of order", seen.backwards());
    publisher.leave()?;
    origin.stop()?;
    Ok(())
}
