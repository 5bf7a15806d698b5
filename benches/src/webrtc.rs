//! WebRTC fan-out: what the real server spends on a packet for each of many viewers, beside the shortest way.
//!
//! Viewers are real: ICE, DTLS, SRTP and receiver reports by str0m, joined by WHEP. The sockets of most of them
//! drop RTP in the kernel once it flows, so that they cost next to nothing; the others count what arrives and how
//! old it is.

mod crowd;
mod floor;
mod line;
mod seen;
mod viewer;

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    clock::{process_time, resident_bytes},
    publisher::Publisher,
    report::{Extent, Progress, Report, percentile},
    server::{self, Server},
    source::{Sound, Source},
    usage::{Usage, Watch},
};

use floor::Floors;

pub(crate) use crowd::{Crowd, Exchanged};
pub(crate) use line::Quality;
pub(crate) use seen::Timing;
pub(crate) use viewer::Sight;

const PART: &str = "webrtc";
/// CPU per packet, in floors.
const BAR: f64 = 2.8;
/// CPU for a join: three hundred of them in a second of one core.
const JOIN_BAR_MS: f64 = 1_000.0 / 300.0;
/// From the request to the first packet, for nineteen of twenty.
const START_BAR_MS: f64 = 150.0;
/// One viewer in so many sees its media.
pub(crate) const SEEING: usize = 20;

/// Options of `webrtc`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 200)]
    viewers: usize,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// The sound that is published.
    #[arg(long, value_enum, default_value_t)]
    sound: Sound,
    /// Threads of the server that send. One unless told otherwise, as it is compared with one thread; what several cost
    /// each other is for `shards` to say.
    #[arg(long, default_value_t = 1)]
    shards: usize,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { viewers: extent.people(200), seconds: extent.seconds(), sound: Sound::default(), shards: 1 }
    }
}

/// Measures the server, then the floor with the same packets at the same pace.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 4);
    progress.say("starting");
    let server = Server::with_shards(server, options.shards)?;
    let mut publisher = Publisher::start(server.rtmp, Source::with(options.sound)?)?;
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
    let label = format!("{} viewers{}", options.viewers, options.sound.label());
    let further = (options.viewers - 1).max(1) as f64;
    let mut section = report.section(PART, label);
    let Watched { usage, packets, lost } = seen;
    let nanoseconds = usage.nanoseconds_for(packets);
    section.figure("server", nanoseconds, "ns/packet").floor(floors.paced);
    section.figure("floor, without pause", floors.dense, "ns/packet");
    section.figure("floor with GSO, at the same pace", floors.offload, "ns/packet");
    section.barred("server in floors at the same pace", nanoseconds / floors.paced, "times", BAR);
    section.barred("server in floors without pause", nanoseconds / floors.dense, "times", BAR);
    let rest = usage.time.saturating_sub(first.time.mul_f64(usage.elapsed));
    let each = rest.as_nanos() as f64 / (packets * further / options.viewers as f64).max(1.0);
    section.figure("server, for each packet of further viewers", each, "ns/packet").floor(floors.paced);
    section.figure("the same in floors at the same pace", each / floors.paced, "times");
    section.figure("with one viewer only, share of a core", first.time.as_secs_f64() * 100.0, "%");
    section.figure("delivered", packets / usage.elapsed, "packets/s");
    section.figure("lost", lost * 100.0, "%");
    section.usage(&usage);
    let slope = usage.resident.saturating_sub(first.resident) as f64 / 1_024.0 / further;
    section.figure("memory for each further viewer", slope, "KiB");
    // What those who have joined already are sent meanwhile is in it.
    let join = joining.as_secs_f64() * 1e3 / further;
    section.barred("server, for each join", join, "ms", JOIN_BAR_MS);
    section.figure("POST to first packet, p50", percentile(&mut joins, 0.5), "ms");
    section.barred("POST to first packet, p95", percentile(&mut joins, 0.95), "ms", START_BAR_MS);
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let age = percentile(&mut ages, share);
        section.figure(&format!("frame from publisher to viewer, {name}"), age, "ms");
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
    usage: Usage,
    packets: f64,
    lost: f64,
}

fn watch(options: &Options, server: &Server, crowd: &mut Crowd) -> Result<Watched> {
    crowd.begin();
    let watch = Watch::begin(server.pid())?;
    crowd.run(Duration::from_secs(options.seconds))?;
    let usage = watch.end()?;
    let connected = crowd.connected();
    ensure!(connected == options.viewers, "only {connected} viewers are still connected: {}", server.log());
    let (received, expected) = crowd.counts();
    let packets = received as f64 / crowd.seeing() as f64 * options.viewers as f64;
    Ok(Watched { usage, packets, lost: 1.0 - received as f64 / expected.max(1) as f64 })
}
