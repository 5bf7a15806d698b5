//! One hop: packets sealed and sent from one socket straight to another.

use std::{
    net::{Ipv4Addr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::aead::AES_128_GCM;

use crate::{camera::Camera, floor::Sealer, source, timed::TimedReceiver};

/// How long it is measured.
const LENGTH: Duration = Duration::from_secs(5);

/// Milliseconds from the stamp in a payload to the arrival of its datagram.
pub(super) fn measure(mut camera: Camera) -> Result<Vec<f64>> {
    let (sender, receiver) = (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
    sender.connect(receiver.local_addr()?)?;
    let mut timed = TimedReceiver::new(&receiver)?;
    let sealer = Sealer::new(&AES_128_GCM)?;
    let (mut hops, mut sequence, mut failed) = (Vec::new(), 0_u16, 0);
    let mut opened = Vec::new();
    let start = Instant::now();
    while camera.next_due() < LENGTH {
        thread::sleep((start + camera.next_due()).saturating_duration_since(Instant::now()));
        while start + camera.next_due() <= Instant::now() {
            let packet = camera.next().context("the camera ended")?;
            let mut datagram = vec![0; sealer.sealed_bytes(packet.payload.len())];
            sealer.seal(&mut datagram, sequence, &packet.payload)?;
            sender.send(&datagram)?;
            sequence = sequence.wrapping_add(1);
        }
        timed.receive(&receiver, |arrived| {
            opened.clear();
            opened.extend_from_slice(arrived.bytes);
            let age = source::age(sealer.open(&mut opened)?).and_then(|age| age.checked_sub(arrived.since));
            match age {
                Some(age) => hops.push(age.as_secs_f64() * 1e3),
                None => failed += 1,
            }
            Ok(())
        })?;
    }
    ensure!(failed * 100 <= hops.len(), "{failed} of {} stamps make no sense", hops.len());
    Ok(hops)
}
