//! Playlists over time, as other implementations read them. Ten minutes with `cargo xtask test --long`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::percentile;
use headwater_tests::origin::Origin;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, playing_time, report};

use super::media_playlist;
use super::reader::{Read, Reader};

/// How far the sound may be from the picture at the end, in milliseconds.
const SYNC: f64 = 40.0;

/// One reader waits for parts in fragmented MP4, the other one asks once a second for transport streams. An encoder takes
/// the place of the first one on the way.
#[test]
fn live_playlists_break_no_rule_and_leave_nothing_out_over_a_change_of_encoders() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let first = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let time = playing_time(Duration::from_secs(24));
    let ways = [("fragmented MP4", "/clock/index.m3u8"), ("transport streams", "/clock/index.m3u8?container=ts")];
    let mut readers = Vec::new();
    for (name, index) in ways {
        readers.push((name, Reader::start(&origin.page(&media_playlist(&origin, index)?), time)?));
    }
    let begun = Instant::now();
    let memory = remembered(&origin, begun + time / 3)?;
    first.kill();
    let second = Source { size: (320, 180), ..Source::default() }.publish(&origin.rtmp("clock"))?;
    let later = remembered(&origin, begun + time)?;
    report(&format!("memory over {time:?} of HLS, in MB: {memory:.0?}, then {later:.0?}"));
    for (name, reader) in readers {
        let read = reader.finish(Duration::from_secs(30))?;
        check(name, &read, time)?;
        read.forget()?;
    }
    if time > Duration::from_secs(300) {
        let (middle, end) = later.split_at(later.len() / 2);
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        ensure!(most(end) < most(middle) * 1.1 + 4.0, "memory grows: {memory:.0?}, then {later:.0?}");
    }
    second.kill();
    origin.stop()?;
    Ok(())
}

/// The memory of the server until a time, in MB, in ten pieces.
fn remembered(origin: &Origin, end: Instant) -> Result<Vec<f64>> {
    let step = end.saturating_duration_since(Instant::now()) / 10;
    let mut values = Vec::new();
    while values.len() < 10 {
        std::thread::sleep(step);
        values.push(origin.memory()? as f64 / 1e6);
    }
    Ok(values)
}

fn check(name: &str, read: &Read, time: Duration) -> Result<()> {
    let told = &read.told;
    report(&format!("{name} over {time:?}: {told}"));
    read.check()?;
    ensure!(told["discontinuities"].as_u64() >= Some(1) && read.media()?.len() == 2, "{name}: {told}");
    // Parts come five times a second; who does not wait for them asks once a second.
    let often = if name.contains("MP4") { 2.0 } else { 0.7 };
    ensure!(told["playlists"].as_f64() > Some(time.as_secs_f64() * often), "{name}: {told}");
    let seconds = told["seconds"].as_f64().context("no time")?;
    ensure!(seconds > time.as_secs_f64() - 10.0 && seconds < time.as_secs_f64() + 20.0, "{name}: {told}");
    read.decode().with_context(|| name.to_owned())?;
    let offsets = read.sound_after_picture()?;
    let sync = percentile(&offsets, 50).context("no flash")?;
    report(&format!("{name}: sound {sync:.1} ms after the picture at the end"));
    ensure!(offsets.len() >= 4 && sync.abs() < SYNC, "{name}: {offsets:?}");
    match read.diagnose()? {
        Some((count, findings)) => {
            report(&format!("{name}: media-doctor has looked at {count} files and found {}", findings.len()));
            ensure!(findings.is_empty(), "{name}: {findings:?}");
        }
        None => report("media-doctor is not here: `cargo xtask test --long` builds it"),
    }
    Ok(())
}
