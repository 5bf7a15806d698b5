//! Instructions and allocations for a packet, counted by callgrind: figures that do not depend on who else is at work.
//!
//! Each piece of work runs in a process of its own under valgrind. What is counted is what [`counted`] calls; what
//! prepares it is not.

mod callgrind;
mod egress;
mod hls;
mod rtmp;
mod rtp;
mod str0m;
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
/// Those of str0m that are not the cipher's, in Headwater's.
const BAR_STR0M: f64 = 4.0;

/// Options of `micro`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only this piece of work; without it, all of them.
    #[arg(long)]
    only: Option<Work>,
    /// Rounds of each, for instance frames of a stream.
    #[arg(long)]
    rounds: Option<u64>,
    /// Leaves out what takes longest to prepare: the handshakes of as many sessions of str0m.
    #[arg(skip)]
    is_quick: bool,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { only: None, rounds: extent.is_quick().then_some(50), is_quick: extent.is_quick() }
    }
}

/// Counts each piece of work.
pub(crate) fn run(options: &Options, report: &mut Report) -> Result<()> {
    callgrind::check()?;
    let mut works: Vec<Work> = options.only.map_or(Work::all().to_vec(), |work| vec![work]);
    works.retain(|work| !(options.is_quick && *work == Work::Str0m));
    let seals = works.iter().filter(|work| work.seals_media()).count();
    let progress = Progress::new(PART, works.len() + seals);
    // Of those that seal media: this server's own first.
    let mut above_cipher = Vec::new();
    for work in works {
        progress.say(work.what());
        let cost = callgrind::count(work, options.rounds, &[])?;
        progress.step();
        if !work.seals_media() {
            let what = format!("{}: instructions", work.what());
            report.figure(PART, what, cost.instructions, work.unit()).is_counted();
            tell_allocations(report, work, &cost);
            continue;
        }
        progress.say("the same without the cipher");
        let above = callgrind::count(work, options.rounds, &[SEAL])?.instructions;
        progress.step();
        tell_viewers(report, work, &cost, above);
        above_cipher.push(above);
    }
    if let [ours, theirs] = above_cipher[..] {
        let what = "above the cipher: by str0m, in Headwater's";
        report.barred_below(PART, what, theirs / ours, "times", BAR_STR0M).is_counted();
    }
    Ok(())
}

fn tell_viewers(report: &mut Report, work: Work, cost: &Cost, above: f64) {
    let (what, unit) = (work.what(), work.unit());
    let (all, above_cipher) = (format!("{what}: instructions"), format!("{what}: above the cipher"));
    let cipher = cost.instructions - above;
    if work == Work::Egress {
        report.barred(PART, all, cost.instructions, unit, BAR_ALL).is_counted().floor(cipher);
        report.barred(PART, above_cipher, above, unit, BAR_ABOVE_CIPHER).is_counted();
    } else {
        report.figure(PART, all, cost.instructions, unit).is_counted().floor(cipher);
        report.figure(PART, above_cipher, above, unit).is_counted();
    }
    tell_allocations(report, work, cost);
}

fn tell_allocations(report: &mut Report, work: Work, cost: &Cost) {
    let what = format!("{}: allocations", work.what());
    match work.allocations_max() {
        Some(bar) => report.barred(PART, what, cost.allocations, work.unit(), bar),
        None => report.figure(PART, what, cost.allocations, work.unit()),
    }
    .is_counted();
}
