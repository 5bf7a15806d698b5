//! MSE and WSPlayer: what the real server spends on a message over WebSocket, beside bare writing, and how old a
//! picture is when it arrives.

mod watcher;

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::{
    clock::resident_bytes,
    publisher::{Publisher, STREAM},
    report::{Extent, Progress, Report, percentile},
    server::{self, Server},
    sinks::Drain,
    source::Source,
    usage::{Usage, Watch},
    writing,
};

use watcher::{Seen, Watcher};

const PART: &str = "mse";
/// CPU for a byte, in those of one small `writev` for each message and viewer: bytes per core are at least half.
const BAR: f64 = 2.0;
/// Viewers that read what they are sent.
const WATCHERS: usize = 10;
/// What stands before a frame: the frame head of the WebSocket and a movie fragment, or our own head.
const HEAD_BYTES: usize = 120;

/// How viewers watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Fragmented MP4.
    Mse,
    /// Coded frames.
    #[value(name = "wsplayer")]
    WsPlayer,
}

impl Way {
    fn path(self) -> String {
        match self {
            Way::Mse => format!("/mse/{STREAM}"),
            Way::WsPlayer => format!("/ws/{STREAM}"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Way::Mse => "MSE",
            Way::WsPlayer => "WSPlayer",
        }
    }
}

/// Options of `mse`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 500)]
    viewers: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How they watch; without this, both ways in turn.
    #[arg(long)]
    way: Option<Way>,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { viewers: 500, seconds: extent.seconds(), way: None }
    }
}

/// Measures one way or both.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let ways = options.way.map_or(vec![Way::Mse, Way::WsPlayer], |way| vec![way]);
    let progress = Progress::new(PART, ways.len() + 2);
    let length = Duration::from_secs(options.seconds) / 2;
    progress.say("bare writing");
    let bulk = writing::bulk(options.viewers, length)?;
    let before = writing::messages(options.viewers, HEAD_BYTES, length)?;
    progress.step();
    let mut seen = Vec::new();
    for way in ways {
        progress.say(format!("{} viewers by {}", options.viewers, way.name()));
        seen.push((way, measure(options, server, way).with_context(|| format!("by {}", way.name()))?));
        progress.step();
    }
    progress.say("bare writing again");
    let after = writing::messages(options.viewers, HEAD_BYTES, length)?;
    progress.step();
    let floor = ((before.0 + after.0) / 2.0, (before.1 + after.1) / 2.0);
    report.figure(PART, "writev of 64 KiB without pause", bulk, "ns/B");
    report.figure(PART, "one writev for each message, before", before.0, "ns/B");
    report.figure(PART, "one writev for each message, after", after.0, "ns/B");
    report.figure(PART, "one writev for each message", floor.1 / 1e3, "µs");
    for (way, seen) in seen {
        tell(options, way, seen, floor, bulk, report);
    }
    Ok(())
}

fn tell(options: &Options, way: Way, mut seen: Measured, (byte, message): (f64, f64), bulk: f64, report: &mut Report) {
    let label = format!("{} viewers by {}", options.viewers, way.name());
    let mut section = report.section(PART, label);
    let cost = seen.usage.nanoseconds_for(seen.bytes);
    let each = cost * seen.message_bytes;
    section.figure("server", cost, "ns/B").floor(byte);
    section.barred("server in terms of one writev for each message, by bytes", cost / byte, "times", BAR);
    section.figure("the same by messages", each / message, "times");
    section.figure("server in terms of writev of 64 KiB", cost / bulk, "times");
    section.figure("server for a message and viewer", each / 1e3, "µs").floor(message / 1e3);
    section.figure("bytes of a message", seen.message_bytes, "B");
    section.figure("age of a picture on arrival, p50", percentile(&mut seen.ages, 0.5), "ms");
    section.figure("age of a picture on arrival, p99", percentile(&mut seen.ages, 0.99), "ms");
    section.figure("delivered", seen.bytes * 8.0 / seen.usage.elapsed / 1e6, "Mbit/s");
    section.figure("memory of the server for each viewer", seen.memory / 1_024.0, "KiB");
    section.usage(&seen.usage);
}

struct Measured {
    usage: Usage,
    /// Sent to all viewers.
    bytes: f64,
    message_bytes: f64,
    /// Bytes for each viewer.
    memory: f64,
    ages: Vec<f64>,
}

fn measure(options: &Options, server: &server::Options, way: Way) -> Result<Measured> {
    let server = Server::start(server, 0)?;
    let mut publisher = Publisher::start(server.rtmp, Source::new()?)?;
    thread::sleep(Duration::from_secs(1));
    let resident = resident_bytes(server.pid())?;
    let (drain, mut watchers) = arrive(options, &server, way)?;
    // What was kept for late joiners has to be out of the way.
    thread::sleep(Duration::from_secs(3));
    take_all(&mut watchers)?;
    let (watch, bytes) = (Watch::begin(server.pid())?, drain.bytes());
    thread::sleep(Duration::from_secs(options.seconds));
    let usage = watch.end()?;
    let read = take_all(&mut watchers)?;
    let bytes = drain.bytes() - bytes + read.bytes;
    publisher.check()?;
    ensure!(drain.closed() == 0, "{} viewers were cut off: {}", drain.closed(), server.log());
    ensure!(read.messages > 0, "viewers receive nothing: {}", server.log());
    Ok(Measured {
        bytes: bytes as f64,
        message_bytes: read.bytes as f64 / read.messages as f64,
        memory: usage.resident.saturating_sub(resident) as f64 / options.viewers as f64,
        ages: read.ages,
        usage,
    })
}

/// Viewers of which a few read what they are sent.
fn arrive(options: &Options, server: &Server, way: Way) -> Result<(Drain, Vec<Watcher>)> {
    let drain = Drain::new()?;
    let mut watchers = Vec::new();
    for viewer in 0..options.viewers {
        let socket = watcher::open(server.http, &way.path());
        let socket = socket.with_context(|| format!("viewer {} of {}", viewer + 1, options.viewers))?;
        // Spread, as those who came first are sent to first.
        if viewer * WATCHERS % options.viewers < WATCHERS {
            watchers.push(Watcher::start(socket)?);
        } else {
            drain.add(socket)?;
        }
    }
    Ok((drain, watchers))
}

fn take_all(watchers: &mut [Watcher]) -> Result<Seen> {
    let mut all = Seen::default();
    for watcher in watchers {
        let mut seen = watcher.take()?;
        all.messages += seen.messages;
        all.bytes += seen.bytes;
        all.ages.append(&mut seen.ages);
    }
    Ok(all)
}
