//! A bad line: whether what it loses comes again, how soon, and what the publisher is asked for meanwhile.
//!
//! Each viewer has a line of its own that takes its time both ways and loses packets of the picture on their way to it,
//! those sent again included. A browser publishes.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    camera,
    publisher::STREAM,
    report::{Extent, Progress, Report, percentile},
    server::{self, Server},
    usage::Watch,
    webrtc::{Crowd, Quality, Sight},
    whip::Studio,
};

const PART: &str = "recovery";
/// Milliseconds from a report to the packet that it asks for.
const ANSWER_BAR_MS: f64 = 5.0;
/// Percent of what is lost that comes again within so many milliseconds.
const MENDED_BAR: f64 = 99.0;
const MENDED_MS: f64 = 150.0;
/// Key frames that a publisher is asked for in a second.
const KEY_FRAMES_BAR: f64 = 2.0;
const REQUESTED: &str = "headwater_webrtc_key_frames_requested_total";
const AGAIN: &str = "headwater_webrtc_packets_again_total";

/// Options of `recovery`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 50)]
    viewers: usize,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Of a thousand packets of the picture, so many are lost.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=500))]
    loss_per_mille: u64,
    /// Milliseconds there and back.
    #[arg(long, default_value_t = 50)]
    round_trip_ms: u64,
    #[command(flatten)]
    camera: camera::Options,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        let (viewers, seconds) = (extent.people(50), extent.seconds());
        Options { viewers, seconds, loss_per_mille: 20, round_trip_ms: 50, camera: camera::Options::default() }
    }
}

/// Measures what becomes of lost packets.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 2);
    let server = Server::start(server, 0)?;
    let mut studio = Studio::start(server.http, vec![(STREAM.to_owned(), options.camera.camera())])?;
    thread::sleep(Duration::from_millis(500));
    let delay = Duration::from_millis(options.round_trip_ms) / 2;
    let quality = Quality { delay, lost_per_mille: options.loss_per_mille };
    let mut crowd = Crowd::new(server.http)?;
    progress.say(format!("{} viewers join", options.viewers));
    for _ in 0..options.viewers {
        crowd.join(Sight::Through(quality)).with_context(|| server.log())?;
    }
    crowd.run(Duration::from_secs(3))?;
    progress.step();
    progress.say(format!("{} viewers behind bad lines", options.viewers));
    crowd.begin();
    let (requested, again) = (server.metric(REQUESTED)?, server.metric(AGAIN)?);
    let watch = Watch::begin(server.pid())?;
    crowd.run(Duration::from_secs(options.seconds))?;
    let usage = watch.end()?;
    let (requested, again) = (server.metric(REQUESTED)? - requested, server.metric(AGAIN)? - again);
    studio.check()?;
    let connected = crowd.connected();
    ensure!(connected == options.viewers, "only {connected} viewers are still connected: {}", server.log());
    let mut mended = crowd.mended();
    ensure!(mended.lost > 0 && !mended.answers.is_empty(), "nothing was lost, or came again: {}", server.log());
    progress.step();

    let loss = options.loss_per_mille as f64 / 10.0;
    let label = format!("{} viewers, {loss} % lost, {} ms", options.viewers, options.round_trip_ms);
    let mut section = report.section(PART, label);
    let lost = mended.lost as f64;
    let within = mended.times.iter().filter(|time| **time <= MENDED_MS).count() as f64;
    section.barred_below("came again within 150 ms", (within / lost * 100.0).min(100.0), "%", MENDED_BAR);
    section.figure("came again at all", (mended.times.len() as f64 / lost * 100.0).min(100.0), "%");
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        section.figure(
            &format!("lost packet, how much later it came, {name}"),
            percentile(&mut mended.times, share),
            "ms",
        );
    }
    section.figure("from a report to a packet sent again, p50", percentile(&mut mended.answers, 0.5), "ms");
    let answer = percentile(&mut mended.answers, 0.99);
    section.barred("from a report to a packet sent again, p99", answer, "ms", ANSWER_BAR_MS);
    let asked = requested / usage.elapsed;
    section.barred("key frames that the publisher was asked for", asked, "/s", KEY_FRAMES_BAR);
    section.figure("packets lost", lost / usage.elapsed, "packets/s");
    section.figure("packets sent again", again / usage.elapsed, "packets/s");
    section.usage(&usage);
    Ok(())
}
