//! The packets that a viewer received, sent again to as many sockets by copy, seal and bare system calls.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use aws_lc_rs::aead::AES_128_GCM;

use super::{SEEING, seen::Arrival};
use crate::{
    clock::timed,
    floor::{FanOut, Sending},
    sinks::UdpSinks,
};

/// How much of the recording is sent.
const LENGTH: Duration = Duration::from_secs(5);

/// Nanoseconds for a packet and a viewer.
pub(super) struct Floors {
    /// By sendmmsg, frame by frame in real time, as the server has to.
    pub(super) paced: f64,
    /// By sendmmsg, without pause between frames.
    pub(super) dense: f64,
    /// With segmentation offload, in real time.
    pub(super) offload: f64,
}

/// The packets of one frame.
struct Burst {
    after: Duration,
    payloads: Vec<Vec<u8>>,
}

impl Floors {
    pub(super) fn measure(packets: &[Arrival], viewers: usize) -> Result<Floors> {
        let bursts = bursts(packets);
        ensure!(!bursts.is_empty(), "the first viewer has recorded nothing");
        let sinks = UdpSinks::seen_by_one_in(SEEING, viewers)?;
        let run = |sending, paced| -> Result<f64> {
            let mut fan_out = FanOut::new(&sinks.addresses, Some(&AES_128_GCM), sending)?;
            send(&mut fan_out, &bursts, viewers, paced)
        };
        Ok(Floors {
            paced: run(Sending::Batch, true)?,
            dense: run(Sending::Batch, false)?,
            offload: run(Sending::Offload, true)?,
        })
    }
}

fn bursts(packets: &[Arrival]) -> Vec<Burst> {
    let frame = |packet: &Arrival| (packet.payload_type, packet.timestamp);
    packets
        .chunk_by(|one, other| frame(one) == frame(other))
        .take_while(|packets| packets[0].after < LENGTH)
        .map(|packets| Burst {
            after: packets[0].after,
            payloads: packets.iter().map(|packet| vec![7; packet.bytes]).collect(),
        })
        .collect()
}

fn send(fan_out: &mut FanOut, bursts: &[Burst], viewers: usize, paced: bool) -> Result<f64> {
    let (mut time, mut packets) = (Duration::ZERO, 0);
    let start = Instant::now();
    for burst in bursts {
        if paced {
            thread::sleep((start + burst.after).saturating_duration_since(Instant::now()));
        }
        let payloads: Vec<&[u8]> = burst.payloads.iter().map(Vec::as_slice).collect();
        let mut result = Ok(());
        time += timed(|| result = fan_out.send(&payloads));
        result?;
        packets += payloads.len() * viewers;
    }
    Ok(time.as_nanos() as f64 / packets.max(1) as f64)
}
