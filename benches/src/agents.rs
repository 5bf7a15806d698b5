//! Load agents: what they cost beside a browser that plays the same, and what a thousand of them hold.

mod crew;
mod tab;

use std::{
    env,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    clock::{process_time, resident_bytes},
    publisher::STREAM,
    report::{Extent, Progress, Report},
    server::{self, Server},
};

pub(crate) use crew::{Crew, Received, playing, task};
use tab::Tab;

const PART: &str = "agents";
/// CPU of a browser's tab, in that of an agent which receives the same.
const BAR: f64 = 200.0;
/// Memory of a thousand agents.
const MEMORY_BAR_MIB: f64 = 1_024.0;
const THOUSAND: f64 = 1_000.0;
/// Viewers that come in a second.
const RATE: usize = 50;
/// Until a stream has begun, and a tab shows it.
const WARM_UP: Duration = Duration::from_secs(5);
const SENT: &str = "headwater_webrtc_packets_total";

/// Options of `agents`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Agents that play.
    #[arg(long, default_value_t = 300)]
    viewers: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// The browser; without this, Chromium or Chrome as the PATH knows it. Without any, only agents are measured.
    #[arg(long, value_name = "FILE")]
    chromium: Option<PathBuf>,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { viewers: extent.people(300), seconds: extent.seconds(), chromium: None }
    }
}

/// An agent that publishes a real picture of 720 lines at 2 Mbit/s, in a process of its own: what it takes is not to be
/// counted among those who play.
pub(crate) struct Broadcast(Child);

impl Broadcast {
    /// Begins.
    pub(crate) fn start(target: &str, allowed: &[String]) -> Result<Broadcast> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["broadcast", target]).args(allowed).stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(Broadcast(command.spawn().context("no second process of the bench")?))
    }

    /// Whether it still publishes.
    pub(crate) fn check(&mut self) -> Result<()> {
        let ended = self.0.try_wait()?;
        ensure!(ended.is_none(), "the publisher has ended ({ended:?})");
        Ok(())
    }
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The process of [`Broadcast`]: publishes until its standard input ends.
pub(crate) fn broadcast(target: &str, allowed: &[String]) -> Result<()> {
    let crew = Crew::start("broadcast", &[task("publish", target, 1, 1)], allowed)?;
    crew.wait()?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Measures the agents, then the browser with the same stream of the same server.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 3);
    let server = Server::start(server, 0)?;
    let mut broadcast = Broadcast::start(&format!("http://{}/{STREAM}/whip", server.http), &[])?;
    thread::sleep(WARM_UP);
    let tab = tab(options, &server, &progress).with_context(|| server.log())?;
    broadcast.check()?;
    let agents = agents(options, &server, &progress).with_context(|| server.log())?;
    broadcast.check()?;

    let mut section = report.section(PART, format!("{} agents at 2 Mbit/s", options.viewers));
    section.figure("CPU of one", agents.share * 100.0, "% of a core");
    section.figure("CPU for each packet", agents.each_packet, "ns/packet");
    section.figure("memory of one", agents.each_bytes / 1_024.0, "KiB");
    let thousand = (agents.base_bytes + agents.each_bytes * THOUSAND) / 1_048_576.0;
    section.barred("memory of a process with a thousand, by that", thousand, "MiB", MEMORY_BAR_MIB);
    if let Some(tab) = tab {
        section.figure("CPU of a tab of Chromium that plays it", tab * 100.0, "% of a core");
        section.barred_below("CPU of a tab, in that of an agent", tab / agents.share, "times", BAR);
    }
    Ok(())
}

/// Of one core, what a tab takes that plays the stream, without what an empty one takes.
fn tab(options: &Options, server: &Server, progress: &Progress) -> Result<Option<f64>> {
    let Some(browser) = options.chromium.clone().or_else(tab::find) else {
        progress.step();
        progress.step();
        return Ok(None);
    };
    let time = Duration::from_secs(options.seconds);
    progress.say("an empty tab");
    let empty = Tab::open(&browser, "about:blank")?.share(WARM_UP, time)?;
    progress.step();
    progress.say("a tab that plays");
    let tab = Tab::open(&browser, &format!("http://{}/play/{STREAM}", server.http))?;
    let before = server.metric(SENT)?;
    let playing = tab.share(WARM_UP, time)?;
    // 2 Mbit/s are some 200 packets in a second.
    let sent = server.metric(SENT)? - before;
    ensure!(sent > time.as_secs_f64() * 100.0, "the tab has not played: it was sent {sent} packets");
    progress.step();
    Ok(Some(playing - empty))
}

/// What agents cost.
struct Cost {
    /// Of one core, for one of them.
    share: f64,
    each_packet: f64,
    each_bytes: f64,
    /// Of the process without them.
    base_bytes: f64,
}

fn agents(options: &Options, server: &Server, progress: &Progress) -> Result<Cost> {
    progress.say(format!("{} agents", options.viewers));
    let (own, time) = (std::process::id(), Duration::from_secs(options.seconds));
    let base = resident_bytes(own)? as f64;
    let target = format!("http://{}/{STREAM}/whep", server.http);
    let crew = Crew::start(PART, &[task("play", &target, options.viewers, RATE)], &[])?;
    crew.wait()?;
    thread::sleep(WARM_UP);
    let before = process_time(own)?;
    let received = crew.watch(time)?;
    let used = process_time(own)?.saturating_sub(before);
    let resident = resident_bytes(own)? as f64;
    ensure!(received.packets > 0.0, "the agents receive nothing");
    ensure!(received.lost < 1.0, "{:.1} % were lost: the machine is too busy", received.lost);
    let viewers = options.viewers as f64;
    progress.step();
    Ok(Cost {
        share: used.as_secs_f64() / time.as_secs_f64() / viewers,
        each_packet: used.as_nanos() as f64 / received.packets,
        each_bytes: (resident - base).max(0.0) / viewers,
        base_bytes: base,
    })
}
