//! One shard and two: whether twice the threads carry twice the viewers.
//!
//! On a machine whose cores the viewers of the bench share, threads cannot be driven to their limit. So the same crowd
//! comes to a server with one shard and to one with two, by turns, and what the busiest thread of each spends on a
//! packet of all that are sent says how many it could carry: that counts what shards cost each other, and whether
//! viewers are spread evenly. What two threads gain that only seal and send stands beside it.

mod machine;

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    publisher::Publisher,
    report::{Extent, Progress, Report, percentile},
    server::{self, Server},
    source::Source,
    usage::{Usage, Watch},
    webrtc::{Crowd, Sight},
};

const PART: &str = "shards";
/// What two shards carry, in what one does.
const BAR: f64 = 1.7;
/// How the threads of shards are named.
const THREADS: &str = "shard-";
const SENT: &str = "headwater_webrtc_packets_total";

/// Options of `shards`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 200)]
    viewers: usize,
    /// Seconds of each turn.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 3)]
    turns: usize,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        let turns = if extent.is_quick() { 1 } else { 3 };
        Options { viewers: extent.people(200), seconds: extent.seconds().div_ceil(2), turns }
    }
}

/// Measures by turns.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 2 * options.turns);
    let mut turns = [Vec::new(), Vec::new()];
    let mut possible = Vec::new();
    for turn in 1..=options.turns {
        for (shards, turns) in [1, 2].into_iter().zip(&mut turns) {
            progress.say(format!("turn {turn} of {}, {shards} shards", options.turns));
            turns.push(watch(options, server, shards)?);
            progress.step();
        }
        possible.push(machine::gain(options.viewers)?);
    }
    let [one, two] = turns;
    let gains = one.iter().zip(&two).map(|(one, two)| one.busiest / two.busiest);
    let mut gains: Vec<f64> = gains.collect();
    let mut section = report.section(PART, format!("{} viewers", options.viewers));
    for (name, turns) in [("one shard", &one), ("two shards", &two)] {
        let median = |value: fn(&Turn) -> f64| percentile(&mut turns.iter().map(value).collect::<Vec<_>>(), 0.5);
        section.figure(
            &format!("{name}: CPU of the busiest for each packet of all"),
            median(|turn| turn.busiest),
            "ns",
        );
        section.figure(&format!("{name}: CPU of all for each packet"), median(|turn| turn.all), "ns");
    }
    for (name, share) in [("lowest", 0.0), ("highest", 1.0)] {
        section.figure(&format!("what two carry, for one, {name} of the turns"), percentile(&mut gains, share), "");
    }
    let (gain, possible) = (percentile(&mut gains, 0.5), percentile(&mut possible, 0.5));
    section.barred_below("what two shards carry, for one", gain, "", BAR);
    section.figure("what two threads carry that only seal and send, for one", possible, "");
    section.figure("of what two threads can gain, two shards do", (gain - 1.0) / (possible - 1.0) * 100.0, "%");
    Ok(())
}

/// Nanoseconds for each packet that the server sent.
struct Turn {
    /// Of the shard that had the most to do.
    busiest: f64,
    /// Of all shards.
    all: f64,
}

fn watch(options: &Options, server: &server::Options, shards: usize) -> Result<Turn> {
    let server = Server::with_shards(server, shards)?;
    let mut publisher = Publisher::start(server.rtmp, Source::new()?)?;
    thread::sleep(Duration::from_millis(500));
    let mut crowd = Crowd::new(server.http)?;
    for viewer in 0..options.viewers {
        let sight = if viewer == 0 { Sight::Counting } else { Sight::Blind };
        crowd.join(sight).with_context(|| server.log())?;
    }
    crowd.run(Duration::from_secs(2))?;
    let (watch, sent) = (Watch::begin(server.pid())?, server.metric(SENT)?);
    crowd.run(Duration::from_secs(options.seconds))?;
    let (usage, sent) = (watch.end()?, server.metric(SENT)? - sent);
    publisher.check()?;
    let connected = crowd.connected();
    ensure!(connected == options.viewers && sent > 0.0, "only {connected} viewers watch: {}", server.log());
    turn(&usage, sent, shards)
}

fn turn(usage: &Usage, sent: f64, shards: usize) -> Result<Turn> {
    let times: Vec<f64> = usage.threads.iter().filter(|(name, _)| name.starts_with(THREADS)).map(|of| of.1).collect();
    ensure!(times.len() == shards, "{} of {shards} shards were at work", times.len());
    let cost = |share: f64| share * usage.elapsed * 1e9 / sent;
    Ok(Turn { busiest: cost(times.iter().copied().fold(0.0, f64::max)), all: cost(times.iter().sum()) })
}
