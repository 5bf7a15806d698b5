//! Headwater beside str0m in its place: a server that forwards to its viewers by sessions of str0m, and a real `origin`,
//! under the same publisher and the same viewers, by turns in one run.
//!
//! Both are sent the same stream by WHIP, so that neither converts anything, and both send to viewers by one thread.
//! Viewers are those of `webrtc`.

mod forwarder;
mod gathered;
mod process;
mod session;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    camera::{Camera, Pacing},
    clock::{process_time, resident_bytes, user_time},
    publisher::STREAM,
    report::{Extent, Progress, Report, Section, percentile},
    server::{self, Server},
    usage::{Usage, Watch},
    webrtc::{Crowd, SEEING, Sight},
    whip::Studio,
};

pub(crate) use forwarder::serve;
pub(crate) use session::{Piece, Session};

const PART: &str = "str0m";
/// CPU for a packet and viewer by str0m, in Headwater's.
const BAR: f64 = 4.0;
const BITS_PER_SECOND: usize = 2_000_000;
/// Until what a server keeps of a stream for those who come no longer grows: a little more than a group.
const WARM_UP_MAX: Duration = Duration::from_secs(12);
/// For how long a server is looked at with one viewer.
const ALONE: Duration = Duration::from_secs(4);
/// Until those who have come are no longer greeted.
const GREETING: Duration = Duration::from_secs(3);

/// Options of `str0m`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 200)]
    viewers: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// A stream without sound: all its packets come in bursts of a frame.
    #[arg(long)]
    silent: bool,
    /// Have the kernel drop bursts as a whole for the viewers, in place of cutting them up inside the server's call: a
    /// network card does that by itself.
    #[arg(long)]
    whole: bool,
    /// Have the server on str0m work as str0m's documentation shows it, asking for output after each packet, and send
    /// each datagram by a call of its own. Without this it does for a whole picture at once what can be done so, and
    /// has segmentation offload, as Headwater does.
    #[arg(long)]
    plain: bool,
    /// How often both are measured, by turns.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    turns: u8,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        let (viewers, seconds) = (extent.people(200), extent.seconds());
        Options { viewers, seconds, silent: false, whole: false, plain: false, turns: 1 }
    }

    fn camera(&self) -> Camera {
        let camera = Camera::new(BITS_PER_SECOND, Duration::ZERO, Pacing::Browser);
        if self.silent { camera.silent() } else { camera }
    }

    fn sight(&self, viewer: usize) -> Sight {
        match (viewer.is_multiple_of(SEEING), self.whole) {
            (true, _) => Sight::Counting,
            (false, true) => Sight::BlindToBursts,
            (false, false) => Sight::Blind,
        }
    }

    fn warm_up(&self) -> Duration {
        Duration::from_secs(self.seconds).min(WARM_UP_MAX)
    }
}

/// What one of the servers did in one turn.
struct Turn {
    /// CPU for a packet and viewer, in nanoseconds.
    each: f64,
    /// The same without what the kernel does.
    each_user: f64,
    /// The same of all without what the server takes with one viewer.
    each_further: f64,
    /// Bytes of memory for each viewer after the first.
    memory: f64,
    usage: Usage,
    /// Packets in a second to all viewers.
    rate: f64,
    /// Share of the packets that have not arrived.
    lost: f64,
    /// Milliseconds from publisher to viewer.
    ages: Vec<f64>,
}

/// Measures both, by turns.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    ensure!(options.viewers > 1, "there are no viewers to count");
    let progress = Progress::new(PART, 2 * usize::from(options.turns));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 1..=options.turns {
        progress.say(format!("turn {turn}: str0m"));
        let forwarder = process::Forwarder::start(options.plain)?;
        theirs.push(watch(options, forwarder.http(), forwarder.pid()).context("the server on str0m")?);
        drop(forwarder);
        progress.step();
        progress.say(format!("turn {turn}: Headwater"));
        let server = Server::with_shards(server, 1)?;
        ours.push(watch(options, server.http, server.pid()).with_context(|| server.log())?);
        progress.step();
    }
    tell(options, report, &mut ours, &mut theirs);
    Ok(())
}

fn watch(options: &Options, http: std::net::SocketAddr, pid: u32) -> Result<Turn> {
    let mut studio = Studio::start(http, vec![(STREAM.to_owned(), options.camera())])?;
    let mut crowd = Crowd::new(http)?;
    crowd.join(Sight::Counting)?;
    crowd.run(options.warm_up())?;
    let before = process_time(pid)?;
    crowd.run(ALONE)?;
    let alone = process_time(pid)?.saturating_sub(before).div_f64(ALONE.as_secs_f64());
    let resident = resident_bytes(pid)?;
    for viewer in 1..options.viewers {
        crowd.join(options.sight(viewer)).with_context(|| format!("viewer {} of {}", viewer + 1, options.viewers))?;
    }
    crowd.run(GREETING)?;
    crowd.begin();
    let (watch, before) = (Watch::begin(pid)?, user_time(pid)?);
    crowd.run(Duration::from_secs(options.seconds))?;
    let (usage, user) = (watch.end()?, user_time(pid)?.saturating_sub(before));
    studio.check()?;
    let connected = crowd.connected();
    ensure!(connected == options.viewers, "only {connected} viewers are still connected");
    let (received, expected) = crowd.counts();
    ensure!(received > 0, "the viewers receive nothing");
    let viewers = options.viewers as f64;
    let packets = received as f64 / crowd.seeing() as f64 * viewers;
    let rest = usage.time.saturating_sub(alone.mul_f64(usage.elapsed));
    Ok(Turn {
        each: usage.nanoseconds_for(packets),
        each_user: user.as_nanos() as f64 / packets,
        each_further: rest.as_nanos() as f64 / (packets * (viewers - 1.0) / viewers),
        memory: usage.resident.saturating_sub(resident) as f64 / (viewers - 1.0),
        rate: packets / usage.elapsed,
        lost: 1.0 - received as f64 / expected.max(1) as f64,
        ages: crowd.ages(),
        usage,
    })
}

fn tell(options: &Options, report: &mut Report, ours: &mut [Turn], theirs: &mut [Turn]) {
    let sound = if options.silent { " without sound" } else { "" };
    let bursts = if options.whole { ", bursts dropped whole" } else { "" };
    let plain = if options.plain { ", str0m packet by packet" } else { "" };
    let label = format!("{} viewers{sound}{bursts}{plain}", options.viewers);
    tell_server(&mut report.section(PART, format!("Headwater, {label}")), ours);
    tell_server(&mut report.section(PART, format!("str0m, {label}")), theirs);
    let ratio = |of: fn(&Turn) -> f64| {
        let ratios = theirs.iter().zip(&*ours).map(|(theirs, ours)| of(theirs) / of(ours).max(f64::MIN_POSITIVE));
        percentile(&mut ratios.collect::<Vec<_>>(), 0.5)
    };
    let mut section = report.section(PART, label);
    section.barred_below("CPU for a packet by str0m, in Headwater's", ratio(|turn| turn.each), "times", BAR);
    // Without bars of their own: more of these is better, which a comparison of ratios would not know.
    section.figure("the same outside the kernel", ratio(|turn| turn.each_user), "");
    section.figure("the same for packets of further viewers", ratio(|turn| turn.each_further), "");
    section.figure("memory for each further viewer by str0m, in Headwater's", ratio(|turn| turn.memory), "");
}

fn tell_server(section: &mut Section<'_>, turns: &mut [Turn]) {
    let of = |value: fn(&Turn) -> f64| percentile(&mut turns.iter().map(value).collect::<Vec<_>>(), 0.5);
    section.figure("CPU for a packet", of(|turn| turn.each), "ns/packet");
    section.figure("the same outside the kernel", of(|turn| turn.each_user), "ns/packet");
    section.figure("CPU for each packet of further viewers", of(|turn| turn.each_further), "ns/packet");
    section.figure("share of a core", of(|turn| turn.usage.share() * 100.0), "%");
    section.figure("memory for each further viewer", of(|turn| turn.memory / 1_024.0), "KiB");
    section.figure("memory of the server", of(|turn| turn.usage.resident as f64 / 1_048_576.0), "MiB");
    section.figure("delivered", of(|turn| turn.rate), "packets/s");
    section.figure("lost", of(|turn| turn.lost * 100.0), "%");
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let mut ages: Vec<f64> = turns.iter_mut().map(|turn| percentile(&mut turn.ages, share)).collect();
        section.figure(&format!("packet from publisher to viewer, {name}"), percentile(&mut ages, 0.5), "ms");
    }
}
