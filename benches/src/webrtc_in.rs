//! WebRTC in: what the real server spends on a packet of many publishers, beside the shortest way.
//!
//! Publishers are real: ICE, DTLS, SRTP and sender reports by str0m, begun by WHIP. Nobody watches.

mod floor;

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    camera::{Camera, Pacing},
    clock::{process_time, resident_bytes},
    report::{Extent, Progress, Report},
    server::{self, Server},
    usage::{Usage, Watch},
    whip::Studio,
};

const PART: &str = "webrtc-in";
/// Publishers of 1 Mbit/s that one core has to carry.
const PUBLISHERS: usize = 150;
/// Percent of a core for those.
const BAR: f64 = 100.0;
/// Begin of a publisher after the one before it: no two pictures at the same moment.
const PHASE: Duration = Duration::from_micros(13_717);

/// Options of `webrtc-in`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Publishers.
    #[arg(long, default_value_t = PUBLISHERS)]
    publishers: usize,
    /// Kilobits in a second of each one's video.
    #[arg(long, default_value_t = 1_000)]
    kilobits: usize,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { publishers: PUBLISHERS, kilobits: 1_000, seconds: extent.seconds() }
    }

    fn cameras(&self, count: usize) -> Vec<(String, Camera)> {
        let camera = |index: usize| {
            let phase = PHASE * index as u32;
            (format!("bench-{index}"), Camera::new(self.kilobits * 1_000, phase, Pacing::Browser))
        };
        (0..count).map(camera).collect()
    }
}

/// Measures the server, then the floor with packets of the same sizes at the same pace.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 4);
    progress.say("one publisher");
    let server = Server::start(server, 0)?;
    let alone = resident_of_one(options, &server).with_context(|| server.log())?;
    progress.step();
    progress.say(format!("{} publishers begin", options.publishers));
    let before = process_time(server.pid())?;
    let mut studio = Studio::start(server.http, options.cameras(options.publishers)).with_context(|| server.log())?;
    let joining = process_time(server.pid())?.saturating_sub(before);
    // All have begun, and their first key frames are through.
    thread::sleep(PHASE * options.publishers as u32 + Duration::from_secs(3));
    studio.check()?;
    progress.step();
    progress.say(format!("{} publishers send", options.publishers));
    let seen = watch(options, &server, &mut studio)?;
    progress.step();
    drop((studio, server));
    progress.say("the shortest way");
    let floor = floor::measure(options.cameras(options.publishers))?;
    progress.step();
    tell(options, report, &Outcome { alone, joining, seen, floor });
    Ok(())
}

/// All that was measured.
struct Outcome {
    /// Memory of the server with one publisher, in bytes.
    alone: u64,
    /// CPU time of the server while all publishers began.
    joining: Duration,
    seen: Watched,
    floor: floor::Floor,
}

fn tell(options: &Options, report: &mut Report, outcome: &Outcome) {
    let Outcome { alone, joining, seen, floor } = outcome;
    let count = options.publishers as f64;
    let label = format!("{} publishers of {} kbit/s with sound", options.publishers, options.kilobits);
    let mut section = report.section(PART, label);
    let nanoseconds = seen.usage.nanoseconds_for(seen.packets);
    section.figure("server", nanoseconds, "ns/packet").floor(floor.paced);
    section.figure("server in floors", nanoseconds / floor.paced, "times");
    section.figure("datagrams of one system call of the floor", floor.batch, "");
    section.figure("received", seen.packets / seen.usage.elapsed, "packets/s");
    section.figure("lost", seen.lost * 100.0, "%");
    section.usage(&seen.usage);
    let share = seen.usage.share();
    section.figure("publishers that one core would carry", count / share, "");
    let slope = seen.usage.resident.saturating_sub(*alone) as f64 / 1_024.0 / (count - 1.0).max(1.0);
    section.figure("memory for each further publisher", slope, "KiB");
    section.figure("server, to take a publisher in", joining.as_secs_f64() * 1e3 / count, "ms");
    if options.publishers == PUBLISHERS && options.kilobits == 1_000 {
        section.barred("percent of a core that so many take", share * 100.0, "%", BAR);
    }
}

/// Memory of the server with one publisher at work, which has ended then.
fn resident_of_one(options: &Options, server: &Server) -> Result<u64> {
    let mut studio = Studio::start(server.http, options.cameras(1))?;
    thread::sleep(Duration::from_secs(3));
    studio.check()?;
    resident_bytes(server.pid())
}

struct Watched {
    usage: Usage,
    packets: f64,
    lost: f64,
}

fn watch(options: &Options, server: &Server, studio: &mut Studio) -> Result<Watched> {
    let watch = Watch::begin(server.pid())?;
    let (sent, received) = (studio.packets(), server.metric(RECEIVED)?);
    thread::sleep(Duration::from_secs(options.seconds));
    let (sent, packets) = (studio.packets() - sent, server.metric(RECEIVED)? - received);
    let usage = watch.end()?;
    studio.check()?;
    ensure!(packets > 0.0, "the server receives nothing: {}", server.log());
    Ok(Watched { usage, packets, lost: (1.0 - packets / (sent as f64).max(1.0)).max(0.0) })
}

const RECEIVED: &str = "headwater_webrtc_packets_received_total";
