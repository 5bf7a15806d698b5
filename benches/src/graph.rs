//! What it costs to hand a packet to a viewer within the process.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow};
use clap::Args;
use headwater_graph::{Bell, Cursor, Join, Lane, LaneOptions, LaneWriter, Next, lane};
use headwater_media::{ClockRate, Codec, Format, Packet, TrackParameters, VideoFormat};

use crate::{
    clock::{thread_time, timed},
    micro::counted,
    report::{Extent, Progress, Report},
};

const PART: &str = "graph";
/// Packets of a frame of 2 Mbit/s at 30 frames a second, and the payload of each.
const BURST: u64 = 7;
const PAYLOAD_BYTES: usize = 1_172;
/// Nanoseconds for a packet and a viewer.
const BAR: f64 = 25.0;

/// Options of `graph`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Cursors of the one task.
    #[arg(long, default_value_t = 1_000)]
    viewers: usize,
    /// Bursts of each measurement.
    #[arg(long, default_value_t = 600)]
    bursts: u64,
    /// Measurements of which the best is kept.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { viewers: 1_000, bursts: 600, runs: if extent.is_quick() { 2 } else { 5 } }
    }
}

/// Measures one thread that writes and reads, then a reader that a writer on another thread wakes.
pub(crate) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 3 * options.runs);
    for streams in [1, 100] {
        progress.say(format!("{} cursors, {streams} streams", options.viewers));
        let mut best = [f64::MAX; 2];
        for _ in 0..options.runs {
            let (write, read) = measure(options, streams);
            best = [best[0].min(write), best[1].min(read)];
            progress.step();
        }
        let [write, read] = best;
        let label = format!("{} cursors over {streams} streams", options.viewers);
        report.figure(PART, format!("{label}: writing"), write, "ns/packet");
        let share = write * streams as f64 / options.viewers as f64;
        report.barred(PART, format!("{label}: handing over, writer's share included"), read + share, "ns", BAR);
    }
    progress.say("woken by another thread");
    let mut best = f64::MAX;
    for _ in 0..options.runs {
        best = best.min(measure_woken(options)?);
        progress.step();
    }
    let label = format!("{} cursors, woken by a writer on another thread", options.viewers);
    report.barred(PART, format!("{label}: handing over"), best, "ns", BAR);
    Ok(())
}

struct Stream {
    writer: LaneWriter<Packet>,
    lane: Lane<Packet>,
    sequence: u64,
}

impl Stream {
    fn new() -> Stream {
        let (mut writer, lane) = lane::<Packet>(LaneOptions::default());
        writer.set_parameters(TrackParameters {
            codec: Codec::H264,
            clock_rate: ClockRate::VIDEO,
            format: Format::Video(VideoFormat::default()),
            config: bytes::Bytes::new(),
        });
        Stream { writer, lane, sequence: 0 }
    }

    fn write(&mut self, burst: Vec<Arc<[u8]>>) {
        for payload in burst {
            let frame = self.sequence / BURST;
            self.writer.push(Packet {
                sequence: self.sequence,
                timestamp: frame as i64 * 3_000,
                marker: self.sequence % BURST == BURST - 1,
                random_access: self.sequence.is_multiple_of(BURST * 60),
                orientation: Default::default(),
                payload,
            });
            self.sequence += 1;
        }
        self.writer.ring();
    }
}

fn burst() -> Vec<Arc<[u8]>> {
    (0..BURST).map(|value| vec![value as u8; PAYLOAD_BYTES].into()).collect()
}

/// Nanoseconds for writing a packet, and for reading one in one viewer.
fn measure(options: &Options, streams: usize) -> (f64, f64) {
    let mut streams: Vec<Stream> = (0..streams).map(|_| Stream::new()).collect();
    let bell = Bell::new();
    let mut cursors: Vec<Cursor<Packet>> = (0..options.viewers)
        .map(|viewer| {
            let stream = &streams[viewer % streams.len()];
            stream.lane.cursor(&bell, Join::NewestGroup)
        })
        .collect();
    let (mut writing, mut reading) = (Duration::ZERO, Duration::ZERO);
    let mut read = 0;
    for turn in 0..=options.bursts {
        let bursts: Vec<_> = streams.iter().map(|_| burst()).collect();
        let write_time = timed(|| {
            for (stream, burst) in streams.iter_mut().zip(bursts) {
                stream.write(burst);
            }
        });
        let mut count = 0;
        let read_time = timed(|| {
            if bell.take() {
                count = read_all(&mut cursors);
            }
        });
        // The first turn finds the places of the cursors.
        if turn > 0 {
            writing += write_time;
            reading += read_time;
            read += count;
        }
    }
    let written = options.bursts * BURST * streams.len() as u64;
    (writing.as_nanos() as f64 / written as f64, reading.as_nanos() as f64 / read.max(1) as f64)
}

/// Hands so many bursts to 200 cursors, for what counts that. Says how many packets it was.
pub(crate) fn count(bursts: u64) -> u64 {
    const CURSORS: usize = 200;
    let mut stream = Stream::new();
    let bell = Bell::new();
    let mut cursors: Vec<Cursor<Packet>> = (0..CURSORS).map(|_| stream.lane.cursor(&bell, Join::NewestGroup)).collect();
    // The first turn finds the places of the cursors.
    stream.write(burst());
    read_all(&mut cursors);
    let mut read = 0;
    for _ in 0..bursts {
        stream.write(burst());
        counted(&mut || read += read_all(&mut cursors));
    }
    read
}

/// What a shard does when its bell rings: viewer by viewer, everything that is new. Says how many packets it was.
fn read_all(cursors: &mut [Cursor<Packet>]) -> u64 {
    let mut count = 0;
    for cursor in cursors {
        loop {
            match cursor.next() {
                Next::Item(packet) => {
                    black_box(&packet.payload);
                    count += 1;
                }
                Next::Parameters(_) | Next::Discontinuity | Next::Lost { .. } => {}
                Next::Empty | Next::Ended => break,
            }
        }
    }
    count
}

/// The same with the reader asleep between bursts: nanoseconds of the reader's thread for a packet and viewer.
fn measure_woken(options: &Options) -> Result<f64> {
    let mut stream = Stream::new();
    let bell = Bell::new();
    let mut cursors: Vec<Cursor<Packet>> =
        (0..options.viewers).map(|_| stream.lane.cursor(&bell, Join::NewestGroup)).collect();
    let expected = options.bursts * BURST * options.viewers as u64;
    let (done, turns) = mpsc::channel();
    let total = Arc::new(AtomicU64::new(0));
    let reader = thread::spawn({
        let total = total.clone();
        move || -> std::io::Result<Duration> {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let before = thread_time();
            runtime.block_on(async {
                let mut read = 0;
                while read < expected {
                    bell.rung().await;
                    read += read_all(&mut cursors);
                    let _ = done.send(());
                }
                total.store(read, Ordering::Release);
            });
            Ok(thread_time().saturating_sub(before))
        }
    });
    for _ in 0..options.bursts {
        stream.write(burst());
        turns.recv()?;
    }
    let time = reader.join().map_err(|_| anyhow!("the reader failed"))??;
    Ok(time.as_nanos() as f64 / total.load(Ordering::Acquire).max(1) as f64)
}
