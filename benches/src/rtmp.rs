//! RTMP fan-out: what the real server spends on a byte for each of many players, beside bare writing.

pub(crate) mod client;
mod floor;

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use headwater_rtmp::wire::client::Intent;

use crate::{
    publisher::{Publisher, STREAM},
    report::{Extent, Progress, Report},
    server::{self, Server},
    sinks::Drain,
    source::Source,
    usage::{Usage, Watch},
};

use client::Client;
use floor::Floor;

const PART: &str = "rtmp";
/// CPU per byte, in floors: frame by frame, and with a merge window.
const BAR_AT_ONCE: f64 = 1.3;
const BAR_MERGED: f64 = 1.5;
/// Seconds that the floor is measured for at most, before and again after the server.
const FLOOR_SECONDS_MAX: u64 = 5;

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
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        let merge = extent.is_quick().then_some(Merge::Not);
        Options { viewers: extent.people(500), seconds: extent.seconds(), merge }
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
    let floor_length = Duration::from_secs(options.seconds.min(FLOOR_SECONDS_MAX));
    let before = floor.measure(merged, floor_length, true)?;
    progress.step();
    progress.say(format!("{label}: the server"));
    let seen = measure_server(options, server, window)?;
    progress.step();
    progress.say(format!("{label}: bare writing again"));
    let after = floor.measure(merged, floor_length, true)?;
    let dense = floor.measure(merged, floor_length, false)?;
    progress.step();

    let floor = (before + after) / 2.0;
    let bar = if merge == Merge::Not { BAR_AT_ONCE } else { BAR_MERGED };
    let mut section = report.section(PART, label);
    let cost = seen.nanoseconds_per_byte;
    section.figure("bare writing before", before, "ns/B");
    section.figure("bare writing after", after, "ns/B");
    section.figure("bare writing without pause", dense, "ns/B");
    section.figure("server", cost, "ns/B").floor(floor);
    section.figure("server", cost / 8.0, "s/Gbit").floor(floor / 8.0);
    section.barred("server in terms of bare writing", cost / floor, "times", bar);
    section.figure("server in terms of bare writing without pause", cost / dense, "times");
    section.figure("delivered", seen.bits_per_second / 1e6, "Mbit/s");
    section.usage(&seen.usage);
    Ok(())
}

struct Seen {
    nanoseconds_per_byte: f64,
    bits_per_second: f64,
    usage: Usage,
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
    let (watch, bytes) = (Watch::begin(server.pid())?, drain.bytes());
    thread::sleep(Duration::from_secs(options.seconds));
    let usage = watch.end()?;
    let bytes = (drain.bytes() - bytes) as f64;
    publisher.check()?;
    ensure!(drain.closed() == 0, "{} players were cut off: {}", drain.closed(), server.log());
    ensure!(bytes > 0.0, "the players receive nothing: {}", server.log());
    Ok(Seen { nanoseconds_per_byte: usage.nanoseconds_for(bytes), bits_per_second: bytes * 8.0 / usage.elapsed, usage })
}
