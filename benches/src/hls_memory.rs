//! HLS that is always on: whether the memory of a stream stays within its window.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Args;

use crate::{
    clock::resident_bytes,
    publisher::Publisher,
    report::{Extent, Progress, Report},
    server::{self, Server},
    source::Source,
    trend::slope,
};

const PART: &str = "hls-memory";
const MEBIBYTE: f64 = 1_048_576.0;
const BITS_PER_SECOND: usize = 4_000_000;
/// Seconds of media that the configuration keeps.
const WINDOW_SECONDS: u64 = 10;
/// Media that stays besides: what has left the playlist for three target durations of two seconds, a segment that is
/// being made, and the one that is the next to go.
const BESIDES_SECONDS: u64 = 10;
/// Until window and lanes are full, and the allocator has settled.
const FILLING: Duration = Duration::from_secs(60);
/// MiB a minute; a stream that was kept whole would take 29.
const BAR_SLOPE: f64 = 1.0;

/// Options of `hls-memory`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Seconds of the measurement, after a minute in which windows fill.
    #[arg(long, default_value_t = 50)]
    seconds: u64,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { seconds: extent.seconds().max(50) }
    }
}

/// Measures a stream of 4 Mbit/s.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 2);
    let section = format!("[hls]\nalways = true\nwindow_ms = {}\n", WINDOW_SECONDS * 1_000);
    let server = Server::configured(server, 0, &section)?;
    let empty = resident_bytes(server.pid())? as f64 / MEBIBYTE;
    let mut publisher = Publisher::start(server.rtmp, Source::of_rate(BITS_PER_SECOND)?)?;
    progress.say("windows fill");
    thread::sleep(FILLING);
    progress.step();
    progress.say("a stream of 4 Mbit/s with HLS always on");
    let (mut memory, mut window) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(options.seconds) {
        thread::sleep(Duration::from_secs(1));
        publisher.check()?;
        memory.push((begin.elapsed().as_secs_f64() / 60.0, resident_bytes(server.pid())? as f64 / MEBIBYTE));
        window.push(server.metric("headwater_hls_window_bytes")? / MEBIBYTE);
    }
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let allowed = (WINDOW_SECONDS + BESIDES_SECONDS) as f64 * BITS_PER_SECOND as f64 / 8.0 / MEBIBYTE;
    report.figure(PART, "memory before the stream", empty, "MiB");
    report.figure(PART, "memory at the end", memory.last().map_or(0.0, |last| last.1), "MiB");
    report.figure(PART, "memory, the most", largest(&mut memory.iter().map(|seen| seen.1)), "MiB");
    report.barred(PART, "memory, growth", slope(&memory), "MiB/min", BAR_SLOPE);
    report.barred(PART, "segments in memory, the most", largest(&mut window.iter().copied()), "MiB", allowed);
    report.series(PART, "memory of the server", "minutes", "MiB", memory);
    progress.step();
    Ok(())
}
