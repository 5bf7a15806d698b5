//! Instructions and allocations for a packet, counted by callgrind: figures that do not depend on who else is at work.
//!
//! Each piece of work runs in a process of its own under valgrind. What is counted is what [`counted`] calls; what
//! prepares it is not.

mod callgrind;
mod egress;
mod hls;
mod rtmp;
mod rtp;
mod work;

use anyhow::Result;
use clap::Args;

use crate::report::{Extent, Progress, Report};

use callgrind::{Cost, SEAL};
pub(crate) use work::{Work, counted};

const PART: &str = "micro";
/// Instructions for a packet and WebRTC viewer: all of them, and those that are not the cipher's.
const BAR_ALL: f64 = 6_500.0;
const BAR_ABOVE_CIPHER: f64 = 2_500.0;

/// Options of `micro`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only this piece of work; without it, all of them.
    #[arg(long)]
    only: Option<Work>,
    /// Rounds of each, for instance frames of a stream.
    #[arg(long)]
    rounds: Option<u64>,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { only: None, rounds: extent.is_quick().then_some(50) }
    }
}

/// Counts each piece of work.
pub(crate) fn run(options: &Options, report: &mut Report) -> Result<()> {
    callgrind::check()?;
    let works: Vec<Work> = options.only.map_or(Work::all().to_vec(), |work| vec![work]);
    let progress = Progress::new(PART, works.len() + 1);
    for work in works {
        progress.say(work.what());
        let cost = callgrind::count(work, options.rounds, &[])?;
        progress.step();
        if work == Work::Egress {
            progress.say("the same without the cipher");
            let above = callgrind::count(work, options.rounds, &[SEAL])?;
            progress.step();
            tell_egress(report, &cost, &above);
            continue;
        }
        let what = format!("{}: instructions", work.what());
        report.figure(PART, what, cost.instructions, work.unit()).is_counted();
        tell_allocations(report, work, &cost);
    }
    Ok(())
}

fn tell_egress(report: &mut Report, cost: &Cost, above: &Cost) {
    let (what, unit) = (Work::Egress.what(), Work::Egress.unit());
    let cipher = cost.instructions - above.instructions;
    let all = report.barred(PART, format!("{what}: instructions"), cost.instructions, unit, BAR_ALL);
    all.is_counted().floor(cipher);
    let above = above.instructions;
    report.barred(PART, format!("{what}: above the cipher"), above, unit, BAR_ABOVE_CIPHER).is_counted();
    tell_allocations(report, Work::Egress, cost);
}

fn tell_allocations(report: &mut Report, work: Work, cost: &Cost) {
    let what = format!("{}: allocations", work.what());
    match work.allocations_max() {
        Some(bar) => report.barred(PART, what, cost.allocations, work.unit(), bar),
        None => report.figure(PART, what, cost.allocations, work.unit()),
    }
    .is_counted();
}
