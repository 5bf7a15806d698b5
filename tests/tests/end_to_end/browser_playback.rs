//! A browser plays what an encoder sends by RTMP: picture, sound, both together, and soon.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::{Browser, Report, Seen};
use headwater_tests::origin::Origin;
use headwater_tests::players::{Recorder, mpv};
use headwater_tests::source::{Profile, Source, publish_file};
use headwater_tests::{flv, heavy_turn, report, turn};

const PATIENCE: Duration = Duration::from_secs(20);
/// Frames watched in each case: eight seconds.
const WATCHED: u64 = 240;

fn watch(source: &Source, frames: u64) -> Result<Report> {
    let origin = Origin::start()?;
    let publisher = source.publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut browser = Browser::play(&origin.whep("clock"))?;
    browser.wait_frames(30, PATIENCE)?;
    browser.wait_frames(frames, PATIENCE * 2)?;
    let watched = browser.finish()?;
    publisher.kill();
    origin.stop()?;
    Ok(watched)
}

fn tell(name: &str, seen: &Seen<'_>) {
    let round = |value: Option<f64>| value.map_or("none".to_owned(), |value| format!("{value:.0} ms"));
    report(&format!(
        "{name}: latency p50 {}, p95 {}; sound after picture {}; {} frames, {} backwards, longest pause {:.0} ms; \
         tone {:.2}, silent {:.1} %",
        round(seen.latency(50)),
        round(seen.latency(95)),
        round(seen.sync()),
        seen.frames(),
        seen.backwards(),
        seen.longest_pause(),
        seen.tone(),
        seen.silence(),
    ));
}

fn picture_moves(seen: &Seen<'_>) -> Result<()> {
    ensure!(seen.size() == (640, 360), "the picture is {:?}", seen.size());
    ensure!(seen.changes() * 10 > seen.frames() * 9, "{} of {} frames differ", seen.changes(), seen.frames());
    ensure!(seen.unreadable() * 20 < seen.frames(), "the clock of {} frames is unreadable", seen.unreadable());
    Ok(())
}

fn sound_is_the_tone(seen: &Seen<'_>) -> Result<()> {
    ensure!(seen.sound_blocks() > 500, "only {} blocks of sound", seen.sound_blocks());
    ensure!(seen.tone() > 0.7, "the tone has {:.2} of the energy of the sound", seen.tone());
    ensure!(seen.silence() < 10.0, "{:.1} % of the sound is silent", seen.silence());
    Ok(())
}

fn sound_and_picture_are_together(seen: &Seen<'_>, milliseconds: f64) -> Result<()> {
    let offsets = seen.sound_after_picture();
    let sync = seen.sync().context("no flash met a beep")?;
    ensure!(offsets.len() >= 5, "only {} flashes met a beep", offsets.len());
    ensure!(sync.abs() < milliseconds, "the sound comes {sync:.0} ms after the picture: {offsets:.0?}");
    Ok(())
}

#[test]
fn baseline_with_44100_hertz_mono_plays_in_a_browser() -> Result<()> {
    plays(&Source { profile: Profile::Baseline, sample_rate: 44_100, channels: 1, ..Source::default() })
}

#[test]
fn main_with_48000_hertz_stereo_plays_in_a_browser() -> Result<()> {
    plays(&Source { profile: Profile::Main, sample_rate: 48_000, channels: 2, ..Source::default() })
}

#[test]
fn high_with_48000_hertz_mono_plays_in_a_browser() -> Result<()> {
    plays(&Source { profile: Profile::High, sample_rate: 48_000, channels: 1, ..Source::default() })
}

fn plays(source: &Source) -> Result<()> {
    let _turn = turn();
    let watched = watch(source, WATCHED)?;
    let seen = watched.seen();
    tell(&format!("{:?}, {} Hz, {} channels", source.profile, source.sample_rate, source.channels), &seen);
    picture_moves(&seen)?;
    ensure!(seen.backwards() == 0, "{} frames were shown out of order", seen.backwards());
    let latency = seen.latency(50).context("no clock could be read")?;
    ensure!(latency < 600.0, "latency {latency:.0} ms");
    sound_is_the_tone(&seen)?;
    sound_and_picture_are_together(&seen, 100.0)?;
    ensure!(watched.complaints.is_empty(), "{:?}", watched.complaints);
    Ok(())
}

/// Browsers show the pictures of WebRTC in the order in which they come, so those that come out of order are left out:
/// a third of them remains here. They must be in order, and the sound whole.
#[test]
fn high_with_b_frames_keeps_playing_in_a_browser() -> Result<()> {
    let _turn = turn();
    let source = Source { profile: Profile::High, b_frames: 2, sample_rate: 44_100, ..Source::default() };
    let watched = watch(&source, 120)?;
    let seen = watched.seen();
    tell("High with B-frames, 44100 Hz, 2 channels", &seen);
    picture_moves(&seen)?;
    sound_is_the_tone(&seen)?;
    sound_and_picture_are_together(&seen, 250.0)?;
    ensure!(seen.backwards() == 0, "{} frames were shown out of order", seen.backwards());
    ensure!(seen.longest_pause() < 1_000.0, "the picture stood for {:.0} ms", seen.longest_pause());
    ensure!(seen.state() == Some("connected"), "the connection is {:?}", seen.state());
    Ok(())
}

#[test]
fn browsers_and_rtmp_players_watch_the_same_stream_at_once() -> Result<()> {
    let _turn = heavy_turn();
    let file = Source::default().file(60)?;
    let origin = Origin::start()?;
    let publisher = publish_file(&file, &origin.rtmp("all"), 0.0)?;
    origin.wait_published("all")?;
    let rtmp = Recorder::rtmpdump(&origin.rtmp("all"))?;
    let http = Recorder::curl(&origin.flv("all"))?;
    let mut browser = Browser::play(&origin.whep("all"))?;
    browser.wait_frames(30, PATIENCE)?;
    mpv(&origin.rtmp("all"), 60)?;
    browser.wait_frames(30, PATIENCE)?;
    let live = origin.streams()?;
    ensure!(live.len() == 1, "{live:?}");
    for (name, recorder) in [("rtmpdump", rtmp), ("curl", http)] {
        let pictures = flv::pictures(&recorder.finish()?)?;
        ensure!(pictures.len() > 60, "{name} has {} pictures", pictures.len());
    }
    let watched = browser.finish()?;
    picture_moves_without_clock(&watched.seen())?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

fn picture_moves_without_clock(seen: &Seen<'_>) -> Result<()> {
    ensure!(seen.changes() * 10 > seen.frames() * 9, "{} of {} frames differ", seen.changes(), seen.frames());
    Ok(())
}

#[test]
fn a_browser_behind_a_firewall_plays_over_tcp() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut browser = Browser::play_without_udp(&origin.whep("clock"))?;
    browser.wait_frames(WATCHED, PATIENCE * 2)?;
    let watched = browser.finish()?;
    let seen = watched.seen();
    tell("over TCP", &seen);
    ensure!(seen.statistics("transport") == "tcp", "the media came over {}", seen.statistics("transport"));
    picture_moves(&seen)?;
    sound_is_the_tone(&seen)?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn viewers_who_stay_see_a_killed_publisher_come_back() -> Result<()> {
    let _turn = turn();
    let source = Source::default();
    let origin = Origin::start()?;
    let first = source.publish(&origin.rtmp("back"))?;
    origin.wait_published("back")?;
    let mut player = Recorder::rtmpdump(&origin.rtmp("back"))?;
    let mut browser = Browser::play(&origin.whep("back"))?;
    browser.wait_frames(60, PATIENCE)?;
    player.wait_pictures(60, PATIENCE)?;
    first.kill();
    std::thread::sleep(Duration::from_secs(2));
    let frames = browser.look().frames();
    let pictures = flv::pictures(&player.tags()?)?.len();
    let second = source.publish(&origin.rtmp("back"))?;
    browser.wait("the browser sees the second publisher", PATIENCE, |seen| seen.frames() > frames + 60)?;
    let silent = browser.look().silent_blocks();
    browser.wait_frames(240, PATIENCE)?;
    player.wait_pictures(pictures + 60, PATIENCE).context("rtmpdump sees the second publisher")?;
    ensure!(player.runs(), "the RTMP player was sent away");
    let tags = player.finish()?;
    let times: Vec<u32> = tags.iter().filter(|tag| tag.kind == flv::Kind::Video).map(|tag| tag.milliseconds).collect();
    ensure!(times.is_sorted(), "the player's times run backwards across the restart");
    let watched = browser.finish()?;
    tell("after a restart of the publisher", &watched.seen());
    let silent = watched.seen().silent_blocks() - silent;
    ensure!(watched.seen().tone() > 0.7 && silent < 100, "{silent} silent blocks after the restart");
    sound_and_picture_are_together(&watched.seen(), 100.0)?;
    second.kill();
    origin.stop()?;
    Ok(())
}
