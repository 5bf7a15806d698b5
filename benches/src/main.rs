//! Load benchmarks: the graph by itself, and the real server beside the floor of the machine it runs on.
//!
//! Every figure of the server is put beside a floor measured in the same run, because the machine under it is
//! shared and differs from minute to minute: ratios hold, nanoseconds do not.

mod against;
mod agents;
mod camera;
mod clock;
mod control;
mod floor;
mod graph;
mod hls;
mod hls_memory;
mod hop;
mod http;
mod idle;
mod latency;
mod micro;
mod mse;
mod peer;
mod publisher;
mod recovery;
mod report;
mod rtmp;
mod scale;
mod server;
mod shards;
mod sinks;
mod soak;
mod source;
mod str0m;
mod timed;
mod trend;
mod usage;
mod webrtc;
mod webrtc_in;
mod whip;
mod writing;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use report::{Extent, Progress, Report, Verdict};

/// Measures Headwater beside what the machine itself can do.
#[derive(Parser)]
#[command(name = "headwater-benches")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
    #[command(flatten)]
    server: server::Options,
    #[command(flatten)]
    outputs: report::Outputs,
    /// Measures so many times; the median of each figure counts, and its spread is told.
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeat: u16,
}

#[derive(Subcommand)]
enum Bench {
    /// Instructions and allocations for a packet, counted by callgrind: the same on a busy machine.
    Micro(micro::Options),
    /// The real server under load: all benches below but `graph` and `floor`.
    Load(Group),
    /// All of them.
    All(Group),
    /// Does a piece of work, which something else counts; says for how many packets, frames or parts.
    #[command(hide = true)]
    Count { work: micro::Work, rounds: u64 },
    /// What it costs to hand a packet to a viewer within the process.
    Graph(graph::Options),
    /// What this machine can do: copying, sealing, sending.
    Floor(floor::Options),
    /// RTMP: the server's work for each byte of many players, beside bare writing.
    Rtmp(rtmp::Options),
    /// WebRTC: the server's work for each packet of many viewers, beside the shortest way.
    Webrtc(webrtc::Options),
    /// WebRTC: the server's work for each packet of many viewers, beside that of a server on str0m.
    Str0m(str0m::Options),
    /// WebRTC in: the server's work for each packet of many publishers, beside the shortest way.
    WebrtcIn(webrtc_in::Options),
    /// WebRTC to WebRTC: the time that the server adds to a packet.
    Latency(latency::Options),
    /// Several servers: what fetching a stream from another costs and adds.
    Hop(hop::Options),
    /// REST calls and hooks beside media: what they do to the time that the server adds to a packet.
    Control(control::Options),
    /// HLS: the server's work for each byte of media, and held requests that are answered together.
    Hls(hls::Options),
    /// HLS that is always on: whether the memory of a stream stays within its window.
    HlsMemory(hls_memory::Options),
    /// MSE and WSPlayer: the server's work for each message of many viewers, beside bare writing.
    Mse(mse::Options),
    /// Many WebRTC viewers: memory for each, joins that a core carries, and viewers that are sent nothing.
    Scale(scale::Options),
    /// One shard and two: whether twice the threads carry twice the viewers.
    Shards(shards::Options),
    /// Lines that lose packets: how soon what is lost comes again.
    Recovery(recovery::Options),
    /// What the server takes when there is little to do.
    Idle(idle::Options),
    /// Whether the server grows while viewers come and go for a long time: memory, descriptors, threads, tasks.
    Soak(soak::Options),
    /// Load agents: what they cost beside a tab of a browser, and what they hold.
    Agents(agents::Options),
    /// Another server that runs already, under the same agents as this one.
    #[command(long_flag = "against")]
    Against(against::Options),
    /// Forwards by str0m until its standard input ends.
    #[command(hide = true)]
    Forward {
        /// Packet by packet, and a call for each datagram.
        #[arg(long)]
        plain: bool,
    },
    /// Publishes until its standard input ends.
    #[command(hide = true)]
    Broadcast { target: String, allowed: Vec<String> },
}

/// Several benches, one after the other.
#[derive(Args, Clone, Copy, Debug)]
struct Group {
    /// Seconds of each measurement of the server.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Takes two minutes for all: few viewers and seconds, and only what is told in floors.
    #[arg(long, conflicts_with = "seconds")]
    quick: bool,
}

impl Group {
    fn extent(self) -> Extent {
        if self.quick { Extent::Quick } else { Extent::Seconds(self.seconds) }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Worse(_)) => ExitCode::FAILURE,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Verdict> {
    let arguments = Arguments::parse();
    raise_descriptor_limit();
    if let Bench::Count { work, rounds } = arguments.bench {
        let done = work.run(rounds)?;
        writeln!(io::stdout(), "{done}")?;
        return Ok(Verdict::Well);
    }
    if let Bench::Broadcast { target, allowed } = arguments.bench {
        agents::broadcast(&target, &allowed)?;
        return Ok(Verdict::Well);
    }
    if let Bench::Forward { plain } = arguments.bench {
        str0m::serve(plain)?;
        return Ok(Verdict::Well);
    }
    let other = arguments.outputs.other()?;
    let (mut report, mut result) = (Report::new(), Ok(()));
    for run in 0..arguments.repeat {
        let mut figures = Report::new();
        result = result.and(measure(&arguments.bench, &arguments.server, &mut figures));
        if run == 0 { report = figures } else { report.merge(figures) }
    }
    report.print()?;
    let verdict = arguments.outputs.write(&report, other.as_ref())?;
    result.and(Ok(verdict))
}

fn measure(bench: &Bench, server: &server::Options, report: &mut Report) -> Result<()> {
    match bench {
        Bench::Micro(options) => micro::run(options, report),
        Bench::Graph(options) => graph::run(options, report),
        Bench::Floor(options) => floor::run(options, report),
        Bench::Rtmp(options) => rtmp::run(options, server, report),
        Bench::Webrtc(options) => webrtc::run(options, server, report),
        Bench::Str0m(options) => str0m::run(options, server, report),
        Bench::WebrtcIn(options) => webrtc_in::run(options, server, report),
        Bench::Latency(options) => latency::run(options, server, report),
        Bench::Hop(options) => hop::run(options, server, report),
        Bench::Control(options) => control::run(options, server, report),
        Bench::Hls(options) => hls::run(options, server, report),
        Bench::HlsMemory(options) => hls_memory::run(options, server, report),
        Bench::Mse(options) => mse::run(options, server, report),
        Bench::Scale(options) => scale::run(options, server, report),
        Bench::Shards(options) => shards::run(options, server, report),
        Bench::Recovery(options) => recovery::run(options, server, report),
        Bench::Idle(options) => idle::run(options, server, report),
        Bench::Soak(options) => soak::run(options, server, report),
        Bench::Load(group) => in_turn(&LOAD, group.extent(), server, report),
        Bench::All(group) => {
            let all: Vec<Member> = WITHIN.iter().chain(&LOAD).copied().collect();
            in_turn(&all, group.extent(), server, report)
        }
        Bench::Agents(options) => agents::run(options, server, report),
        Bench::Against(options) => against::run(options, server, report),
        Bench::Count { .. } | Bench::Forward { .. } | Bench::Broadcast { .. } => Ok(()),
    }
}

/// A bench as a member of a group: whether it is part of a quick run, and how it is run.
#[derive(Clone, Copy)]
struct Member {
    name: &'static str,
    is_quick: bool,
    run: fn(Extent, &server::Options, &mut Report) -> Result<()>,
}

impl Member {
    const fn new(
        name: &'static str,
        is_quick: bool,
        run: fn(Extent, &server::Options, &mut Report) -> Result<()>,
    ) -> Member {
        Member { name, is_quick, run }
    }
}

/// What runs in a process of its own, without a server.
const WITHIN: [Member; 3] = [
    Member::new("micro", true, |extent, _, report| micro::run(&micro::Options::of(extent), report)),
    Member::new("graph", true, |extent, _, report| graph::run(&graph::Options::of(extent), report)),
    Member::new("floor", true, |extent, _, report| floor::run(&floor::Options::of(extent), report)),
];

/// What loads the real server.
const LOAD: [Member; 15] = [
    Member::new("idle", true, |extent, server, report| idle::run(&idle::Options::of(extent), server, report)),
    Member::new("rtmp", true, |extent, server, report| rtmp::run(&rtmp::Options::of(extent), server, report)),
    Member::new("webrtc", true, |extent, server, report| webrtc::run(&webrtc::Options::of(extent), server, report)),
    Member::new("str0m", true, |extent, server, report| str0m::run(&str0m::Options::of(extent), server, report)),
    Member::new("webrtc-in", false, |extent, server, report| {
        webrtc_in::run(&webrtc_in::Options::of(extent), server, report)
    }),
    Member::new("latency", false, |extent, server, report| latency::run(&latency::Options::of(extent), server, report)),
    Member::new("hop", false, |extent, server, report| hop::run(&hop::Options::of(extent), server, report)),
    Member::new("control", false, |extent, server, report| control::run(&control::Options::of(extent), server, report)),
    Member::new("hls", false, |extent, server, report| hls::run(&hls::Options::of(extent), server, report)),
    Member::new("mse", false, |extent, server, report| mse::run(&mse::Options::of(extent), server, report)),
    Member::new("scale", false, |extent, server, report| scale::run(&scale::Options::of(extent), server, report)),
    Member::new("shards", false, |extent, server, report| shards::run(&shards::Options::of(extent), server, report)),
    Member::new("recovery", false, |extent, server, report| {
        recovery::run(&recovery::Options::of(extent), server, report)
    }),
    Member::new("agents", false, |extent, server, report| agents::run(&agents::Options::of(extent), server, report)),
    Member::new("hls-memory", false, |extent, server, report| {
        hls_memory::run(&hls_memory::Options::of(extent), server, report)
    }),
];

/// One after the other; what fails does not keep the rest from being measured.
fn in_turn(members: &[Member], extent: Extent, server: &server::Options, report: &mut Report) -> Result<()> {
    let chosen: Vec<&Member> = members.iter().filter(|member| member.is_quick || !extent.is_quick()).collect();
    let progress = Progress::new("benches", chosen.len());
    let mut result = Ok(());
    for member in chosen {
        progress.say(member.name);
        result = result.and((member.run)(extent, server, report).map_err(|error| error.context(member.name)));
        progress.step();
    }
    result
}

/// A thousand viewers need more descriptors than a shell allows by itself.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, the bench that needs more says so itself.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_named_by_a_flag_as_well() {
        for words in [["against", "http://127.0.0.1/whep"], ["--against", "http://127.0.0.1/whep"]] {
            let given = ["bench"].iter().chain(&words).chain(&["--viewers", "20", "--repeat", "3"]);
            let arguments = Arguments::try_parse_from(given).unwrap();
            assert!(matches!(arguments.bench, Bench::Against(_)) && arguments.repeat == 3, "{words:?}");
        }
    }
}
