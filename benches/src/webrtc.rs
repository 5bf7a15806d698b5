//! WebRTC fan-out: what the real server spends on a packet for each of many viewers, beside the shortest way.
//!
//! Viewers are real: ICE, DTLS, SRTP and receiver reports by str0m, joined by WHEP. The sockets of most of them
//! drop RTP in the kernel once it flows, so that they cost next to nothing; the others count what arrives and how
//! old it is.

mod crowd;
mod floor;
mod viewer;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    clock::{process_time, resident_bytes, time_by_thread},
    publisher::Publisher,
    report::{Progress, Report, percentile},
    rtmp::busiest,
    server::{self, Server},
    source::Source,
};

use floor::Floors;

pub(crate) use crowd::Crowd;
pub(crate) use viewer::{Sight, Timing};

const PART: &str = "webrtc";
/// CPU per packet, in floors.
const BAR: f64 = 2.8;
/// CPU for a join: three hundred of them in a second of one core.
const JOIN_BAR_MS: f64 = 1_000.0 / 300.0;
/// From the request to the first packet, for nineteen of twenty.
const START_BAR_MS: f64 = 150.0;
/// One viewer in so many sees its media.
const SEEING: usize = 20;

/// Options of `webrtc`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 200)]
    viewers: usize,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// A stream without sound: all its packets come in bursts of a frame.
    #[arg(long)]
    silent: bool,
}

impl Options {
    /// What `all` runs.
    pub(crate) fn lasting(seconds: u64) -> Options {
        Options { viewers: 200, seconds, silent: false }
    }
}

/// Measures the server, then the floor with the same packets at the same pace.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 4);
    progress.say("starting");
    let server = Server::start(server, 0)?;
    let mut publisher = Publisher::start(server.rtmp, if options.silent { Source::silent()? } else { Source::new()? })?;
    thread::sleep(Duration::from_millis(2_500));
    let mut crowd = Crowd::new(server.http)?;
    let first = join_first(&server, &mut crowd).with_context(|| server.log())?;
    progress.step();
    progress.say(format!("{} viewers join", options.viewers));
    let before = process_time(server.pid())?;
    for viewer in 1..options.viewers {
        crowd
            .join(Sight::of(viewer % SEEING == 0))
            .with_context(|| format!("viewer {} of {}", viewer + 1, options.viewers))?;
    }
    let joining = process_time(server.pid())?.saturating_sub(before);
    crowd.run(Duration::from_secs(3))?;
    progress.step();
    progress.say(format!("{} viewers watch", options.viewers));
    let seen = watch(options, &server, &mut crowd)?;
    publisher.check()?;
    ensure!(seen.packets > 0.0, "the viewers receive nothing: {}", server.log());
    let packets = crowd.recorded();
    let (joins, ages) = (crowd.join_times(), crowd.ages());
    drop((crowd, publisher, server));
    progress.step();
    progress.say("the shortest way");
    let floors = Floors::measure(&packets, options.viewers)?;
    progress.step();

    tell(options, report, Outcome { first, joining, seen, floors, joins, ages });
    Ok(())
}

/// All that was measured.
struct Outcome {
    first: First,
    /// CPU time of the server while all viewers but the first joined.
    joining: Duration,
    seen: Watched,
    floors: Floors,
    /// Milliseconds from request to first packet.
    joins: Vec<f64>,
    /// Milliseconds from publisher to viewer.
    ages: Vec<f64>,
}

fn tell(options: &Options, report: &mut Report, outcome: Outcome) {
    let Outcome { first, joining, seen, floors, mut joins, mut ages } = outcome;
    let sound = if options.silent { " without sound" } else { "" };
    let label = format!("{} viewers{sound}", options.viewers);
    let further = (options.viewers - 1).max(1) as f64;
    let figure = |report: &mut Report, what: &str, value, unit| {
        report.figure(PART, format!("{label}: {what}"), value, unit);
    };
    let barred = |report: &mut Report, what: &str, value, unit, bar| {
        report.barred(PART, format!("{label}: {what}"), value, unit, bar);
    };
    let nanoseconds = seen.time.as_nanos() as f64 / seen.packets;
    figure(report, "server", nanoseconds, "ns/packet");
    figure(report, "floor, at the same pace", floors.paced, "ns/packet");
    figure(report, "floor, without pause", floors.dense, "ns/packet");
    figure(report, "floor with GSO, at the same pace", floors.offload, "ns/packet");
    barred(report, "server in floors at the same pace", nanoseconds / floors.paced, "times", BAR);
    barred(report, "server in floors without pause", nanoseconds / floors.dense, "times", BAR);
    let rest = seen.time.saturating_sub(first.time.mul_f64(seen.elapsed));
    let each = rest.as_nanos() as f64 / (seen.packets * further / options.viewers as f64).max(1.0);
    figure(report, "server, for each packet of further viewers", each, "ns/packet");
    figure(report, "the same in floors at the same pace", each / floors.paced, "times");
    figure(report, "with one viewer only, share of a core", first.time.as_secs_f64() * 100.0, "%");
    figure(report, "delivered", seen.packets / seen.elapsed, "packets/s");
    figure(report, "lost", seen.lost * 100.0, "%");
    figure(report, "share of a core", seen.time.as_secs_f64() / seen.elapsed * 100.0, "%");
    for (thread, share) in seen.threads {
        figure(report, &format!("thread {thread}"), share * 100.0, "%");
    }
    let slope = seen.resident.saturating_sub(first.resident) as f64 / 1_024.0 / further;
    figure(report, "memory of the server", seen.resident as f64 / 1_048_576.0, "MiB");
    figure(report, "memory for each further viewer", slope, "KiB");
    // What those who have joined already are sent meanwhile is in it.
    let join = joining.as_secs_f64() * 1e3 / further;
    barred(report, "server, for each join", join, "ms", JOIN_BAR_MS);
    figure(report, "POST to first packet, p50", percentile(&mut joins, 0.5), "ms");
    barred(report, "POST to first packet, p95", percentile(&mut joins, 0.95), "ms", START_BAR_MS);
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let age = percentile(&mut ages, share);
        figure(report, &format!("frame from publisher to viewer, {name}"), age, "ms");
    }
}

/// The server with one viewer: what conversion and publishing take by themselves.
struct First {
    /// CPU time of a second.
    time: Duration,
    resident: u64,
}

fn join_first(server: &Server, crowd: &mut Crowd) -> Result<First> {
    const LENGTH: Duration = Duration::from_secs(4);
    crowd.join(Sight::Counting)?;
    crowd.run(Duration::from_secs(2))?;
    let before = process_time(server.pid())?;
    crowd.run(LENGTH)?;
    let time = process_time(server.pid())?.saturating_sub(before);
    Ok(First { time: time.div_f64(LENGTH.as_secs_f64()), resident: resident_bytes(server.pid())? })
}

struct Watched {
    time: Duration,
    elapsed: f64,
    packets: f64,
    lost: f64,
    resident: u64,
    threads: Vec<(String, f64)>,
}

fn watch(options: &Options, server: &Server, crowd: &mut Crowd) -> Result<Watched> {
    crowd.begin();
    let begin = Instant::now();
    let before = process_time(server.pid())?;
    let threads = time_by_thread(server.pid())?;
    crowd.run(Duration::from_secs(options.seconds))?;
    let time = process_time(server.pid())?.saturating_sub(before);
    let elapsed = begin.elapsed().as_secs_f64();
    let connected = crowd.connected();
    ensure!(connected == options.viewers, "only {connected} viewers are still connected: {}", server.log());
    let (received, expected) = crowd.counts();
    let packets = received as f64 / crowd.seeing() as f64 * options.viewers as f64;
    Ok(Watched {
        time,
        elapsed,
        packets,
        lost: 1.0 - received as f64 / expected.max(1) as f64,
        resident: resident_bytes(server.pid())?,
        threads: busiest(&threads, &time_by_thread(server.pid())?, elapsed),
    })
}
