//! A hop of the CDN: what an edge that fetches streams from an origin adds and costs, beside the origin itself.
//!
//! Both are real servers of one cluster, on one machine and clock. Added time is that from a packet's arrival at a
//! viewer of the origin to the arrival of the same packet at viewers of the edge, by the kernel's stamps. CPU times
//! are compared by turns: the same crowd comes to the origin, goes, comes to the edge, goes.

mod nodes;
mod turns;

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    camera::{self, Camera, Pacing},
    latency::floor,
    publisher::STREAM,
    report::{Extent, Progress, Report, percentile},
    server,
    webrtc::Crowd,
    whip::Studio,
};

use nodes::Nodes;
use turns::{Place, Turns};

const PART: &str = "hop";
/// Milliseconds that a hop may add.
const BAR_P50_MS: f64 = 1.0;
const BAR_P99_MS: f64 = 5.0;
/// CPU for a viewer of an edge, in that for one of a single server.
const CPU_BAR: f64 = 1.1;
/// From the request to the first picture, for nineteen of twenty: of a stream that the edge has already, and of one
/// that it fetches first, over two hops.
const WARM_BAR_MS: f64 = 200.0;
const COLD_BAR_MS: f64 = 500.0;
/// Viewers who ask for one stream at once that the edge does not have yet.
const TOGETHER: usize = 20;
/// Kilobits in a second of the streams that are asked for once.
const COLD_KILOBITS: usize = 500;

/// Options of `hop`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers of the edge.
    #[arg(long, default_value_t = 200)]
    viewers: usize,
    /// Seconds of each turn.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How often the viewers come to the origin, and how often to the edge.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// How often a stream is asked for that the edge has, and how many that it does not have.
    #[arg(long, default_value_t = 40)]
    joins: usize,
    #[command(flatten)]
    camera: camera::Options,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        let seconds = extent.seconds().div_ceil(2);
        Options { viewers: 200, seconds, turns: 3, joins: 40, camera: camera::Options::default() }
    }
}

/// Milliseconds from the request to the first picture.
struct Joins {
    cold: Vec<f64>,
    /// Of a stream that comes over two hops.
    cold_far: Vec<f64>,
    warm: Vec<f64>,
    origin: Vec<f64>,
}

/// Measures joins, then the same crowd by turns at the origin and at the edge.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 2 * options.turns + 4);
    progress.say("starting");
    let (cold_far, far_pulls) = far_joins(options, server, &progress)?;
    progress.step();
    let nodes = Nodes::start(server, 1)?;
    let before = nodes.connected_at_origin()?;
    progress.step();
    let (cold, streams) = cold_joins(options, &nodes, &progress)?;
    nodes.wait("cluster_streams", 0.0)?;
    nodes.wait("relay_pulls", 0.0)?;
    progress.step();

    let mut studio = Studio::start(nodes.origin.http, vec![(STREAM.to_owned(), options.camera.camera())])?;
    nodes.wait("cluster_streams", 1.0)?;
    let mut crowd = turns::residents(&nodes).with_context(|| nodes.log())?;
    progress.say("viewers come and go");
    let mut joins = Joins { cold, cold_far, warm: Vec::new(), origin: Vec::new() };
    for _ in 0..options.joins {
        joins.origin.push(join(&mut crowd, &nodes, Place::Origin, STREAM)?);
        joins.warm.push(join(&mut crowd, &nodes, Place::Edge, STREAM)?);
    }
    progress.step();

    let (mut at_origin, mut at_edge) = (Turns::default(), Turns::default());
    let mut first_packets = Vec::new();
    for turn in 1..=options.turns {
        progress.say(format!("turn {turn} of {}, at the origin", options.turns));
        at_origin.watch(options, &nodes, Place::Origin, &mut crowd)?;
        progress.step();
        progress.say(format!("turn {turn} of {}, at the edge", options.turns));
        first_packets.extend(at_edge.watch(options, &nodes, Place::Edge, &mut crowd)?);
        progress.step();
        studio.check()?;
    }
    // Publishers, the viewer who stays at the origin, and those who came and went.
    let own = streams + 2 + options.joins + options.turns * options.viewers;
    let pulls = nodes.connected_at_origin()? - before - own as f64;
    ensure!(pulls > 0.0, "the edge has fetched nothing: {}", nodes.log());
    drop((crowd, studio, nodes));
    let floor = floor::turns(options.camera.camera(), options.viewers, false)?;

    tell_latency(options, report, &mut at_origin, &mut at_edge, floor);
    tell_cost(options, report, &mut at_origin, &mut at_edge);
    tell_joins(report, joins, first_packets);
    report.barred(PART, "sessions of the edge at the origin, for each stream", pulls / (streams + 1) as f64, "", 1.0);
    report.barred(PART, "the same over two hops", far_pulls, "", 1.0);
    Ok(())
}

/// The same streams over two hops. Says also how many sessions the origin had for each.
fn far_joins(options: &Options, server: &server::Options, progress: &Progress) -> Result<(Vec<f64>, f64)> {
    let nodes = Nodes::start(server, 2)?;
    let before = nodes.connected_at_origin()?;
    let (cold, streams) = cold_joins(options, &nodes, progress)?;
    let pulls = nodes.connected_at_origin()? - before - streams as f64;
    let middle = nodes.middle.as_ref().context("there is no server between")?;
    let passed = middle.metric("headwater_webrtc_sessions_connected_total")?;
    // It fetches each, and gives each to the edge; what the edge had from the origin is no figure of two hops.
    ensure!(passed >= 2.0 * streams as f64, "only {passed} sessions went over two hops: {}", nodes.log());
    Ok((cold, pulls / streams as f64))
}

/// Each of many streams is asked for once, the last of them by many viewers at once. Says how many there were.
fn cold_joins(options: &Options, nodes: &Nodes, progress: &Progress) -> Result<(Vec<f64>, usize)> {
    let streams = options.joins + 1;
    let cameras = (0..streams).map(|number| {
        let phase = Duration::from_secs(1) * number as u32 / streams as u32;
        (format!("cold-{number}"), Camera::new(COLD_KILOBITS * 1_000, phase, Pacing::Browser))
    });
    progress.say(format!("{streams} publishers"));
    let mut studio = Studio::start(nodes.origin.http, cameras.collect())?;
    nodes.wait("cluster_streams", streams as f64)?;
    // All cameras are on, and what begins a stream is over.
    thread::sleep(Duration::from_secs(2));
    let mut crowd = Crowd::new(nodes.edge.http)?;
    progress.say("streams that the edge does not have yet");
    let mut cold = Vec::new();
    for number in 0..options.joins {
        cold.push(join(&mut crowd, nodes, Place::Edge, &format!("cold-{number}"))?);
    }
    let last = format!("cold-{}", options.joins);
    crowd.join_together(nodes.edge.http, &last, TOGETHER).with_context(|| nodes.log())?;
    crowd.keep(0)?;
    studio.check()?;
    Ok((cold, streams))
}

/// One more viewer comes, sees a picture and goes: after how many milliseconds.
fn join(crowd: &mut Crowd, nodes: &Nodes, place: Place, stream: &str) -> Result<f64> {
    let others = crowd.len();
    let time = crowd.join_for_picture(place.of(nodes).http, stream).with_context(|| nodes.log())?;
    crowd.keep(others)?;
    Ok(time.as_secs_f64() * 1e3)
}

fn tell_latency(
    options: &Options,
    report: &mut Report,
    at_origin: &mut Turns,
    at_edge: &mut Turns,
    mut floor: Vec<f64>,
) {
    let label = format!("{} viewers of the edge", options.viewers);
    for (name, share, bar) in [("p50", 0.5, BAR_P50_MS), ("p99", 0.99, BAR_P99_MS)] {
        let added = percentile(&mut at_edge.added, share);
        report.barred(PART, format!("{label}: added by the hop, {name}"), added, "ms", bar);
        let floor = percentile(&mut floor, share);
        let what = format!("{label}: one thread that only seals and sends, {name}");
        report.figure(PART, what, floor, "ms");
    }
    for (name, share) in [("best", 0.0), ("median", 0.5), ("worst", 1.0)] {
        let p99 = percentile(&mut at_edge.added_p99, share);
        report.figure(PART, format!("{label}: added by the hop, p99 of the {name} turn"), p99, "ms");
    }
    for (which, turns) in [("origin", at_origin), ("edge", at_edge)] {
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let age = percentile(&mut turns.ages, share);
            report.figure(
                PART,
                format!("{} viewers of the {which}: from the publisher, {name}", options.viewers),
                age,
                "ms",
            );
        }
    }
}

fn tell_cost(options: &Options, report: &mut Report, at_origin: &mut Turns, at_edge: &mut Turns) {
    let figure = |report: &mut Report, what: String, value, unit| {
        report.figure(PART, what, value, unit);
    };
    let mut ratios: Vec<f64> = at_edge.costs.iter().zip(&at_origin.costs).map(|(edge, origin)| edge / origin).collect();
    for (which, turns) in [("origin", &*at_origin), ("edge", &*at_edge)] {
        let label = format!("{} viewers of the {which}", options.viewers);
        figure(report, format!("{label}: share of a core"), turns.time.as_secs_f64() / turns.elapsed * 100.0, "%");
        figure(report, format!("{label}: CPU for each packet sent"), turns.cost(), "ns");
        figure(report, format!("{label}: packets sent"), turns.sent / turns.elapsed, "packets/s");
        let strangers = turns.strangers.as_secs_f64() / turns.elapsed * 100.0;
        figure(report, format!("{label}: other programs meanwhile, share of a core"), strangers, "%");
    }
    for (which, turns) in [("edge, with one viewer", &*at_origin), ("origin, with one viewer and the edge", &*at_edge)]
    {
        let beside = turns.beside.as_secs_f64() / turns.elapsed * 100.0;
        figure(report, format!("the {which}: share of a core"), beside, "%");
    }
    let what = "CPU for a viewer of the edge, for that of one server";
    report.barred(PART, what, at_edge.cost() / at_origin.cost(), "times", CPU_BAR);
    for (name, share) in [("lowest", 0.0), ("median", 0.5), ("highest", 1.0)] {
        report.figure(PART, format!("the same, {name} of pairs of turns"), percentile(&mut ratios, share), "times");
    }
}

fn tell_joins(report: &mut Report, mut joins: Joins, mut first_packets: Vec<f64>) {
    let mut tell = |what: &str, times: &mut Vec<f64>, bar: Option<f64>| {
        for (name, share) in [("p50", 0.5), ("p95", 0.95), ("longest", 1.0)] {
            let (what, time) = (format!("{what}, {name}"), percentile(times, share));
            match bar.filter(|_| name == "p95") {
                Some(bar) => report.barred(PART, what, time, "ms", bar),
                None => report.figure(PART, what, time, "ms"),
            };
        }
    };
    tell("POST to first picture, at the origin", &mut joins.origin, None);
    tell("POST to first picture, at the edge", &mut joins.warm, Some(WARM_BAR_MS));
    tell("POST to first picture, stream new to the edge", &mut joins.cold, None);
    tell("POST to first picture, stream new, over two hops", &mut joins.cold_far, Some(COLD_BAR_MS));
    tell("POST to first packet, at the edge, one after the other", &mut first_packets, None);
}
