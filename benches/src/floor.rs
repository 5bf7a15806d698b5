//! What this machine can do: copying, sealing, sending. Every figure of the server stands beside these.

mod fan_out;
mod seal;

use std::{hint::black_box, io::IoSlice};

use anyhow::Result;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Algorithm};
use clap::Args;

use crate::{
    clock::timed,
    report::{Extent, Progress, Report},
    sinks::{TcpSinks, UdpSinks},
};

pub(crate) use fan_out::{FanOut, Sending};
pub(crate) use seal::Sealer;
use seal::{HEADER_BYTES, write_packet};

const PART: &str = "floor";
/// A packet before it is sealed: header and payload.
const PACKET_BYTES: usize = 1_200;
/// A frame of 2 Mbit/s at 30 frames a second.
const FRAME_BYTES: usize = 8_333;

/// Options of `floor`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Destinations of the datagrams.
    #[arg(long, default_value_t = 200)]
    datagram_sinks: usize,
    /// Connections that frames are written to.
    #[arg(long, default_value_t = 500)]
    stream_sinks: usize,
    /// Measurements of which the best is kept.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

impl Options {
    /// What groups of benches run.
    pub(crate) fn of(extent: Extent) -> Options {
        Options { datagram_sinks: 200, stream_sinks: extent.people(500), runs: if extent.is_quick() { 2 } else { 5 } }
    }
}

/// Measures all floors.
pub(crate) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let progress = Progress::new(PART, 9);
    progress.say("copying");
    report.figure(PART, "copy of 1,200 B and a new header", copying(options), "ns");
    progress.step();
    for (name, algorithm) in [("AES-128-GCM", &AES_128_GCM), ("AES-256-GCM", &AES_256_GCM)] {
        progress.say(format!("sealing by {name}"));
        let time = sealing(options, algorithm)?;
        let what = format!("the same and sealing by {name}");
        report.figure(PART, what, time, "ns");
        progress.step();
    }
    let sinks = UdpSinks::new(options.datagram_sinks)?;
    let destinations = options.datagram_sinks;
    for (sealed, sending, what) in [
        (false, Sending::Batch, "sendmmsg of 64 datagrams"),
        (false, Sending::Offload, "GSO of 7 datagrams"),
        (true, Sending::Batch, "copy, AES-128-GCM and sendmmsg"),
        (true, Sending::Offload, "copy, AES-128-GCM and GSO"),
    ] {
        progress.say(what);
        let time = datagrams(options, &sinks, sealed, sending)?;
        let what = format!("{what}, {destinations} destinations");
        report.figure(PART, what, time, "ns/packet");
        progress.step();
    }
    progress.say("writing frames");
    for (merged, time) in frames(options)? {
        let what = format!("writev of {merged} x 8,333 B to {} connections", options.stream_sinks);
        report.figure(PART, what, time, "ns/frame");
        progress.step();
    }
    Ok(())
}

/// Nanoseconds of the shortest way for a packet to so many viewers, one burst after the other.
pub(crate) fn sealed_datagrams(viewers: usize) -> Result<f64> {
    let options = Options { datagram_sinks: viewers, stream_sinks: 0, runs: 3 };
    datagrams(&options, &UdpSinks::new(viewers)?, true, Sending::Batch)
}

/// The best of some runs.
fn best(runs: usize, mut run: impl FnMut() -> Result<f64>) -> Result<f64> {
    let mut best = f64::MAX;
    for _ in 0..runs.max(1) {
        best = best.min(run()?);
    }
    Ok(best)
}

fn copying(options: &Options) -> f64 {
    const TURNS: u16 = 50_000;
    let payload = vec![7; PACKET_BYTES - HEADER_BYTES];
    let mut packet = vec![0; PACKET_BYTES];
    let run = || {
        let time = timed(|| {
            for sequence in 0..TURNS {
                write_packet(black_box(&mut packet), sequence, black_box(&payload));
            }
        });
        Ok(time.as_nanos() as f64 / f64::from(TURNS))
    };
    best(options.runs, run).unwrap_or_default()
}

fn sealing(options: &Options, algorithm: &'static Algorithm) -> Result<f64> {
    const TURNS: u16 = 50_000;
    let sealer = Sealer::new(algorithm)?;
    let payload = vec![7; PACKET_BYTES - HEADER_BYTES];
    let mut packet = vec![0; sealer.sealed_bytes(payload.len())];
    best(options.runs, || {
        let mut failed = false;
        let time = timed(|| {
            for sequence in 0..TURNS {
                let sealed = sealer.seal(black_box(&mut packet), sequence, black_box(&payload));
                failed |= sealed.is_err();
            }
        });
        anyhow::ensure!(!failed, "sealing fails");
        Ok(time.as_nanos() as f64 / f64::from(TURNS))
    })
}

fn datagrams(options: &Options, sinks: &UdpSinks, sealed: bool, sending: Sending) -> Result<f64> {
    const FRAMES: usize = 40;
    let payload = vec![7; PACKET_BYTES - HEADER_BYTES];
    let burst: Vec<&[u8]> = vec![&payload; 7];
    let mut fan_out = FanOut::new(&sinks.addresses, sealed.then_some(&AES_128_GCM), sending)?;
    fan_out.send(&burst)?;
    best(options.runs, || {
        let mut result = Ok(());
        let time = timed(|| {
            result = (0..FRAMES).try_for_each(|_| fan_out.send(&burst));
        });
        result?;
        let packets = FRAMES * burst.len() * sinks.addresses.len();
        Ok(time.as_nanos() as f64 / packets as f64)
    })
}

/// Nanoseconds for a frame of one viewer, by the number of frames that one call writes.
fn frames(options: &Options) -> Result<Vec<(usize, f64)>> {
    const ROUNDS: usize = 30;
    let mut sinks = TcpSinks::new(options.stream_sinks)?;
    let frame = vec![7; FRAME_BYTES];
    [1, 3, 10]
        .into_iter()
        .map(|merged| {
            let slices = vec![IoSlice::new(&frame); merged];
            let time = best(options.runs, || {
                let mut total = std::time::Duration::ZERO;
                for _ in 0..ROUNDS {
                    let mut result = Ok(());
                    total += timed(|| result = sinks.write(&slices));
                    result?;
                    sinks.settle()?;
                }
                let frames = ROUNDS * merged * options.stream_sinks;
                Ok(total.as_nanos() as f64 / frames as f64)
            })?;
            Ok((merged, time))
        })
        .collect()
}
