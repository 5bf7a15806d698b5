//! Another server under the same agents, beside this one in the same run.
//!
//! Both are sent the same stream of the same agent, and as many agents play it. What a server takes for each packet that
//! arrives is told for each, and how many times as much as Headwater the other takes. The server that is named runs
//! already; its CPU is read where its process is named.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    agents::{Broadcast, Crew, Received, playing, task},
    floor,
    publisher::STREAM,
    report::{Progress, Report},
    server::{self, Server},
    usage::{Usage, Watch},
};

const PART: &str = "against";
/// Until a stream has begun, and until those who have come are no longer greeted.
const WARM_UP: Duration = Duration::from_secs(4);
const GIGABIT: f64 = 1e9;

/// Options of `against`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Where agents play: a URL of WHEP, RTMP, HLS or another protocol that they speak.
    #[arg(value_name = "URL")]
    play: String,
    /// Where one publishes: WHIP or RTMP. Without this, the stream has to be there already.
    #[arg(long, value_name = "URL")]
    publish: Option<String>,
    /// The process of the server, for what it takes; where it has several, each of them.
    #[arg(long = "process", value_name = "PID")]
    processes: Vec<u32>,
    /// What it is called in the table.
    #[arg(long, default_value = "the other")]
    name: String,
    /// Agents that play.
    #[arg(long, default_value_t = 100)]
    viewers: usize,
    /// Agents that come in a second.
    #[arg(long, default_value_t = 20)]
    rate: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// How often both are measured, by turns.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    turns: u8,
    /// A host, an address or a network that agents may go to besides loopback.
    #[arg(long = "allow", value_name = "HOST")]
    allowed: Vec<String>,
}

/// Where agents go at one of the servers.
struct Place<'a> {
    name: &'a str,
    play: String,
    publish: Option<String>,
    processes: Vec<u32>,
}

/// What one of them did.
struct Turn {
    /// CPU time and memory, where processes are named.
    usage: Option<Used>,
    received: Received,
    first_picture_ms: f64,
    latency_ms: Option<(f64, f64)>,
}

struct Used {
    time: Duration,
    resident: u64,
}

/// Measures both, by turns.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 2 * usize::from(options.turns) + 1);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 1..=options.turns {
        progress.say(format!("turn {turn}: {}", options.name));
        let place = Place {
            name: &options.name,
            play: options.play.clone(),
            publish: options.publish.clone(),
            processes: options.processes.clone(),
        };
        theirs.push(watch(options, &place)?);
        progress.step();
        progress.say(format!("turn {turn}: Headwater"));
        let server = Server::start(server, 0)?;
        ours.push(watch(options, &own(options, &server)).with_context(|| server.log())?);
        progress.step();
    }
    progress.say("the machine");
    let floor = floor::sealed_datagrams(options.viewers)?;
    progress.step();
    report.section(PART, "the machine").figure("copy, AES-128-GCM and sendmmsg", floor, "ns/packet");
    tell(options, "Headwater", &ours, report);
    tell(options, &options.name, &theirs, report);
    let ratios = theirs.iter().zip(&ours).filter_map(|(theirs, ours)| Some(theirs.each_byte()? / ours.each_byte()?));
    let ratios: Vec<f64> = ratios.collect();
    if !ratios.is_empty() {
        let label = format!("{} viewers", options.viewers);
        report.section(PART, label).figure(
            &format!("CPU of {} for each byte, in that of Headwater", options.name),
            median(ratios),
            "times",
        );
    }
    Ok(())
}

/// The same at the server of this bench: by the same protocols.
fn own<'a>(options: &Options, server: &Server) -> Place<'a> {
    let over_rtmp = |url: &str| url.starts_with("rtmp");
    let rtmp = format!("rtmp://{}/live/{STREAM}", server.rtmp);
    let at = |path: &str| format!("http://{}/{path}", server.http);
    let play = match options.play.as_str() {
        url if over_rtmp(url) => rtmp.clone(),
        url if url.split('?').next().is_some_and(|path| path.ends_with(".m3u8")) => {
            at(&format!("{STREAM}/{STREAM}.m3u8"))
        }
        _ => at(&format!("{STREAM}/whep")),
    };
    // What is there already at the other has been published by somebody; here it is by an agent.
    let publish = options.publish.as_deref().is_some_and(over_rtmp).then_some(rtmp);
    let publish = publish.unwrap_or_else(|| at(&format!("{STREAM}/whip")));
    Place { name: "Headwater", play, publish: Some(publish), processes: vec![server.pid()] }
}

fn watch(options: &Options, place: &Place<'_>) -> Result<Turn> {
    let publish = place.publish.as_deref();
    let mut broadcast = publish.map(|url| Broadcast::start(url, &options.allowed)).transpose()?;
    thread::sleep(WARM_UP);
    let crew = Crew::start(PART, &[task("play", &place.play, options.viewers, options.rate)], &options.allowed)?;
    crew.wait().with_context(|| format!("at {}", place.name))?;
    thread::sleep(WARM_UP);
    let watches = place.processes.iter().map(|pid| Watch::begin(*pid)).collect::<Result<Vec<_>>>()?;
    let received = crew.watch(Duration::from_secs(options.seconds))?;
    let usages = watches.into_iter().map(Watch::end).collect::<Result<Vec<Usage>>>()?;
    if let Some(broadcast) = &mut broadcast {
        broadcast.check()?;
    }
    ensure!(received.packets > 0.0, "the agents receive nothing from {}", place.name);
    let outcome = crew.outcome();
    let row = playing(&outcome)?;
    Ok(Turn {
        usage: (!usages.is_empty()).then(|| Used {
            time: usages.iter().map(|usage| usage.time).sum(),
            resident: usages.iter().map(|usage| usage.resident).sum(),
        }),
        received,
        first_picture_ms: row.first_picture_ms.as_ref().map_or(0.0, |times| times.p95),
        latency_ms: row.latency_ms.as_ref().map(|times| (times.p50, times.p99)),
    })
}

impl Turn {
    /// CPU time of the server for each byte that arrived, in nanoseconds.
    fn each_byte(&self) -> Option<f64> {
        Some(self.usage.as_ref()?.time.as_nanos() as f64 / self.received.bytes)
    }
}

/// What is told of a turn.
type Value = fn(&Turn) -> Option<f64>;

fn tell(options: &Options, name: &str, turns: &[Turn], report: &mut Report) {
    let mut section = report.section(PART, format!("{name}, {} viewers", options.viewers));
    let of = |value: Value| {
        let values: Vec<f64> = turns.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| median(values))
    };
    if let Some(each) = of(Turn::each_byte) {
        section.figure("CPU for each gigabit", each * GIGABIT / 8.0 / 1e9, "s");
    }
    if let Some(each) = of(|turn| Some(turn.usage.as_ref()?.time.as_nanos() as f64 / turn.received.packets)) {
        section.figure("CPU for each packet", each, "ns/packet");
    }
    if let Some(resident) = of(|turn| Some(turn.usage.as_ref()?.resident as f64 / 1_048_576.0)) {
        section.figure("memory", resident, "MiB");
    }
    let figures: [(&str, &str, Value); 6] = [
        ("delivered", "Mbit/s", |turn| Some(turn.received.bytes * 8.0 / 1e6)),
        ("lost", "%", |turn| Some(turn.received.lost)),
        ("freezes", "", |turn| Some(turn.received.freezes)),
        ("first picture, p95", "ms", |turn| Some(turn.first_picture_ms)),
        ("from publisher to viewer, p50", "ms", |turn| Some(turn.latency_ms?.0)),
        ("from publisher to viewer, p99", "ms", |turn| Some(turn.latency_ms?.1)),
    ];
    for (what, unit, value) in figures {
        let Some(value) = of(value) else { continue };
        let value = if what == "delivered" { value / options.seconds as f64 } else { value };
        section.figure(what, value, unit);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    crate::report::percentile(&mut values, 0.5)
}
