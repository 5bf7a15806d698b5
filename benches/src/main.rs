//! Load benchmarks: the graph by itself, and the real server beside the floor of the machine it runs on.
//!
//! Every figure of the server is put beside a floor measured in the same run, because the machine under it is
//! shared and differs from minute to minute: ratios hold, nanoseconds do not.

mod clock;
mod floor;
mod graph;
mod report;
mod sinks;

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
    let result = match &arguments.bench {
        Bench::Graph(options) => graph::run(options, &mut report),
        Bench::Floor(options) => floor::run(options, &mut report),
    };
    report.print()?;
    if let Some(file) = &arguments.json {
        report
            .write_json(file)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    result
}

/// A thousand viewers need more descriptors than a shell allows by itself.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, the bench that needs more says so itself.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}
