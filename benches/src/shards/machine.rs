//! What two threads of this machine carry for one, where they share nothing and do nothing but seal and send.
//!
//! Two cores that are two threads of one, or that share a cache, slow each other down: no server gains more.

use std::{net::SocketAddr, sync::Barrier, thread};

use anyhow::{Context, Result};
use aws_lc_rs::aead::AES_128_GCM;

use crate::{
    clock::timed,
    floor::{FanOut, Sending},
    sinks::UdpSinks,
};

/// Bytes of each payload; packets of a picture; pictures of a turn.
const PAYLOAD_BYTES: usize = 1_180;
const PACKETS: usize = 7;
const PICTURES: usize = 300;

/// What two carry, for one, when they send to so many viewers. Each has half of them; so has the one, as a thread with
/// fewer viewers finds more of them in its caches, and that is not what is asked.
pub(super) fn gain(viewers: usize) -> Result<f64> {
    let sinks = UdpSinks::new(viewers)?;
    let (near, far) = sinks.addresses.split_at(viewers / 2);
    // Sockets and caches are to be warm for both.
    cost(&[near, far])?;
    Ok(cost(&[near])? / cost(&[near, far])?)
}

/// CPU time of the busiest of these threads for each packet of all.
fn cost(parts: &[&[SocketAddr]]) -> Result<f64> {
    let begin = Barrier::new(parts.len());
    let times = thread::scope(|scope| {
        let threads: Vec<_> = parts.iter().map(|part| scope.spawn(|| send(part, &begin))).collect();
        let joined = threads.into_iter().map(|thread| thread.join().ok().context("a thread has failed")?);
        joined.collect::<Result<Vec<f64>>>()
    })?;
    let viewers: usize = parts.iter().map(|part| part.len()).sum();
    let packets = viewers * PACKETS * PICTURES;
    Ok(times.into_iter().fold(0.0, f64::max) / packets as f64)
}

/// Nanoseconds of CPU.
fn send(viewers: &[SocketAddr], begin: &Barrier) -> Result<f64> {
    let payload = vec![7; PAYLOAD_BYTES];
    let burst: Vec<&[u8]> = vec![&payload; PACKETS];
    let fan_out = FanOut::new(viewers, Some(&AES_128_GCM), Sending::Offload);
    // Whoever waits at the barrier is not to wait for ever.
    begin.wait();
    let mut fan_out = fan_out?;
    let mut result = Ok(());
    let time = timed(|| result = (0..PICTURES).try_for_each(|_| fan_out.send(&burst)));
    result.map(|()| time.as_nanos() as f64)
}
