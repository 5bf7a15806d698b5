//! Whether the server grows while viewers come and go for a long time.
//!
//! Load agents of every kind play what two others publish, and some of them leave and are replaced every second. After
//! a warm-up the server is sampled; the line that fits the samples best tells how much each thing grows.

mod crowd;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    clock::resident_bytes,
    report::{Progress, Report},
    server::{self, Server},
    trend::slope,
};
use crowd::Crowd;

const PART: &str = "soak";
/// Time between two samples.
const STEP: Duration = Duration::from_secs(2);
/// Time in which all have left, and what they leave behind is gone.
const FAREWELL: Duration = Duration::from_secs(60);
/// How many more descriptors, threads and tasks than before anybody came may be there at the end: connections of those
/// who ask for the figures.
const REST: f64 = 4.0;

/// Options of `soak`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Minutes, the warm-up included.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Viewers at once, all kinds together.
    #[arg(long, default_value_t = 50)]
    viewers: u32,
    /// Viewers that leave and are replaced in a second, all kinds together.
    #[arg(long, default_value_t = 2.0)]
    churn: f64,
    /// What memory may grow by, in KB a minute.
    #[arg(long, default_value_t = 200.0)]
    slope_max: f64,
    /// Share of the time that nothing is measured in: lanes fill and the allocator settles.
    #[arg(long, default_value_t = 0.25)]
    warm_up: f64,
}

/// What a server holds, at one time.
#[derive(Clone, Copy, Debug)]
struct Sample {
    minutes: f64,
    kilobytes: f64,
    descriptors: f64,
    threads: f64,
    tasks: f64,
    sessions: f64,
    viewers: f64,
}

impl Sample {
    fn take(server: &Server, begin: Instant) -> Result<Sample> {
        let entries = |folder: &str| {
            let folder = format!("/proc/{}/{folder}", server.pid());
            fs::read_dir(&folder).map(|found| found.count() as f64).with_context(|| format!("no {folder}: it is gone"))
        };
        Ok(Sample {
            minutes: begin.elapsed().as_secs_f64() / 60.0,
            kilobytes: resident_bytes(server.pid())? as f64 / 1_000.0,
            descriptors: entries("fd")?,
            threads: entries("task")?,
            tasks: server.metric("headwater_process_tasks")?,
            sessions: server.metric("headwater_webrtc_sessions")? + server.metric("headwater_wcs_sessions")?,
            viewers: server.metric("headwater_viewers")?,
        })
    }
}

/// Runs agents against a server of its own.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    ensure!(options.minutes > 0.0 && (0.0..1.0).contains(&options.warm_up), "the time has to be above zero");
    let progress = Progress::new(PART, 3);
    let server = Server::configured(server, 0, "")?;
    let empty = Sample::take(&server, Instant::now())?;
    let time = Duration::from_secs_f64(options.minutes * 60.0);
    progress.say(format!("{} viewers come and go for {} minutes", options.viewers, options.minutes));
    let crowd = Crowd::start(&server, options.viewers, options.churn, time)?;
    progress.step();
    let begin = Instant::now();
    let mut samples = Vec::new();
    while begin.elapsed() < time {
        thread::sleep(STEP);
        samples.push(Sample::take(&server, begin).with_context(|| server.log())?);
        crowd.check()?;
    }
    progress.step();
    progress.say("all leave");
    let seen = crowd.end()?;
    let left = wait_until_left(&server, begin, &empty)?;
    let steady: Vec<Sample> =
        samples.iter().copied().filter(|sample| sample.minutes >= options.minutes * options.warm_up).collect();
    tell(report, options, &steady, &samples);
    for (what, before, after) in [
        ("descriptors", empty.descriptors, left.descriptors),
        ("tasks", empty.tasks, left.tasks),
        ("sessions", empty.sessions, left.sessions),
    ] {
        let bar = if what == "sessions" { 0.0 } else { REST };
        report.barred(PART, format!("{what} that stay when all have left"), after - before, what, bar);
    }
    seen.tell(report, PART);
    progress.step();
    Ok(())
}

/// The figures after the warm-up, and the curves of the whole time.
fn tell(report: &mut Report, options: &Options, steady: &[Sample], all: &[Sample]) {
    type Read = fn(&Sample) -> f64;
    let lasted = steady.last().zip(steady.first()).map_or(0.0, |(last, first)| last.minutes - first.minutes);
    let line = |read: Read| slope(&steady.iter().map(|sample| (sample.minutes, read(sample))).collect::<Vec<_>>());
    let mean = |read: Read| steady.iter().map(read).sum::<f64>() / steady.len().max(1) as f64;
    let kilobytes: Read = |sample| sample.kilobytes;
    report.figure(PART, "memory, mean", mean(kilobytes), "KB");
    report.barred(PART, "memory, growth", line(kilobytes), "KB/min", options.slope_max);
    // Who comes and goes moves these by a few at any time, so what counts is where the line has gone in all the time.
    let held: [(&str, Read, f64); 4] = [
        ("descriptors", |sample| sample.descriptors, 3.0 + 0.05 * mean(|sample| sample.descriptors)),
        ("threads", |sample| sample.threads, 1.0),
        ("tasks", |sample| sample.tasks, 3.0 + 0.05 * mean(|sample| sample.tasks)),
        ("sessions", |sample| sample.sessions, 3.0 + 0.05 * mean(|sample| sample.sessions)),
    ];
    for (what, read, bar) in held {
        report.figure(PART, format!("{what}, mean"), mean(read), what);
        report.barred(PART, format!("{what}, growth in {lasted:.0} minutes"), line(read) * lasted, what, bar);
    }
    report.figure(PART, "viewers, mean", mean(|sample| sample.viewers), "viewers");
    let curves: [(&str, &str, Read); 4] = [
        ("memory of the server", "KB", kilobytes),
        ("descriptors", "", |sample| sample.descriptors),
        ("tasks", "", |sample| sample.tasks),
        ("sessions", "", |sample| sample.sessions),
    ];
    for (what, unit, read) in curves {
        let points = all.iter().map(|sample| (sample.minutes, read(sample))).collect();
        report.series(PART, what, "minutes", unit, points);
    }
}

/// What is held once all have left, or after the time in which they should have.
fn wait_until_left(server: &Server, begin: Instant, empty: &Sample) -> Result<Sample> {
    let deadline = Instant::now() + FAREWELL;
    loop {
        let now = Sample::take(server, begin)?;
        let gone = now.sessions == 0.0
            && now.viewers == 0.0
            && now.descriptors <= empty.descriptors + REST
            && now.tasks <= empty.tasks + REST;
        if gone || Instant::now() >= deadline {
            return Ok(now);
        }
        thread::sleep(STEP / 4);
    }
}
