//! What the real server takes when there is little to do.

use std::{thread, time::Duration};

use anyhow::Result;
use clap::Args;

use crate::{
    clock::{process_time, resident_bytes},
    publisher::Publisher,
    report::{Extent, Progress, Report},
    server::{self, Server},
    source::Source,
};

const PART: &str = "idle";
const MEBIBYTE: f64 = 1_048_576.0;
/// MiB of a server without streams.
const BAR: f64 = 60.0;

/// Options of `idle`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { seconds: extent.seconds() }
    }
}

/// Measures a server without streams, then with one that nobody watches.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 2);
    let server = Server::start(server, 0)?;
    progress.say("no stream");
    let (memory, share) = rest(&server, options.seconds.min(5))?;
    report.barred(PART, "memory without streams", memory, "MiB", BAR);
    report.figure(PART, "share of a core without streams", share * 100.0, "%");
    progress.step();
    progress.say("one stream of 2 Mbit/s, no viewers");
    let mut publisher = Publisher::start(server.rtmp, Source::new()?)?;
    let (memory, share) = rest(&server, options.seconds)?;
    publisher.check()?;
    report.figure(PART, "memory with one stream of 2 Mbit/s", memory, "MiB");
    report.figure(PART, "share of a core with that stream", share * 100.0, "%");
    progress.step();
    Ok(())
}

/// Lets the server be, and says what it holds in MiB and uses of a core.
fn rest(server: &Server, seconds: u64) -> Result<(f64, f64)> {
    let before = process_time(server.pid())?;
    thread::sleep(Duration::from_secs(seconds));
    let used = process_time(server.pid())?.saturating_sub(before);
    let memory = resident_bytes(server.pid())? as f64 / MEBIBYTE;
    Ok((memory, used.as_secs_f64() / seconds as f64))
}
