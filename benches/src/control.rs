//! The control plane beside the media: what REST calls and hooks do to the time that the server adds to a packet.
//!
//! One WebRTC publisher and some viewers; by turns the server is left alone with them, and answers calls while
//! decisions wait for an application that thinks for seconds. Callers and application are real HTTP on threads of the
//! lowest priority, so that they take from the server what it needs for them, and as little as can be of its cores.

mod application;
mod callers;
mod desk;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    camera::{Camera, Pacing},
    publisher::STREAM,
    report::{Extent, Progress, Report, percentile},
    server::{self, Server},
    usage::Watch,
    webrtc::{Crowd, Sight},
    whip::Studio,
};

use desk::{Desk, Done};

const PART: &str = "control";
/// p99 with the control plane at work, for p99 without.
const BAR: f64 = 1.10;
/// One viewer in so many tells when its packets arrive.
const TIMED: usize = 5;
/// Time for all decisions to be under way, and for the last of them to be over.
const SETTLE_MAX: Duration = Duration::from_secs(30);

/// Options of `control`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 50)]
    viewers: usize,
    /// Seconds of each turn.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How many turns the server has alone, and how many with calls and hooks.
    #[arg(long, default_value_t = 6)]
    turns: usize,
    /// REST calls in a second.
    #[arg(long, default_value_t = 1_000)]
    calls: usize,
    /// Hooks that wait for their answer at a time.
    #[arg(long, default_value_t = 1_000)]
    hooks: usize,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { viewers: 50, seconds: extent.seconds().div_ceil(3).max(1), turns: 6, calls: 1_000, hooks: 1_000 }
    }

    /// Some more than hooks wait, as one whose answer is on its way does not wait.
    fn wishes(&self) -> usize {
        self.hooks + self.hooks.div_ceil(20)
    }

    fn configuration(&self, application: &str) -> String {
        let room = self.wishes() + 16;
        format!(
            "[hooks]\napplications = [\"defaultApp={application}\"]\ntimeout_ms = 15000\n\
             [limits]\nhook_decisions = {room}\ngate_waiting = {room}\n"
        )
    }
}

/// Measures by turns without and with the control plane at work.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 2 * options.turns + 1);
    let mut desk = Desk::start()?;
    let server = Server::configured(server, 0, &options.configuration(&desk.application()))?;
    let camera = Camera::new(2_000_000, Duration::ZERO, Pacing::Browser);
    let mut studio = Studio::start(server.http, vec![(STREAM.to_owned(), camera)])?;
    let mut crowd = Crowd::new(server.http)?;
    thread::sleep(Duration::from_millis(500));
    progress.say(format!("{} viewers join", options.viewers));
    for viewer in 0..options.viewers {
        let sight = if viewer % TIMED == 0 { Sight::Timed } else { Sight::Blind };
        crowd.join(sight).with_context(|| server.log())?;
    }
    crowd.run(Duration::from_secs(3))?;
    progress.step();
    let (mut alone, mut with) = (Turns::default(), Turns::default());
    for turn in 0..options.turns {
        progress.say(format!("turn {} of {}, alone", turn + 1, options.turns));
        alone.watch(options, &server, &mut crowd, &desk)?;
        progress.step();
        progress.say(format!("turn {} of {}, with calls and hooks", turn + 1, options.turns));
        desk.begin(server.http, options.calls, options.wishes());
        settle(&mut crowd, || desk.waiting() >= options.hooks)
            .with_context(|| format!("only {} hooks wait: {}", desk.waiting(), server.log()))?;
        with.watch(options, &server, &mut crowd, &desk)?;
        desk.end();
        settle(&mut crowd, || desk.waiting() == 0)
            .with_context(|| format!("{} hooks wait although nobody waits for them", desk.waiting()))?;
        progress.step();
        studio.check()?;
    }
    let connected = crowd.connected();
    ensure!(connected == options.viewers, "only {connected} viewers are still connected: {}", server.log());
    tell(options, report, alone, with);
    Ok(())
}

/// Lets the viewers watch until something is so.
fn settle(crowd: &mut Crowd, is_so: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + SETTLE_MAX;
    while !is_so() {
        ensure!(Instant::now() < deadline, "not within {SETTLE_MAX:?}");
        crowd.run(Duration::from_millis(20))?;
    }
    crowd.run(Duration::from_millis(500))
}

/// All turns of one kind.
#[derive(Default)]
struct Turns {
    /// Milliseconds from publisher to viewer of each packet, by turn.
    ages: Vec<Vec<f64>>,
    time: Duration,
    elapsed: f64,
    threads: Vec<(String, f64)>,
    done: Done,
}

impl Turns {
    fn watch(&mut self, options: &Options, server: &Server, crowd: &mut Crowd, desk: &Desk) -> Result<()> {
        crowd.begin();
        desk.count();
        let watch = Watch::begin(server.pid())?;
        crowd.run(Duration::from_secs(options.seconds))?;
        let usage = watch.end()?;
        self.time += usage.time;
        self.elapsed += usage.elapsed;
        self.threads = usage.threads;
        self.done.add(desk.count());
        let ages: Vec<f64> = crowd.timings().iter().map(|timing| timing.age.as_secs_f64() * 1e3).collect();
        ensure!(!ages.is_empty(), "the viewers receive nothing: {}", server.log());
        self.ages.push(ages);
        Ok(())
    }

    fn all(&self, share: f64) -> f64 {
        percentile(&mut self.ages.concat(), share)
    }

    fn each(&mut self, share: f64) -> Vec<f64> {
        self.ages.iter_mut().map(|ages| percentile(ages, share)).collect()
    }
}

fn tell(options: &Options, report: &mut Report, mut alone: Turns, mut with: Turns) {
    let label = format!("{} viewers", options.viewers);
    let mut section = report.section(PART, label);
    for (which, turns) in [("alone", &mut alone), ("with calls and hooks", &mut with)] {
        section.figure(&format!("{which}, p50"), turns.all(0.5), "ms");
        section.figure(&format!("{which}, p99"), turns.all(0.99), "ms");
        let mut each = turns.each(0.99);
        section.figure(&format!("{which}, p99, best turn"), percentile(&mut each, 0.0), "ms");
        section.figure(&format!("{which}, p99, worst turn"), percentile(&mut each, 1.0), "ms");
        section.figure(&format!("{which}, share of a core"), turns.time.as_secs_f64() / turns.elapsed * 100.0, "%");
        for (thread, share) in turns.threads.iter().filter(|(_, share)| *share > 0.01) {
            section.figure(&format!("{which}, thread {thread}"), share * 100.0, "%");
        }
    }
    let mut ratios: Vec<f64> =
        with.each(0.99).into_iter().zip(alone.each(0.99)).map(|(with, alone)| with / alone.max(1e-6)).collect();
    section.figure("p50 with, for p50 without", with.all(0.5) / alone.all(0.5).max(1e-6), "times");
    let ratio = with.all(0.99) / alone.all(0.99).max(1e-6);
    section.barred("p99 with, for p99 without", ratio, "times", BAR);
    section.figure("the same, median of pairs of turns", percentile(&mut ratios, 0.5), "times");
    let Done { mut calls, refused, failed, waiting, hooks } = with.done;
    section.figure("REST calls answered", calls.len() as f64 / with.elapsed, "calls/s");
    section.figure("REST calls that failed", refused as f64, "calls");
    section.figure("REST call, p50", percentile(&mut calls, 0.5), "ms");
    section.figure("REST call, p99", percentile(&mut calls, 0.99), "ms");
    let waiting = waiting.iter().sum::<f64>() / waiting.len().max(1) as f64;
    section.figure("hooks under way, on average", waiting, "hooks");
    section.figure("hooks answered", hooks as f64 / with.elapsed, "hooks/s");
    section.figure("wishes that ended otherwise", failed as f64, "wishes");
}
