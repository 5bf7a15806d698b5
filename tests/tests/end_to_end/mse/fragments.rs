//! What MSE viewers are sent, written to a file as it comes and given to ffmpeg and ffprobe.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::StreamExt;
use headwater_tests::origin::Origin;
use headwater_tests::players::decode;
use headwater_tests::program::Program;
use headwater_tests::source::{Profile, Source, publish_file};
use headwater_tests::{flv, report, scratch, shared_turn, tools};
use serde_json::Value;
use tokio_tungstenite::{client_async, tungstenite::Message};

/// What one viewer was sent.
#[derive(Default)]
struct Sent {
    words: Vec<Value>,
    /// Init segments and fragments, one after the other.
    media: Vec<u8>,
    close: Option<u16>,
}

/// Watches until so many messages of media have come, or the server closes.
fn watch(origin: &Origin, path: &str, messages: usize) -> Result<Sent> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watched = runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(30), async {
            let stream = tokio::net::TcpStream::connect(origin.http()).await?;
            let (mut socket, _) = client_async(format!("ws://{}{path}", origin.http()), stream).await?;
            let (mut sent, mut count) = (Sent::default(), 0);
            while count < messages {
                match socket.next().await.context("the connection is gone")?? {
                    Message::Text(text) => sent.words.push(serde_json::from_str(&text)?),
                    Message::Binary(bytes) => {
                        sent.media.extend_from_slice(&bytes);
                        count += 1;
                    }
                    Message::Close(frame) => {
                        sent.close = frame.map(|frame| frame.code.into());
                        break;
                    }
                    other => bail!("{other:?}"),
                }
            }
            let _ = socket.close(None).await;
            Ok(sent)
        })
        .await
    });
    watched.context("nothing more comes")?
}

impl Sent {
    fn file(&self, name: &str) -> Result<PathBuf> {
        let file = scratch(&format!("{name}.mp4"))?;
        std::fs::write(&file, &self.media)?;
        Ok(file)
    }

    /// The media of a track: the `mdat` of each fragment, which hold one frame each.
    fn frames(&self, track: u32) -> Result<Vec<&[u8]>> {
        let (mut frames, mut of) = (Vec::new(), 0);
        for (kind, body) in boxes(&self.media)? {
            match kind {
                b"moof" => {
                    let (_, traf) = boxes(body)?.into_iter().find(|(kind, _)| *kind == b"traf").context("no traf")?;
                    let (_, tfhd) = boxes(traf)?.into_iter().find(|(kind, _)| *kind == b"tfhd").context("no tfhd")?;
                    of = u32::from_be_bytes(tfhd[4..8].try_into()?);
                }
                b"mdat" if of == track => frames.push(body),
                _ => {}
            }
        }
        Ok(frames)
    }
}

/// The boxes in some bytes: kind and body (ISO/IEC 14496-12 §4.2).
fn boxes(mut bytes: &[u8]) -> Result<Vec<(&[u8; 4], &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let size = u32::from_be_bytes(bytes.get(..4).context("a box is cut")?.try_into()?) as usize;
        let (this, rest) = bytes.split_at_checked(size).context("a box is cut")?;
        found.push((this[4..8].try_into()?, &this[8..]));
        bytes = rest;
    }
    Ok(found)
}

/// What ffprobe says of the packets of the first track of a kind: decode and presentation time in seconds, and whether
/// it is a key frame.
fn packets(file: &std::path::Path, kind: &str) -> Result<Vec<(f64, f64, bool)>> {
    let mut command = Command::new(tools::on_path("ffprobe")?);
    let wanted = "packet=dts_time,pts_time,flags";
    command.args(["-v", "error", "-select_streams", &format!("{kind}:0"), "-show_entries", wanted, "-of", "json"]);
    let ended = Program::start("ffprobe", command.arg(file))?.succeed(Duration::from_secs(30))?;
    let told: Value = serde_json::from_slice(&ended.output)?;
    let seconds = |packet: &Value, key: &str| packet[key].as_str().and_then(|text| text.parse().ok());
    let packet = |packet: &Value| {
        let key = packet["flags"].as_str().is_some_and(|flags| flags.starts_with('K'));
        Some((seconds(packet, "dts_time")?, seconds(packet, "pts_time")?, key))
    };
    told["packets"].as_array().into_iter().flatten().map(|one| packet(one).context("a packet has no time")).collect()
}

/// The packets of sound in a file: a hash of what they hold, and their time in milliseconds.
fn sounds(file: &std::path::Path) -> Result<Vec<(String, f64)>> {
    let mut command = Command::new(tools::on_path("ffprobe")?);
    command.args(["-v", "error", "-select_streams", "a:0", "-show_data_hash", "md5"]);
    command.args(["-show_entries", "packet=pts_time,data_hash", "-of", "json"]);
    let ended = Program::start("ffprobe", command.arg(file))?.succeed(Duration::from_secs(30))?;
    let told: Value = serde_json::from_slice(&ended.output)?;
    let packet = |packet: &Value| {
        let seconds: f64 = packet["pts_time"].as_str()?.parse().ok()?;
        Some((packet["data_hash"].as_str()?.to_owned(), seconds * 1_000.0))
    };
    told["packets"].as_array().into_iter().flatten().map(|one| packet(one).context("a packet has no hash")).collect()
}

/// How much earlier or later each packet of sound is beside the pictures than it was sent, in milliseconds at most.
/// `begin` and `shown` are when the same picture was to be shown.
fn sound_moved(sent: &[(String, f64)], begin: f64, got: &[(String, f64)], shown: f64) -> Result<f64> {
    let alike = |place: &[(String, f64)]| place.iter().zip(got).all(|(one, other)| one.0 == other.0);
    let place = sent.windows(got.len().min(50)).position(alike).context("the sound is another")?;
    let moved = sent[place..].iter().zip(got).map(|(sent, got)| ((got.1 - shown) - (sent.1 - begin)).abs());
    Ok(moved.fold(0.0, f64::max))
}

#[test]
fn every_nal_unit_and_time_of_a_source_with_b_frames_arrives_unchanged() -> Result<()> {
    let _turn = shared_turn();
    let source = Source { profile: Profile::High, b_frames: 2, sample_rate: 44_100, ..Source::default() };
    let file = source.file(20)?;
    let sent = flv::pictures(&flv::tags(&std::fs::read(&file)?)?)?;
    let origin = Origin::start()?;
    let publisher = publish_file(&file, &origin.rtmp("whole"), 0.0)?;
    origin.wait_published("whole")?;
    let got = watch(&origin, "/mse/whole", 500)?;
    publisher.kill();
    origin.stop()?;
    ensure!(got.words.len() == 1 && got.words[0]["type"] == "init", "{:?}", got.words);
    ensure!(got.words[0]["mime"] == "video/mp4; codecs=\"avc1.64001e, mp4a.40.2\"", "{}", got.words[0]);
    let frames = got.frames(1)?;
    let written = |picture: &flv::Picture| {
        picture
            .nal_units
            .iter()
            .flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat())
            .collect::<Vec<u8>>()
    };
    let all: Vec<Vec<u8>> = sent.iter().map(written).collect();
    let first =
        all.iter().position(|picture| Some(&picture[..]) == frames.first().copied()).context("another picture")?;
    ensure!(frames.len() > 150 && sent[first].key, "{} pictures from {first}", frames.len());
    for (index, frame) in frames.iter().enumerate() {
        ensure!(all[first + index] == *frame, "picture {index} is another");
    }
    let out = got.file("mse-whole")?;
    let complaints = decode(&tools::on_path("ffmpeg")?, &out)?;
    ensure!(complaints.is_empty(), "{complaints}");
    let told = packets(&out, "v")?;
    ensure!(told.len() == frames.len(), "{} of {} pictures", told.len(), frames.len());
    let (begin, shown) = (f64::from(sent[first].milliseconds + sent[first].composition as u32), told[0].1);
    for ((dts, pts, key), picture) in told.iter().zip(&sent[first..]) {
        let expected = f64::from(picture.milliseconds as i32 + picture.composition) - begin;
        ensure!(
            ((pts - shown) * 1_000.0 - expected).abs() < 1.1,
            "shown at {pts} s instead of {expected} ms: {picture:?}"
        );
        ensure!(*key == picture.key && dts <= pts, "{picture:?}");
    }
    let sound = packets(&out, "a")?;
    for pair in sound.windows(2) {
        ensure!((pair[1].0 - pair[0].0 - 1_024.0 / 44_100.0).abs() < 2e-6, "a packet of sound lasts {pair:?}");
    }
    let moved = sound_moved(&sounds(&file)?, begin, &sounds(&out)?, shown * 1_000.0)?;
    ensure!(moved < 2.1, "sound is {moved:.1} ms away from where it was beside the pictures");
    report(&format!(
        "MSE: {} pictures with B-frames and {} packets of sound as they were sent, {moved:.1} ms from their place",
        told.len(),
        sound.len()
    ));
    Ok(())
}

#[test]
fn a_viewer_is_sent_the_codecs_that_it_takes_or_told_why_not() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("codecs"))?;
    origin.wait_published("codecs")?;
    let opus = watch(&origin, "/mse/codecs?codecs=h264,opus", 100)?;
    ensure!(opus.words[0]["mime"].as_str().is_some_and(|mime| mime.contains("opus")), "{:?}", opus.words);
    let complaints = decode(&tools::on_path("ffmpeg")?, &opus.file("mse-opus")?)?;
    ensure!(complaints.is_empty() && !opus.frames(2)?.is_empty(), "{complaints}");
    let sound = watch(&origin, "/mse/codecs?codecs=av1,aac", 50)?;
    ensure!(sound.words[0]["mime"] == "audio/mp4; codecs=\"mp4a.40.2\"", "{:?}", sound.words);
    let reason = "the video is H264, and this server cannot convert it to AV1";
    ensure!(sound.words[0]["missing"][0]["reason"] == reason, "{:?}", sound.words);
    let nothing = watch(&origin, "/mse/nobody", 1)?;
    ensure!(nothing.close == Some(4404) && nothing.words[0]["code"] == "not-live", "{:?}", nothing.words);
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn a_stream_of_sound_alone_and_its_end_are_told() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "100")])?;
    let file = Source::default().file(5)?;
    let mut command = headwater_tests::source::quiet(&tools::on_path("ffmpeg")?);
    command.arg("-re").arg("-i").arg(&file).args(["-vn", "-c", "copy", "-f", "flv", &origin.rtmp("sound")]);
    let publisher = Program::start("the publishing ffmpeg", &mut command)?;
    origin.wait_published("sound")?;
    let got = watch(&origin, "/mse/sound", usize::MAX)?;
    publisher.kill();
    origin.stop()?;
    ensure!(got.words[0]["mime"] == "audio/mp4; codecs=\"mp4a.40.2\"", "{:?}", got.words);
    ensure!(got.words.last().context("no word")?["type"] == "end" && got.close == Some(1000), "{:?}", got.words);
    let complaints = decode(&tools::on_path("ffmpeg")?, &got.file("mse-sound")?)?;
    ensure!(complaints.is_empty() && got.frames(2)?.len() > 50, "{complaints}");
    Ok(())
}
