//! Sound files that are played into streams sent to another server: what is heard there, and when.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::flv::{Kind, Tag};
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::program::Program;
use headwater_tests::source::{Source, TONE_HERTZ, publish_file, quiet};
use headwater_tests::{http, report, scratch, tools, turn};
use serde_json::{Value, json};

const ALLOWED: (&str, &str) = ("RELAY__ALLOW", "127.0.0.0/8");
/// The pitch of the sound files, in hertz.
const FILE_HERTZ: u32 = 1_500;
/// Sound is listened to in pieces of so many samples at [`RATE`]: 50 ms.
const PIECE: usize = 800;
const RATE: u32 = 16_000;

fn call(origin: &Origin, path: &str, body: &Value) -> Result<(u16, Value)> {
    let answer = http::post_json(&origin.http(), &format!("/rest-api/{path}"), &body.to_string())?;
    Ok((answer.status, serde_json::from_str(&answer.body).unwrap_or_default()))
}

fn order(origin: &Origin, path: &str, body: &Value) -> Result<()> {
    let (status, answer) = call(origin, path, body)?;
    ensure!(status == 200, "{path} {body}: {status} {answer}");
    Ok(())
}

/// A folder with a second of a tone, at another rate and with one channel.
fn folder() -> Result<PathBuf> {
    let folder = scratch("sounds")?;
    std::fs::create_dir_all(&folder)?;
    let tone = format!("sine=frequency={FILE_HERTZ}:sample_rate=22050:duration=1");
    let mut ffmpeg = quiet(&tools::on_path("ffmpeg")?);
    ffmpeg.args(["-f", "lavfi", "-i", &tone]).arg(folder.join("tone.wav"));
    Program::start("the ffmpeg that makes a sound", &mut ffmpeg)?.succeed(Duration::from_secs(20))?;
    Ok(folder)
}

/// What is heard in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Own,
    File,
    Nothing,
    /// A piece in which one follows another.
    Both,
}

/// What is heard in a recording, piece by piece.
fn listen(file: &Path) -> Result<Vec<Heard>> {
    let samples = scratch("heard.pcm")?;
    let mut ffmpeg = quiet(&tools::on_path("ffmpeg")?);
    ffmpeg.arg("-i").arg(file).args(["-vn", "-ac", "1", "-ar", &RATE.to_string(), "-f", "f32le"]).arg(&samples);
    Program::start("the decoding ffmpeg", &mut ffmpeg)?.succeed(Duration::from_secs(20))?;
    let bytes = std::fs::read(samples)?;
    let samples: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(samples.chunks_exact(PIECE).map(judge).collect())
}

/// Tones of the sine source have an amplitude of an eighth.
fn judge(piece: &[f32]) -> Heard {
    match (level(piece, TONE_HERTZ), level(piece, FILE_HERTZ)) {
        (own, file) if own > 0.1 && file < 0.01 => Heard::Own,
        (own, file) if own < 0.01 && file > 0.1 => Heard::File,
        (own, file) if own < 0.002 && file < 0.002 => Heard::Nothing,
        _ => Heard::Both,
    }
}

/// How loud a pitch is in a piece that holds whole periods of it.
fn level(piece: &[f32], hertz: u32) -> f32 {
    let turn = std::f32::consts::TAU * hertz as f32 / RATE as f32;
    let (mut x, mut y) = (0.0, 0.0);
    for (n, sample) in piece.iter().enumerate() {
        let (sin, cos) = (turn * n as f32).sin_cos();
        (x, y) = (x + sample * cos, y + sample * sin);
    }
    x.hypot(y) * 2.0 / piece.len() as f32
}

/// What is heard one after the other and for how many pieces, without those in between.
fn runs(heard: &[Heard]) -> Vec<(Heard, usize)> {
    let runs = heard.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
    runs.filter(|(heard, length)| *heard != Heard::Both || *length > 2).collect()
}

/// Asserts that sound is one even track: a single configuration, frames neither apart nor over each other, and no
/// further from the picture at the end than at the beginning.
fn assert_even(tags: &[Tag], frame_ms: f64) -> Result<()> {
    let audio: Vec<&Tag> = tags.iter().filter(|tag| tag.kind == Kind::Audio).collect();
    let configurations = audio.iter().filter(|tag| tag.body.get(1) == Some(&0)).count();
    ensure!(configurations == 1, "{configurations} configurations of sound");
    let times: Vec<u32> = audio.iter().filter(|tag| tag.body.get(1) == Some(&1)).map(|tag| tag.milliseconds).collect();
    for pair in times.windows(2) {
        let step = f64::from(pair[1]) - f64::from(pair[0]);
        ensure!((step - frame_ms).abs() <= frame_ms / 2.0 + 1.0, "frames at {pair:?} ms");
    }
    let spoken = (times.len() - 1) as f64 * frame_ms;
    let passed = f64::from(times[times.len() - 1] - times[0]);
    let video: Vec<u32> = tags.iter().filter(|tag| tag.kind == Kind::Video).map(|tag| tag.milliseconds).collect();
    let shown = f64::from(video[video.len() - 1]);
    let apart = shown - f64::from(times[times.len() - 1]);
    report(&format!("{spoken:.0} ms of sound in {passed} ms, which ends {apart:.0} ms before the picture"));
    ensure!((spoken - passed).abs() < 2.0 * frame_ms, "{spoken} ms of sound in {passed} ms");
    ensure!(apart.abs() < 150.0, "sound ends {apart} ms before the picture");
    Ok(())
}

#[test]
fn a_sound_file_is_heard_in_a_pushed_stream_from_sound_on_to_sound_off() -> Result<()> {
    let _turn = turn();
    let folder = folder()?;
    let sounds = ("RELAY__SOUNDS", folder.to_str().context("a folder with an odd name")?);
    let (here, there) = (Origin::configured(&[ALLOWED, sounds])?, Origin::start()?);
    let _source = Source { sample_rate: 44_100, ..Source::default() }.publish(&here.rtmp("cam"))?;
    here.wait_published("cam")?;
    let url = format!("rtmp://{}/live", there.host());
    let (status, push) = call(&here, "push/startup", &json!({ "streamName": "cam", "rtmpUrl": url }))?;
    ensure!(status == 200 && push["soundEnabled"] == false, "{status} {push}");
    there.wait_published("rtmp_cam")?;
    refuse(&here, &folder, &push["mediaSessionId"])?;

    let recorder = Recorder::rtmpdump(&there.rtmp("rtmp_cam"))?;
    let wait = |pictures| recorder.wait_pictures(pictures, Duration::from_secs(30));
    let on =
        |is_looped| json!({ "mediaSessionId": push["mediaSessionId"], "soundFile": "tone.wav", "loop": is_looped });
    wait(60)?;
    order(&here, "push/sound_on", &on(true))?;
    let (_, shown) = call(&here, "push/find_all", &json!({}))?;
    let options = json!({ "action": "sound_on", "soundFile": "tone.wav", "loop": true });
    ensure!(shown[0]["soundEnabled"] == true && shown[0]["options"] == options, "{shown}");
    wait(160)?;
    order(&here, "push/sound_off", &json!({ "mediaSessionId": push["mediaSessionId"] }))?;
    wait(220)?;
    order(&here, "push/sound_on", &on(false))?;
    wait(300)?;
    let tags = recorder.tags()?;
    let heard = runs(&listen(&recorder.stop())?);
    assert_even(&tags, 1_024.0 / 44.1)?;

    let kinds: Vec<Heard> = heard.iter().map(|(heard, _)| *heard).collect();
    ensure!(kinds == [Heard::Own, Heard::File, Heard::Own, Heard::File, Heard::Nothing], "{heard:?}");
    let (looped, once) = (heard[1].1, heard[3].1);
    ensure!(looped >= 40, "the file was repeated for {looped} pieces of 50 ms without a gap: {heard:?}");
    ensure!((18..=21).contains(&once), "the file of a second was heard for {once} pieces of 50 ms: {heard:?}");
    ensure!(!here.log().contains("panicked"), "{}", here.log());
    Ok(())
}

/// Asks for what is no sound file of the folder.
fn refuse(here: &Origin, folder: &Path, push: &Value) -> Result<()> {
    std::fs::write(folder.join("text.wav"), "no sound")?;
    std::fs::File::create(folder.join("huge.wav"))?.set_len(1 << 40)?;
    std::fs::copy(folder.join("tone.wav"), folder.with_extension("wav"))?;
    std::os::unix::fs::symlink(folder.with_extension("wav"), folder.join("link.wav"))?;
    let outside = folder.with_extension("wav");
    let outside = outside.to_str().unwrap_or_default();
    for (file, status, code) in [
        ("none.wav", 404, "not_found"),
        ("../sounds.wav", 400, "bad_sound"),
        (outside, 400, "bad_sound"),
        ("link.wav", 400, "bad_sound"),
        ("huge.wav", 400, "bad_sound"),
        ("text.wav", 400, "bad_sound"),
    ] {
        let (found, refusal) = call(here, "push/sound_on", &json!({ "mediaSessionId": push, "soundFile": file }))?;
        ensure!(
            found == status && refusal["code"] == code && refusal["field"] == "soundFile",
            "{file}: {found} {refusal}"
        );
    }
    let (_, shown) = call(here, "push/find_all", &json!({}))?;
    ensure!(shown[0]["soundEnabled"] == false, "{shown}");
    Ok(())
}

#[test]
fn a_stream_without_sound_is_pushed_with_the_sound_of_a_file() -> Result<()> {
    let _turn = turn();
    let folder = folder()?;
    let sounds = ("RELAY__SOUNDS", folder.to_str().context("a folder with an odd name")?);
    let (here, there) = (Origin::configured(&[ALLOWED, sounds])?, Origin::start()?);
    let _source = publish_file(&silent_film()?, &here.rtmp("cam"), 0.0)?;
    here.wait_published("cam")?;
    let body = json!({
        "streamName": "cam",
        "rtmpUrl": format!("rtmp://{}/live", there.host()),
        "options": { "action": "sound_on", "soundFile": "tone.wav", "loop": true },
    });
    let (status, push) = call(&here, "push/startup", &body)?;
    ensure!(status == 200 && push["soundEnabled"] == true, "{status} {push}");
    there.wait_published("rtmp_cam")?;
    let recorder = Recorder::rtmpdump(&there.rtmp("rtmp_cam"))?;
    let wait = |pictures| recorder.wait_pictures(pictures, Duration::from_secs(30));
    wait(60)?;
    order(&here, "push/sound_off", &json!({ "mediaSessionId": push["mediaSessionId"] }))?;
    wait(110)?;
    let tags = recorder.tags()?;
    let heard = runs(&listen(&recorder.stop())?);
    assert_even(&tags, 1_024.0 / 48.0)?;
    let kinds: Vec<Heard> = heard.iter().map(|(heard, _)| *heard).collect();
    ensure!(kinds == [Heard::File, Heard::Nothing], "{heard:?}");
    ensure!(heard[0].1 >= 30 && heard[1].1 >= 15, "{heard:?}");
    Ok(())
}

/// Pictures alone.
fn silent_film() -> Result<PathBuf> {
    headwater_tests::source::made_once("pictures-alone", "flv", |path| {
        let mut ffmpeg = quiet(&tools::on_path("ffmpeg")?);
        ffmpeg.arg("-i").arg(Source::default().file(20)?).args(["-c", "copy", "-an", "-f", "flv"]).arg(path);
        Program::start("the ffmpeg that leaves sound out", &mut ffmpeg)?.succeed(Duration::from_secs(30))?;
        Ok(())
    })
}
