//! WebRTC to WebRTC: the time that the server adds to a packet on its way from a publisher to many viewers.
//!
//! The publisher writes into each payload when it hands it over; of some viewers the kernel says when it arrived, on
//! the same machine and clock. The floor of a packet is the same sent straight to a socket, twice; that of a crowd is
//! one thread that only copies, seals and sends.

mod busy;
pub(crate) mod floor;

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    camera::{self, Position},
    clock::process_time,
    publisher::STREAM,
    report::{Extent, Progress, Report, percentile},
    server::{self, Server},
    webrtc::{Crowd, Sight, Timing},
    whip::Studio,
};

use busy::Busy;

const PART: &str = "latency";
/// Milliseconds that the server may add.
const BAR_P50_MS: f64 = 1.0;
const BAR_P99_MS: f64 = 5.0;
/// One viewer in so many tells when its packets arrive.
const TIMED: usize = 20;

/// Options of `latency`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 200)]
    viewers: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    #[command(flatten)]
    camera: camera::Options,
    /// Have the kernel cut bursts up for the viewers, inside the server's calls, as loopback does.
    #[arg(long)]
    cut: bool,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { viewers: 200, seconds: extent.seconds(), camera: camera::Options::default(), cut: false }
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Measures the floor and the server, with nothing else running and with all cores busy.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 4);
    let server = Server::start(server, 0)?;
    let mut studio = Studio::start(server.http, vec![(STREAM.to_owned(), options.camera.camera())])?;
    let mut crowd = Crowd::new(server.http)?;
    thread::sleep(Duration::from_millis(500));
    progress.say(format!("{} viewers join", options.viewers));
    for viewer in 0..options.viewers {
        let sight = match (viewer % TIMED, options.cut) {
            (0, _) => Sight::Timed,
            (_, true) => Sight::Blind,
            (_, false) => Sight::BlindToBursts,
        };
        crowd.join(sight).with_context(|| server.log())?;
    }
    crowd.run(Duration::from_secs(3))?;
    let mut seen = Vec::new();
    for is_busy in [false, true] {
        let _busy = is_busy.then(Busy::start).transpose()?;
        progress.say(if is_busy { "busy cores" } else { "idle cores" });
        seen.push(watch(options, &server, &mut crowd, &mut studio)?);
        progress.step();
    }
    drop((crowd, studio, server));
    progress.say("the shortest way");
    for (is_busy, seen) in [false, true].into_iter().zip(seen) {
        let _busy = is_busy.then(Busy::start).transpose()?;
        let floor = Floor {
            hops: floor::measure(options.camera.camera())?,
            turns: floor::turns(options.camera.camera(), options.viewers, options.cut)?,
        };
        progress.step();
        tell(options, report, is_busy, &seen, floor);
    }
    Ok(())
}

/// Milliseconds without a server.
struct Floor {
    /// Of one packet straight to one socket.
    hops: Vec<f64>,
    /// Of packets that wait for those of other viewers.
    turns: Vec<f64>,
}

struct Watched {
    time: Duration,
    delivered: f64,
    timings: Vec<Timing>,
}

fn watch(options: &Options, server: &Server, crowd: &mut Crowd, studio: &mut Studio) -> Result<Watched> {
    crowd.begin();
    let (before, sent) = (process_time(server.pid())?, server.metric("headwater_webrtc_packets_total")?);
    crowd.run(options.length())?;
    let time = process_time(server.pid())?.saturating_sub(before);
    let delivered = server.metric("headwater_webrtc_packets_total")? - sent;
    studio.check()?;
    let timings = crowd.timings();
    ensure!(!timings.is_empty() && delivered > 0.0, "the viewers receive nothing: {}", server.log());
    Ok(Watched { time, delivered, timings })
}

fn tell(options: &Options, report: &mut Report, busy: bool, seen: &Watched, mut floor: Floor) {
    let load = if busy { ", all cores busy" } else { "" };
    let spread = match options.camera.spread_ms {
        None => String::new(),
        Some(0) => ", pictures at once".to_owned(),
        Some(milliseconds) => format!(", pictures spread over {milliseconds} ms"),
    };
    let label = format!("{} viewers{spread}{load}", options.viewers);
    let hop = percentile(&mut floor.hops, 0.5);
    let mut section = report.section(PART, label);
    section.figure("floor, two hops without a server, p50", 2.0 * hop, "ms");
    section.figure("floor, two hops without a server, p99", 2.0 * percentile(&mut floor.hops, 0.99), "ms");
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let age = percentile(&mut floor.turns, share);
        section.figure(&format!("floor, one thread that only seals and sends, {name}"), age, "ms");
    }
    for (what, wanted) in [
        ("first packet of a picture", Some(Position::First)),
        ("last packet of a picture", Some(Position::Last)),
        ("sound", Some(Position::Whole)),
        ("all packets", None),
    ] {
        let chosen = seen.timings.iter().filter(|timing| wanted.is_none_or(|wanted| timing.position == wanted));
        let mut ages: Vec<f64> = chosen.map(|timing| timing.age.as_secs_f64() * 1e3).collect();
        for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("longest", 1.0)] {
            section.figure(&format!("{what}, {name}"), percentile(&mut ages, share), "ms");
        }
        if wanted.is_some() {
            continue;
        }
        for (name, share, bar) in [("p50", 0.5, BAR_P50_MS), ("p99", 0.99, BAR_P99_MS)] {
            let (what, added) = (format!("added by the server, {name}"), percentile(&mut ages, share) - 2.0 * hop);
            match busy {
                false => section.barred(&what, added, "ms", bar),
                true => section.figure(&what, added, "ms"),
            }
            .floor(percentile(&mut floor.turns, share));
            let what = format!("the same in turns of one thread that only seals and sends, {name}");
            section.figure(&what, added / percentile(&mut floor.turns, share), "times");
        }
    }
    let each = seen.time.as_nanos() as f64 / seen.delivered;
    section.figure("server, for each packet delivered", each, "ns");
}
