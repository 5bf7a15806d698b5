//! Many WebRTC viewers: what each further one takes of the server's memory, what a join takes of a core, and what
//! viewers take who are sent nothing.

mod floor;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    clock::{fine_process_time, process_time, resident_bytes},
    publisher::Publisher,
    report::{Extent, Progress, Report},
    server::{self, Server},
    source::Source,
    webrtc::{Crowd, Sight},
};

const PART: &str = "scale";
/// KiB of memory for each further viewer.
const MEMORY_BAR_KIB: f64 = 32.0;
/// Joins in a second that one core carries.
const JOINS_BAR: f64 = 500.0;
/// Microseconds of CPU in a second for a viewer that is sent nothing.
const IDLE_BAR_US: f64 = 5.0;
/// A publisher that pauses is not cut off.
const PATIENCE: &str = "[limits]\nrtmp_silence_ms = 600000\n";
/// How long the floor is measured.
const FLOOR_LENGTH: Duration = Duration::from_secs(8);
/// Memory is looked at after each so many viewers.
const STEP: usize = 50;

/// Options of `scale`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers from which on memory is counted.
    #[arg(long, default_value_t = 500)]
    from: usize,
    /// Viewers in the end.
    #[arg(long, default_value_t = 1_500)]
    viewers: usize,
    /// Joins of viewers who leave at once, one after the other.
    #[arg(long, default_value_t = 300)]
    joins: usize,
    /// Kilobits in a second of the stream: little, as it is not sending that counts here.
    #[arg(long, default_value_t = 300)]
    kilobits: usize,
    /// Seconds for which viewers are sent nothing.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        let (from, viewers, joins) = (extent.people(500), extent.people(1_500), extent.people(300));
        Options { from, viewers, joins, kilobits: 300, seconds: extent.seconds() }
    }
}

/// Measures joins, then memory while viewers come, then all of them without media.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    ensure!(options.from > 0 && options.viewers > options.from, "there are no viewers to count");
    let progress = Progress::new(PART, 3);
    let server = Server::configured(server, 0, PATIENCE)?;
    let mut publisher = Publisher::start(server.rtmp, Source::of_rate(options.kilobits * 1_000)?)?;
    thread::sleep(Duration::from_millis(2_500));
    let mut crowd = Crowd::new(server.http)?;
    crowd.join(Sight::Counting).with_context(|| server.log())?;
    progress.say(format!("{} viewers come and go", options.joins));
    let join = joins(options, &server, &mut crowd)?;
    let label = format!("{} joins one after the other", options.joins);
    let mut section = report.section(PART, label);
    section.figure("CPU of the server for each, leaving included", join * 1e3, "ms");
    section.barred_below("joins in a second of one core", 1.0 / join, "/s", JOINS_BAR);
    progress.step();

    let points = come(options, &server, &mut crowd, &progress)?;
    publisher.check()?;
    let label = format!("{} to {} viewers", options.from, options.viewers);
    let slope = slope_kib(&points, options.from as f64);
    report.section(PART, label).barred("memory for each further viewer", slope, "KiB", MEMORY_BAR_KIB);
    report.series(PART, "memory of the server by viewers", "viewers", "MiB", points);
    progress.step();

    progress.say(format!("{} viewers are sent nothing", options.viewers));
    publisher.pause();
    crowd.run(Duration::from_secs(3))?;
    let before = crowd.exchanged();
    let with = rest(options, &server, &mut crowd)?;
    let exchanged = crowd.exchanged().since(before, options.seconds as f64);
    let connected = crowd.connected();
    ensure!(connected == options.viewers, "only {connected} viewers are still connected: {}", server.log());
    crowd.keep(1)?;
    crowd.run(Duration::from_secs(3))?;
    let without = rest(options, &server, &mut crowd)?;
    publisher.check()?;
    drop((crowd, publisher, server));
    let floor = floor::idle(options.viewers, exchanged, FLOOR_LENGTH)? * 1e6;
    let each = (with - without) * 1e6 / (options.viewers - 1) as f64;
    let mut section = report.section(PART, format!("{} viewers that are sent nothing", options.viewers));
    section.barred("CPU of the server for each, in a second", each, "µs", IDLE_BAR_US);
    section.figure("a thread that only reads as many datagrams and answers as many, for each", floor, "µs");
    section.figure("the server in that", each / floor, "times");
    let of_each = |datagrams: f64| datagrams / options.viewers as f64;
    section.figure("datagrams from each in a second", of_each(exchanged.from_viewers), "/s");
    section.figure("datagrams to each in a second", of_each(exchanged.to_viewers), "/s");
    section.figure("server's share of a core", with * 100.0, "%").floor(without * 100.0);
    progress.step();
    Ok(())
}

/// Seconds of CPU for a viewer that comes and goes.
fn joins(options: &Options, server: &Server, crowd: &mut Crowd) -> Result<f64> {
    let begin = Instant::now();
    let before = process_time(server.pid())?;
    for _ in 0..options.joins {
        crowd.join(Sight::Blind).with_context(|| server.log())?;
        crowd.keep(1)?;
    }
    let used = process_time(server.pid())?.saturating_sub(before);
    let elapsed = begin.elapsed();
    // What the stream and its one viewer take meanwhile is no part of it.
    let before = process_time(server.pid())?;
    let rest = Duration::from_secs(3);
    crowd.run(rest)?;
    let alone = process_time(server.pid())?.saturating_sub(before).as_secs_f64() / rest.as_secs_f64();
    let joins = used.as_secs_f64() - alone * elapsed.as_secs_f64();
    ensure!(joins > 0.0, "the server has used no time for {} joins: ask for more", options.joins);
    Ok(joins / options.joins as f64)
}

/// Viewers come; how many there are, and what the server holds in MiB.
fn come(options: &Options, server: &Server, crowd: &mut Crowd, progress: &Progress) -> Result<Vec<(f64, f64)>> {
    let mut points = Vec::new();
    while crowd.len() < options.viewers {
        crowd.join(Sight::Blind).with_context(|| format!("viewer {}: {}", crowd.len(), server.log()))?;
        let count = crowd.len();
        if count.is_multiple_of(STEP) || count == options.viewers || count == options.from {
            progress.say(format!("{count} of {} viewers", options.viewers));
            crowd.run(Duration::from_millis(200))?;
            points.push((count as f64, resident_bytes(server.pid())? as f64 / 1_048_576.0));
        }
    }
    Ok(points)
}

/// KiB for each further viewer, from so many on.
fn slope_kib(points: &[(f64, f64)], from: f64) -> f64 {
    let first = points.iter().find(|(viewers, _)| *viewers >= from);
    match (first, points.last()) {
        (Some(first), Some(last)) if last.0 > first.0 => (last.1 - first.1) * 1_024.0 / (last.0 - first.0),
        _ => 0.0,
    }
}

/// Seconds of CPU in a second.
fn rest(options: &Options, server: &Server, crowd: &mut Crowd) -> Result<f64> {
    let before = fine_process_time(server.pid())?;
    crowd.run(Duration::from_secs(options.seconds))?;
    let used = fine_process_time(server.pid())?.saturating_sub(before);
    Ok(used.as_secs_f64() / options.seconds as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_begins_where_it_is_asked_to() {
        let points = [(50.0, 100.0), (500.0, 110.0), (1_000.0, 120.0), (1_500.0, 130.0)];
        assert_eq!(slope_kib(&points, 500.0), 20.0 * 1_024.0 / 1_000.0);
        assert_eq!(slope_kib(&points, 2_000.0), 0.0);
        assert_eq!(slope_kib(&[], 0.0), 0.0);
    }
}
