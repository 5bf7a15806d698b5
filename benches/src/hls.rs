//! HLS: what the real server spends on a byte of segments and parts, beside bare writing; how soon it answers those
//! who wait for a part; and what its memory has of them.

mod connection;
mod crowd;
mod listing;
mod pull;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::{
    clock::{process_time, resident_bytes},
    publisher::{Publisher, STREAM},
    report::{Extent, Progress, Report, percentile},
    server::{self, Server},
    source::Source,
    usage::{Usage, Watch},
    writing,
};

use connection::Connection;
use crowd::Crowd;
use listing::Listing;
use pull::Pull;

const PART: &str = "hls";
/// CPU for a byte, in those of writing buffers of 64 KiB: bytes per core are at least half of the floor's.
const BAR_BYTE: f64 = 2.0;
/// Milliseconds from the picture that completes a part to the last byte of the answers, for 99 of 100.
const BAR_RELEASE: f64 = 20.0;
/// The share of what an answer holds that the server's memory may grow by for each who does not take it.
const BAR_COPY: f64 = 0.1;
/// Of the server: pictures of a part of 200 ms.
const PICTURES_OF_A_PART: u64 = 6;
const PARTS_OF_A_SEGMENT: u64 = 10;
const KIBIBYTE: f64 = 1_024.0;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// CPU for a byte of segments and of parts.
    Bytes,
    /// Held requests.
    Held,
    /// Memory for those who do not take what they have asked for.
    Copies,
}

/// Options of `hls`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Clients that pull media.
    #[arg(long, default_value_t = 200)]
    viewers: usize,
    /// Players that wait for the next part.
    #[arg(long, default_value_t = 1_500)]
    held: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Each player brings something of its own that its playlists must carry.
    #[arg(long)]
    tokens: bool,
    /// Measures this alone.
    #[arg(long)]
    only: Option<What>,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { viewers: 200, held: 1_500, seconds: extent.seconds(), tokens: false, only: None }
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Measures all of it, or what is chosen.
pub(crate) fn run(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 3);
    let is_chosen = |what| options.only.is_none_or(|only| only == what);
    if is_chosen(What::Bytes) {
        measure_bytes(options, server, &progress, report)?;
    }
    progress.step();
    if is_chosen(What::Copies) {
        progress.say("answers that nobody takes");
        measure_copies(options, server, report)?;
    }
    progress.step();
    if is_chosen(What::Held) {
        progress.say(format!("{} held requests", options.held));
        measure_held(options, server, report)?;
    }
    progress.step();
    Ok(())
}

/// A server with a stream whose playlist lists segments and parts.
struct Live {
    server: Server,
    publisher: Publisher,
}

impl Live {
    fn start(options: &server::Options) -> Result<Live> {
        let server = Server::start(options, 0)?;
        let publisher = Publisher::with_beat(server.rtmp, Source::silent()?, PICTURES_OF_A_PART)?;
        thread::sleep(Duration::from_secs(5));
        Ok(Live { server, publisher })
    }

    /// What a player would read first.
    fn listing(&self) -> Result<Listing> {
        Ok(Crowd::new(self.server.http, STREAM, 1, false)?.listing)
    }

    /// The bytes of an answer, head and body, and those of the body.
    fn size(&self, path: &str) -> Result<(usize, usize)> {
        let answer = Connection::open(self.server.http, "measure".to_owned())?.get(path)?;
        Ok((answer.bytes, answer.body.len()))
    }
}

fn measure_bytes(options: &Options, server: &server::Options, progress: &Progress, report: &mut Report) -> Result<()> {
    progress.say("bare writing");
    let floor_length = options.length() / 2;
    let before = writing::bulk(options.viewers, floor_length)?;
    let mut live = Live::start(server)?;
    let listing = live.listing()?;
    let mut seen = Vec::new();
    for (name, address) in [("segments", &listing.segment), ("parts", &listing.part)] {
        progress.say(format!("{} clients that pull {name}", options.viewers));
        seen.push((name, measure_pulling(options, &live, &format!("/{STREAM}/{address}"))?));
        live.publisher.check()?;
    }
    drop(live);
    progress.say("bare writing again");
    let after = writing::bulk(options.viewers, floor_length)?;
    let floor = (before + after) / 2.0;
    report.figure(PART, "writev of 64 KiB before", before, "ns/B");
    report.figure(PART, "writev of 64 KiB after", after, "ns/B");
    for (name, seen) in seen {
        let label = format!("{} clients, {name} of {} kB", options.viewers, seen.body / 1_000);
        let mut section = report.section(PART, label);
        let cost = seen.usage.nanoseconds_for(seen.bytes);
        section.figure("server", cost, "ns/B").floor(floor);
        section.barred("server in terms of bare writing", cost / floor, "times", BAR_BYTE);
        section.figure("server for an answer", seen.usage.nanoseconds_for(seen.answers) / 1e3, "µs");
        section.figure("delivered", seen.bytes * 8.0 / seen.usage.elapsed / 1e6, "Mbit/s");
        section.figure("clients' share of a core", seen.client_share * 100.0, "%");
        section.usage(&seen.usage);
    }
    Ok(())
}

struct Pulling {
    usage: Usage,
    bytes: f64,
    answers: f64,
    client_share: f64,
    /// Bytes of one answer without its head.
    body: usize,
}

fn measure_pulling(options: &Options, live: &Live, path: &str) -> Result<Pulling> {
    let (answer, body) = live.size(path)?;
    let mut clients = Pull::new(live.server.http, options.viewers, path)?;
    clients.run(answer, Duration::from_millis(200))?;
    let sent = live.server.metric("headwater_hls_bytes_sent_total")?;
    let watch = Watch::begin(live.server.pid())?;
    let pulled = clients.run(answer, options.length())?;
    let usage = watch.end()?;
    // What was thrown away was the media, and not some other answer.
    let sent = live.server.metric("headwater_hls_bytes_sent_total")? - sent;
    ensure!(sent == pulled.answers as f64 * body as f64, "{} answers were not {body} B of media", pulled.answers);
    Ok(Pulling {
        usage,
        bytes: pulled.bytes as f64,
        answers: pulled.answers as f64,
        client_share: pulled.time.as_secs_f64() / pulled.elapsed.as_secs_f64(),
        body,
    })
}

/// Clients ask for a segment and take nothing: what the kernel does not take stays in the server.
fn measure_copies(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let live = Live::start(server)?;
    let pid = live.server.pid();
    let listing = live.listing()?;
    let path = format!("/{STREAM}/{}", listing.segment);
    let (answer, body) = live.size(&path)?;
    let mut clients = Pull::new(live.server.http, options.viewers, &path)?;
    thread::sleep(Duration::from_secs(1));
    let before = resident_bytes(pid)?;
    clients.ask(answer)?;
    thread::sleep(Duration::from_secs(2));
    let each = resident_bytes(pid)?.saturating_sub(before) as f64 / options.viewers as f64;
    let pulled = clients.run(answer, Duration::ZERO)?;
    ensure!(pulled.answers == options.viewers as u64, "{} of {} answers came", pulled.answers, options.viewers);
    let label = format!("{} clients that take nothing of a segment of {} kB", options.viewers, body / 1_000);
    report.figure(PART, format!("{label}: memory of the server for each"), each / KIBIBYTE, "KiB");
    let what = format!("{label}: that in segments");
    report.barred(PART, what, each / body as f64, "times", BAR_COPY);
    Ok(())
}

fn measure_held(options: &Options, server: &server::Options, report: &mut Report) -> Result<()> {
    let mut live = Live::start(server)?;
    let pid = live.server.pid();
    let resident = resident_bytes(pid)?;
    let mut crowd = Crowd::new(live.server.http, STREAM, options.held, options.tokens)?;
    let mut held = Held::default();
    let begin = Instant::now();
    while begin.elapsed() < options.length() {
        held.add_one(&live, &mut crowd)?;
    }
    live.publisher.check()?;
    let rounds = f64::from(held.rounds - held.missed);
    ensure!(rounds > f64::from(held.missed), "{} of {} parts came too soon", held.missed, held.rounds);
    let answers = rounds * options.held as f64;
    let mean = held.bytes as f64 / answers;
    let bare = crowd::bare(options.held, mean as usize, held.rounds.min(30), Duration::from_millis(100));
    let mut bare = bare.context("bare writing")?;
    let with = if options.tokens { " with tokens" } else { "" };
    let label = format!("{} held requests{with}", options.held);
    let mut section = report.section(PART, label);
    section.figure("held at once, by the server's count, at least", held.at_once, "");
    section.figure("parts waited for", rounds, "");
    section.figure("parts not counted, as they came before all had asked", held.missed.into(), "");
    section.figure("bytes of an answer", mean, "B");
    section.figure("from the picture that completes a part to the answer, p50", held.percentile(0.5), "ms");
    section.barred("the same, p99", held.percentile(0.99), "ms", BAR_RELEASE);
    section.figure("the same, first answer, p50", percentile(&mut held.first, 0.5), "ms");
    section.figure("one thread that writes as much to as many, p50", percentile(&mut bare, 0.5), "ms");
    section.figure("the same, p99", percentile(&mut bare, 0.99), "ms");
    section.figure("server for an answer, its request included", held.server.as_secs_f64() * 1e6 / answers, "µs");
    section.figure("the players themselves for it", held.players.as_secs_f64() * 1e6 / answers, "µs");
    let grown = resident_bytes(pid)?.saturating_sub(resident) as f64;
    section.figure("memory of the server for each", grown / KIBIBYTE / options.held as f64, "KiB");
    Ok(())
}

/// What was seen of held requests.
#[derive(Default)]
struct Held {
    rounds: u32,
    /// Rounds that are not counted.
    missed: u32,
    bytes: u64,
    /// Milliseconds of each answer, and of the first one of each round.
    times: Vec<f64>,
    first: Vec<f64>,
    server: Duration,
    players: Duration,
    at_once: f64,
    /// Between the numbers of parts and those of the pictures that complete them.
    offset: Option<u64>,
}

/// Players ask for a part that is so many parts ahead, so that all requests are held when it comes.
const AHEAD: u64 = 2;
/// Within this time all have asked, and the part is not there yet.
const ASKED: Duration = Duration::from_millis(280);

impl Held {
    /// All players ask for a part that is some way ahead, and have it.
    fn add_one(&mut self, live: &Live, crowd: &mut Crowd) -> Result<()> {
        let server = process_time(live.server.pid())?;
        let begin = Instant::now();
        let (segment, part) = crowd.listing.next;
        let part = segment * PARTS_OF_A_SEGMENT + part + AHEAD;
        let asked = crowd.ask(part / PARTS_OF_A_SEGMENT, part % PARTS_OF_A_SEGMENT)?;
        thread::sleep(ASKED.saturating_sub(begin.elapsed()));
        if self.rounds.is_multiple_of(8) {
            let held = live.server.metric("headwater_hls_held")?;
            self.at_once = if self.rounds == 0 { held } else { self.at_once.min(held) };
        }
        let release = crowd.take(|| live.publisher.beat())?;
        let (beat, begun) = release.seen;
        let (segment, part) = crowd.listing.next;
        let offset = (segment * PARTS_OF_A_SEGMENT + part).wrapping_sub(beat);
        self.rounds += 1;
        if *self.offset.get_or_insert(offset) != offset {
            // Not all had asked, or the part came before anybody looked.
            self.missed += 1;
            return Ok(());
        }
        let mut times: Vec<f64> =
            release.arrived.iter().map(|at| at.saturating_duration_since(begun).as_secs_f64() * 1e3).collect();
        self.first.extend(times.first());
        self.times.append(&mut times);
        self.bytes += release.bytes;
        self.players += asked + release.time;
        self.server += process_time(live.server.pid())?.saturating_sub(server);
        Ok(())
    }

    fn percentile(&mut self, share: f64) -> f64 {
        percentile(&mut self.times, share)
    }
}
