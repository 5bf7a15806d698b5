//! RTMP fan-out: what the real server spends on a byte for each of many players, beside bare writing.

pub(crate) mod client;
mod floor;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use headwater_rtmp::wire::client::Intent;

use crate::{
    clock::{process_time, resident_bytes, time_by_thread},
    publisher::{Publisher, STREAM},
    report::{Progress, Report},
    server::{self, Server},
    sinks::Drain,
    source::Source,
};

use client::Client;
use floor::Floor;

const PART: &str = "rtmp";
/// CPU per byte, in floors: frame by frame, and with a merge window.
const BAR_AT_ONCE: f64 = 1.3;
const BAR_MERGED: f64 = 1.5;
/// Seconds that the floor is measured for, before and again after the server.
const FLOOR_SECONDS: u64 = 5;

/// How long the server gathers media before it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Merge {
    /// Each frame at once.
    #[value(name = "0")]
    Not,
    /// 100 ms.
    #[value(name = "100")]
    Short,
    /// 350 ms.
    #[value(name = "350")]
    Long,
}

impl Merge {
    fn milliseconds(self) -> u64 {
        match self {
            Merge::Not => 0,
            Merge::Short => 100,
            Merge::Long => 350,
        }
    }
}

/// Options of `rtmp`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Players.
    #[arg(long, default_value_t = 500)]
    viewers: usize,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// The merge window, in milliseconds; without this, all of them in turn.
    #[arg(long)]
    merge: Option<Merge>,
}

impl Options {
    /// What `all` runs.
    pub(crate) fn lasting(seconds: u64) -> Options {
        Options { viewers: 500, seconds, merge: None }
    }
}

/// Measures one merge window or all of them.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let all = [Merge::Not, Merge::Short, Merge::Long];
    let chosen = options.merge.map_or(all.to_vec(), |merge| vec![merge]);
    let progress = Progress::new(PART, chosen.len() * 3);
    for merge in chosen {
        measure(options, server, merge, &progress, report)?;
    }
    Ok(())
}

fn measure(
    options: &Options,
    server: &server::Options,
    merge: Merge,
    progress: &Progress,
    report: &mut Report,
) -> Result<()> {
    let window = merge.milliseconds();
    let label = format!("{} players, merge window {window} ms", options.viewers);
    progress.say(format!("{label}: bare writing"));
    let mut floor = Floor::new(options.viewers)?;
    let merged = Duration::from_millis(window);
    let before = floor.measure(merged, Duration::from_secs(FLOOR_SECONDS), true)?;
    progress.step();
    progress.say(format!("{label}: the server"));
    let seen = measure_server(options, server, window)?;
    progress.step();
    progress.say(format!("{label}: bare writing again"));
    let after = floor.measure(merged, Duration::from_secs(FLOOR_SECONDS), true)?;
    let dense = floor.measure(merged, Duration::from_secs(FLOOR_SECONDS), false)?;
    progress.step();

    let floor = (before + after) / 2.0;
    let bar = if merge == Merge::Not { BAR_AT_ONCE } else { BAR_MERGED };
    let figure = |report: &mut Report, what: &str, value, unit| {
        report.figure(PART, format!("{label}: {what}"), value, unit);
    };
    figure(report, "bare writing before", before, "ns/B");
    figure(report, "bare writing after", after, "ns/B");
    figure(report, "bare writing without pause", dense, "ns/B");
    figure(report, "server", seen.nanoseconds_per_byte, "ns/B");
    figure(report, "server", seen.nanoseconds_per_byte / 8.0, "s/Gbit");
    report.barred(
        PART,
        format!("{label}: server in terms of bare writing"),
        seen.nanoseconds_per_byte / floor,
        "times",
        bar,
    );
    figure(report, "server in terms of bare writing without pause", seen.nanoseconds_per_byte / dense, "times");
    figure(report, "delivered", seen.bits_per_second / 1e6, "Mbit/s");
    figure(report, "server's share of a core", seen.share * 100.0, "%");
    figure(report, "memory of the server", seen.resident as f64 / 1_048_576.0, "MiB");
    for (thread, share) in seen.threads {
        figure(report, &format!("thread {thread}"), share * 100.0, "%");
    }
    Ok(())
}

struct Seen {
    nanoseconds_per_byte: f64,
    bits_per_second: f64,
    share: f64,
    resident: u64,
    threads: Vec<(String, f64)>,
}

fn measure_server(options: &Options, server: &server::Options, window: u64) -> Result<Seen> {
    let server = Server::start(server, window)?;
    let mut publisher = Publisher::start(server.rtmp, Source::new()?)?;
    thread::sleep(Duration::from_millis(500));
    let drain = Drain::new()?;
    for player in 0..options.viewers {
        let client = Client::connect(server.rtmp, Intent::Play, STREAM, 128)
            .with_context(|| format!("player {} of {}", player + 1, options.viewers))?;
        drain.add(client.socket)?;
    }
    // What was kept for late joiners has to be out of the way.
    thread::sleep(Duration::from_secs(3));
    let (time, bytes, begin) = (process_time(server.pid())?, drain.bytes(), Instant::now());
    let threads = time_by_thread(server.pid())?;
    thread::sleep(Duration::from_secs(options.seconds));
    let time = process_time(server.pid())?.saturating_sub(time);
    let bytes = drain.bytes() - bytes;
    let elapsed = begin.elapsed().as_secs_f64();
    publisher.check()?;
    ensure!(drain.closed() == 0, "{} players were cut off: {}", drain.closed(), server.log());
    ensure!(bytes > 0, "the players receive nothing: {}", server.log());
    Ok(Seen {
        nanoseconds_per_byte: time.as_nanos() as f64 / bytes as f64,
        bits_per_second: bytes as f64 * 8.0 / elapsed,
        share: time.as_secs_f64() / elapsed,
        resident: resident_bytes(server.pid())?,
        threads: busiest(&threads, &time_by_thread(server.pid())?, elapsed),
    })
}

/// The threads that used more than a hundredth of a core, and their shares of one.
pub(crate) fn busiest(before: &[(String, Duration)], after: &[(String, Duration)], elapsed: f64) -> Vec<(String, f64)> {
    let mut shares: Vec<(String, f64)> = after
        .iter()
        .map(|(name, time)| {
            let earlier = before.iter().find(|(known, _)| known == name);
            let earlier = earlier.map_or(Duration::ZERO, |(_, time)| *time);
            (name.clone(), time.saturating_sub(earlier).as_secs_f64() / elapsed)
        })
        .filter(|(_, share)| *share > 0.01)
        .collect();
    shares.sort_by(|one, other| other.1.total_cmp(&one.1));
    shares
}
