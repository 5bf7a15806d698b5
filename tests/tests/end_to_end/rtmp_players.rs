//! RTMP and HTTP-FLV players get the bytes that the encoder sent.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::flv::{self, Picture, Tag};
use headwater_tests::origin::Origin;
use headwater_tests::players::{Recorder, decode, mpv, probe};
use headwater_tests::source::{Profile, Source, publish_file};
use headwater_tests::{heavy_turn, scratch, shared_turn, tools};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn every_player_receives_every_nal_unit_and_sound_unchanged() -> Result<()> {
    let _turn = shared_turn();
    let sources = [
        Source { profile: Profile::Baseline, sample_rate: 44_100, channels: 1, ..Source::default() },
        Source { profile: Profile::Main, sample_rate: 48_000, channels: 2, ..Source::default() },
        Source { profile: Profile::High, b_frames: 2, sample_rate: 44_100, channels: 2, ..Source::default() },
    ];
    for source in sources {
        unchanged(&source).with_context(|| format!("{source:?}"))?;
    }
    Ok(())
}

fn unchanged(source: &Source) -> Result<()> {
    let file = source.file(30)?;
    let sent = flv::tags(&std::fs::read(&file)?)?;
    let origin = Origin::start()?;
    let publisher = publish_file(&file, &origin.rtmp("same"), 0.0)?;
    origin.wait_published("same")?;
    let recorders = [
        ("ffmpeg by RTMP", Recorder::ffmpeg(&origin.rtmp("same"))?),
        ("rtmpdump", Recorder::rtmpdump(&origin.rtmp("same"))?),
        ("ffmpeg by HTTP-FLV", Recorder::ffmpeg(&origin.flv("same"))?),
        ("curl", Recorder::curl(&origin.flv("same"))?),
    ];
    for (name, recorder) in recorders {
        recorder.wait_pictures(120, PATIENCE).context(name)?;
        let got = recorder.finish().context(name)?;
        same_pictures(&sent, &got).context(name)?;
        same_sound(&sent, &got).context(name)?;
        times_run_forward(&got).context(name)?;
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// What came is an unbroken piece of what was sent that begins at a key frame, each picture with its composition time.
fn same_pictures(sent: &[Tag], got: &[Tag]) -> Result<()> {
    let (sent, got) = (flv::pictures(sent)?, flv::pictures(got)?);
    let first = got.first().context("no picture came")?;
    ensure!(first.key, "the first picture that came is no key frame");
    let carried = |picture: &Picture| (picture.nal_units.clone(), picture.composition, picture.key);
    let at =
        sent.iter().position(|picture| picture.nal_units == first.nal_units).context("no such picture was sent")?;
    for (index, (sent, got)) in sent[at..].iter().zip(&got).enumerate() {
        ensure!(carried(sent) == carried(got), "picture {index} after the first differs from the one sent");
    }
    let step =
        |from: &[Picture]| from.last().zip(from.first()).map(|(last, first)| last.milliseconds - first.milliseconds);
    let (of_sent, of_got) = (step(&sent[at..at + got.len()]), step(&got));
    ensure!(of_sent == of_got, "sent over {of_sent:?} ms, came over {of_got:?} ms");
    Ok(())
}

fn same_sound(sent: &[Tag], got: &[Tag]) -> Result<()> {
    let (sent, got) = (flv::sounds(sent), flv::sounds(got));
    ensure!(got.len() > 100, "only {} sounds came", got.len());
    ensure!(flv::is_piece_of(&got, &sent), "the sound differs from the one sent");
    Ok(())
}

fn times_run_forward(tags: &[Tag]) -> Result<()> {
    for kind in [flv::Kind::Audio, flv::Kind::Video] {
        let times: Vec<u32> = tags.iter().filter(|tag| tag.kind == kind).map(|tag| tag.milliseconds).collect();
        ensure!(times.is_sorted(), "{kind:?} times run backwards");
    }
    Ok(())
}

#[test]
fn ffprobe_and_mpv_play_by_rtmp_and_http_flv() -> Result<()> {
    let _turn = heavy_turn();
    let source = Source { profile: Profile::High, b_frames: 2, ..Source::default() };
    let origin = Origin::start()?;
    let publisher = source.publish(&origin.rtmp("seen"))?;
    origin.wait_published("seen")?;
    for url in [origin.rtmp("seen"), origin.flv("seen")] {
        let streams = probe(&url).context(url.clone())?;
        let video = streams.iter().find(|stream| stream["codec_name"] == "h264").context("no H.264")?;
        ensure!(video["profile"] == "High" && video["width"] == 640 && video["height"] == 360, "{video}");
        let audio = streams.iter().find(|stream| stream["codec_name"] == "aac").context("no AAC")?;
        ensure!(audio["sample_rate"] == "48000" && audio["channels"] == 2, "{audio}");
        mpv(&url, 60).context(url.clone())?;
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_recording_of_a_late_joiner_decodes_without_a_complaint() -> Result<()> {
    let _turn = shared_turn();
    let source = Source { group_seconds: 2.0, profile: Profile::Main, ..Source::default() };
    let origin = Origin::start()?;
    let publisher = source.publish(&origin.rtmp("late"))?;
    origin.wait_published("late")?;
    std::thread::sleep(Duration::from_millis(3_300));
    let recorder = Recorder::curl(&origin.flv("late"))?;
    recorder.wait_pictures(60, PATIENCE)?;
    let tags = recorder.finish()?;
    ensure!(flv::pictures(&tags)?.first().is_some_and(|first| first.key), "it does not begin with a key frame");
    let recording = scratch("late.flv")?;
    let again = Recorder::ffmpeg(&origin.rtmp("late"))?;
    again.wait_pictures(60, PATIENCE)?;
    std::fs::write(&recording, flv::write(&again.finish()?))?;
    let complaints = decode(&tools::on_path("ffmpeg")?, &recording)?;
    ensure!(complaints.is_empty(), "ffmpeg complains: {complaints}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_stream_is_published_and_played_over_tls() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let file = Source::default().file(30)?;
    let sent = flv::tags(&std::fs::read(&file)?)?;
    let publisher = publish_file(&file, &origin.rtmps("closed"), 0.0)?;
    origin.wait_published("closed")?;
    let recorder = Recorder::ffmpeg(&origin.rtmps("closed"))?;
    recorder.wait_pictures(60, PATIENCE)?;
    same_pictures(&sent, &recorder.finish()?)?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn names_below_other_apps_and_with_query_tokens_are_found() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let host = origin.host();
    let file = Source::default().file(30)?;
    let publisher = publish_file(&file, &format!("rtmp://{host}/studio/cam-1?token=abc"), 0.0)?;
    origin.wait_published("studio/cam-1")?;
    for url in [format!("rtmp://{host}/studio/cam-1"), origin.flv("studio/cam-1")] {
        ensure!(probe(&url)?.len() == 2, "{url}");
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}
