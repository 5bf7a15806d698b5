//! What is in the segments is what the encoder sent.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::{Source, made_once, publish_file, quiet, words};
use headwater_tests::{flv, report, shared_turn, tools};
use serde_json::Value;

use super::media_playlist;
use super::reader::Reader;

/// All that an encoder of H.264 may make of a picture that concerns who packages it: several slices, access unit
/// delimiters, SEI of several kinds, B-frames that others refer to, and groups that are open.
fn rich_source() -> Result<PathBuf> {
    made_once("slices-aud-sei-open-groups", "flv", |path| {
        let mut command = quiet(&tools::on_path("ffmpeg")?);
        command.arg("-i").arg(Source::default().file(20)?);
        command.args(words("-c:a copy -c:v libx264 -preset veryfast -threads 2 -profile:v high -b:v 1M -maxrate 1M"));
        command.args(words("-bufsize 1M -g 30 -keyint_min 30 -sc_threshold 0 -bf 3 -x264-params"));
        command.arg("slices=4:aud=1:open-gop=1:b-pyramid=normal:8x8dct=1:nal-hrd=vbr:repeat-headers=1:pic-struct=1");
        command.args(["-f", "flv"]).arg(path);
        Program::start("the encoding ffmpeg", &mut command)?.succeed(Duration::from_secs(120))?;
        Ok(())
    })
}

/// The types of NAL units that a container has its own ways with: parameter sets and delimiters (H.264 §7.4.1).
const FRAMING: [u8; 3] = [7, 8, 9];
const SEI: u8 = 6;

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1f)
}

#[test]
fn every_nal_unit_and_time_of_a_rich_source_arrives_unchanged_in_both_containers() -> Result<()> {
    let _turn = shared_turn();
    let file = rich_source()?;
    let sent = flv::pictures(&flv::tags(&std::fs::read(&file)?)?)?;
    let of =
        |wanted: u8| sent.iter().flat_map(|picture| &picture.nal_units).filter(|unit| kind(unit) == wanted).count();
    ensure!(of(1) + of(5) >= 4 * sent.len() && of(9) == sent.len() && of(SEI) > sent.len(), "this source is not rich");
    let keys = sent.iter().filter(|picture| picture.key).count();
    let origin = Origin::start()?;
    let publisher = publish_file(&file, &origin.rtmp("whole"), 0.0)?;
    origin.wait_published("whole")?;
    let list = |index| Ok::<_, anyhow::Error>(origin.page(&media_playlist(&origin, index)?));
    let time = Duration::from_secs(14);
    let readers = [list("/whole/index.m3u8")?, list("/whole/index.m3u8?container=ts")?];
    let [mp4, ts] = readers.map(|address| Reader::start(&address, time));
    let (mp4, ts) = (mp4?.finish(time * 3)?, ts?.finish(time * 3)?);
    publisher.kill();
    origin.stop()?;
    for read in [&mp4, &ts] {
        read.check()?;
        read.decode()?;
        ensure!(read.media()?.len() == 1, "{}", read.told);
    }
    // Of fragmented MP4 each sample is what was in the tag, byte by byte.
    let whole = packets(&file)?;
    let [first, ..] = &mp4.media()?[..] else { unreachable!() };
    let samples = packets(first)?;
    let place = whole.iter().position(|packet| packet.0 == samples[0].0).context("another picture")?;
    ensure!(samples.len() > 200, "{} pictures", samples.len());
    check_times(&whole[place..], &samples, true)?;
    // In transport streams the parameter sets and the delimiters may be others.
    let media = ts.media()?;
    let got = units(&media[0])?;
    let all: Vec<&[u8]> = sent.iter().flat_map(|picture| &picture.nal_units).map(Vec::as_slice).collect();
    let all: Vec<&[u8]> = all.into_iter().filter(|unit| !FRAMING.contains(&kind(unit))).collect();
    let from = all.iter().position(|unit| Some(*unit) == got.first().map(Vec::as_slice)).context("another picture")?;
    ensure!(got.len() > 800, "{} NAL units", got.len());
    for (index, unit) in got.iter().enumerate() {
        ensure!(all.get(from + index).copied() == Some(unit), "NAL unit {index} of {} is another", got.len());
    }
    let shown = packets(&media[0])?;
    let key = sent.iter().position(|picture| picture.nal_units.iter().any(|unit| *unit == got[0])).context("none")?;
    check_times(&whole[key..], &shown, false)?;
    report(&format!(
        "HLS: {} pictures in fragmented MP4 and {} NAL units in transport streams as they were sent, {keys} of {} pictures \
         to start at",
        samples.len(),
        got.len(),
        sent.len()
    ));
    mp4.forget()?;
    ts.forget()
}

/// The pictures of a file: a hash of each, and its time in milliseconds.
fn packets(file: &Path) -> Result<Vec<(String, f64)>> {
    let mut command = Command::new(tools::on_path("ffprobe")?);
    command.args(["-v", "error", "-select_streams", "v:0", "-show_data_hash", "md5"]);
    command.args(["-show_entries", "packet=pts_time,data_hash", "-of", "json"]);
    let ended = Program::start("ffprobe", command.arg(file))?.succeed(Duration::from_secs(30))?;
    let told: Value = serde_json::from_slice(&ended.output)?;
    let packet = |packet: &Value| {
        let seconds: f64 = packet["pts_time"].as_str()?.parse().ok()?;
        Some((packet["data_hash"].as_str()?.to_owned(), seconds * 1_000.0))
    };
    told["packets"].as_array().into_iter().flatten().map(|one| packet(one).context("no time")).collect()
}

/// The same pictures at the same times, but for where the clock begins; to the millisecond, as FLV has it.
fn check_times(sent: &[(String, f64)], got: &[(String, f64)], same_bytes: bool) -> Result<()> {
    let (Some(begin), Some(shown)) = (sent.first(), got.first()) else { anyhow::bail!("nothing came") };
    ensure!(got.len() <= sent.len(), "{} pictures of {}", got.len(), sent.len());
    for (index, (sent, got)) in sent.iter().zip(got).enumerate() {
        ensure!(!same_bytes || sent.0 == got.0, "picture {index} is another");
        let moved = (got.1 - shown.1) - (sent.1 - begin.1);
        ensure!(moved.abs() < 1.1, "picture {index} is shown {moved:.1} ms late");
    }
    Ok(())
}

/// The NAL units of a transport stream but those of framing, as ffmpeg takes them out (ITU-T H.264 annex B).
fn units(file: &Path) -> Result<Vec<Vec<u8>>> {
    let mut command = quiet(&tools::on_path("ffmpeg")?);
    command.arg("-i").arg(file).args(["-map", "0:v", "-c", "copy", "-f", "h264", "-"]);
    let bytes = Program::start("ffmpeg", &mut command)?.succeed(Duration::from_secs(30))?.output;
    let codes = bytes.windows(3).enumerate().filter(|(_, code)| *code == [0, 0, 1]).map(|(at, _)| at);
    let starts: Vec<usize> = codes.collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let units = starts.iter().zip(ends).map(|(start, end)| {
        let unit = &bytes[start + 3..end];
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        unit[..unit.len() - zeros].to_vec()
    });
    Ok(units.filter(|unit| !FRAMING.contains(&kind(unit))).collect())
}
