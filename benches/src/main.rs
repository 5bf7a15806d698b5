//! Load benchmarks: the graph by itself, and the real server beside the floor of the machine it runs on.
//!
//! Every figure of the server is put beside a floor measured in the same run, because the machine under it is
//! shared and differs from minute to minute: ratios hold, nanoseconds do not.

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
mod mse;
mod publisher;
mod report;
mod rtmp;
mod server;
mod sinks;
mod source;
mod timed;
mod webrtc;
mod webrtc_in;
mod whip;
mod writing;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use report::Report;

/// Measures Headwater beside what the machine itself can do.
#[derive(Parser)]
#[command(name = "headwater-benches")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
    #[command(flatten)]
    server: server::Options,
    /// Also writes the figures to this file, as JSON.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Bench {
    /// What it costs to hand a packet to a viewer within the process.
    Graph(graph::Options),
    /// What this machine can do: copying, sealing, sending.
    Floor(floor::Options),
    /// RTMP: the server's work for each byte of many players, beside bare writing.
    Rtmp(rtmp::Options),
    /// WebRTC: the server's work for each packet of many viewers, beside the shortest way.
    Webrtc(webrtc::Options),
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
    /// What the server takes when there is little to do.
    Idle(idle::Options),
    /// All of them.
    All {
        /// Seconds of each measurement of the server.
        #[arg(long, default_value_t = 15)]
        seconds: u64,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments = Arguments::parse();
    raise_descriptor_limit();
    let mut report = Report::new();
    let result = measure(&arguments.bench, &arguments.server, &mut report);
    report.print()?;
    if let Some(file) = &arguments.json {
        report.write_json(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    result
}

fn measure(bench: &Bench, server: &server::Options, report: &mut Report) -> Result<()> {
    match bench {
        Bench::Graph(options) => graph::run(options, report),
        Bench::Floor(options) => floor::run(options, report),
        Bench::Rtmp(options) => rtmp::run(options, server, report),
        Bench::Webrtc(options) => webrtc::run(options, server, report),
        Bench::WebrtcIn(options) => webrtc_in::run(options, server, report),
        Bench::Latency(options) => latency::run(options, server, report),
        Bench::Hop(options) => hop::run(options, server, report),
        Bench::Control(options) => control::run(options, server, report),
        Bench::Hls(options) => hls::run(options, server, report),
        Bench::HlsMemory(options) => hls_memory::run(options, server, report),
        Bench::Mse(options) => mse::run(options, server, report),
        Bench::Idle(options) => idle::run(options, server, report),
        Bench::All { seconds } => measure_all(*seconds, server, report),
    }
}

/// One after the other; what fails does not keep the rest from being measured.
fn measure_all(seconds: u64, server: &server::Options, report: &mut Report) -> Result<()> {
    let results = [
        graph::run(&graph::Options::default(), report),
        floor::run(&floor::Options::default(), report),
        idle::run(&idle::Options::lasting(seconds), server, report),
        rtmp::run(&rtmp::Options::lasting(seconds), server, report),
        webrtc::run(&webrtc::Options::lasting(seconds), server, report),
        webrtc_in::run(&webrtc_in::Options::lasting(seconds), server, report),
        latency::run(&latency::Options::lasting(seconds), server, report),
        hop::run(&hop::Options::lasting(seconds), server, report),
        control::run(&control::Options::lasting(seconds), server, report),
        hls::run(&hls::Options::lasting(seconds), server, report),
        mse::run(&mse::Options::lasting(seconds), server, report),
        hls_memory::run(&hls_memory::Options::lasting(seconds), server, report),
    ];
    results.into_iter().collect()
}

/// A thousand viewers need more descriptors than a shell allows by itself.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, the bench that needs more says so itself.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
