//! WebRTC in: what the real server spends on a packet of many publishers, beside the shortest way.
//!
//! Publishers are real: ICE, DTLS, SRTP and sender reports by str0m, begun by WHIP. Nobody watches.

mod floor;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    camera::{Camera, Pacing},
    clock::{process_time, resident_bytes, time_by_thread},
    report::{Progress, Report},
    rtmp::busiest,
    server::{self, Server},
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
    /// What `all` runs.
    pub(crate) fn lasting(seconds: u64) -> Options {
        Options { publishers: PUBLISHERS, kilobits: 1_000, seconds }
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
    let mut figure = |what: &str, value, unit| report.figure(PART, format!("{label}: {what}"), value, unit);
    let nanoseconds = seen.time.as_nanos() as f64 / seen.packets;
    figure("server", nanoseconds, "ns/packet");
    figure("floor: receive, open, copy, at the same pace", floor.paced, "ns/packet");
    figure("server in floors", nanoseconds / floor.paced, "times");
    figure("datagrams of one system call of the floor", floor.batch, "");
    figure("received", seen.packets / seen.elapsed, "packets/s");
    figure("lost", seen.lost * 100.0, "%");
    let share = seen.time.as_secs_f64() / seen.elapsed;
    figure("publishers that one core would carry", count / share, "");
    for (thread, share) in &seen.threads {
        figure(&format!("thread {thread}"), share * 100.0, "%");
    }
    figure("memory of the server", seen.resident as f64 / 1_048_576.0, "MiB");
    let slope = seen.resident.saturating_sub(*alone) as f64 / 1_024.0 / (count - 1.0).max(1.0);
    figure("memory for each further publisher", slope, "KiB");
    figure("server, to take a publisher in", joining.as_secs_f64() * 1e3 / count, "ms");
    let what = format!("{label}: share of a core");
    match options.publishers == PUBLISHERS && options.kilobits == 1_000 {
        true => report.barred(PART, what, share * 100.0, "%", BAR),
        false => report.figure(PART, what, share * 100.0, "%"),
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
    time: Duration,
    elapsed: f64,
    packets: f64,
    lost: f64,
    resident: u64,
    threads: Vec<(String, f64)>,
}

fn watch(options: &Options, server: &Server, studio: &mut Studio) -> Result<Watched> {
    let begin = Instant::now();
    let before = process_time(server.pid())?;
    let threads = time_by_thread(server.pid())?;
    let (sent, received) = (studio.packets(), server.metric(RECEIVED)?);
    thread::sleep(Duration::from_secs(options.seconds));
    let (sent, received) = (studio.packets() - sent, server.metric(RECEIVED)? - received);
    let time = process_time(server.pid())?.saturating_sub(before);
    let elapsed = begin.elapsed().as_secs_f64();
    studio.check()?;
    ensure!(received > 0.0, "the server receives nothing: {}", server.log());
    Ok(Watched {
        time,
        elapsed,
        packets: received,
        lost: (1.0 - received / (sent as f64).max(1.0)).max(0.0),
        resident: resident_bytes(server.pid())?,
        threads: busiest(&threads, &time_by_thread(server.pid())?, elapsed),
    })
}

const RECEIVED: &str = "headwater_webrtc_packets_received_total";
