//! What a packet's way takes without a server: one hop from a socket straight to another, and the turn of one thread
//! through all viewers.

use std::{
    net::{Ipv4Addr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::aead::AES_128_GCM;
use headwater_media::TrackKind;

use crate::{
    camera::Camera,
    clock::timed,
    floor::{FanOut, Sealer, Sending},
    sinks::UdpSinks,
    source,
    timed::TimedReceiver,
};

/// How long it is measured.
const LENGTH: Duration = Duration::from_secs(5);

/// Viewers of a turn whose packets' ages are told, evenly spread over it.
const AGES_PER_TURN: usize = 20;

/// Milliseconds that viewers' packets wait for those of the viewers before them, when one thread copies, seals and
/// sends each picture and each sound to all with segmentation offload, and does nothing else.
pub(crate) fn turns(mut camera: Camera, viewers: usize, cut: bool) -> Result<Vec<f64>> {
    let sinks = if cut { UdpSinks::dropping_rtp(viewers)? } else { UdpSinks::dropping_bursts(viewers)? };
    let mut fan_out = FanOut::new(&sinks.addresses, Some(&AES_128_GCM), Sending::Offload)?;
    let (mut ages, mut picture) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while camera.next_due() < LENGTH {
        thread::sleep((start + camera.next_due()).saturating_duration_since(Instant::now()));
        let packet = camera.next().context("the camera ended")?;
        let is_whole = packet.ends_burst;
        let sound = (packet.kind == TrackKind::Audio).then_some(&packet.payload);
        let burst: Vec<&[u8]> = match sound {
            Some(payload) => vec![payload],
            None => {
                picture.push(packet.payload);
                picture.iter().map(Vec::as_slice).collect()
            }
        };
        if !is_whole {
            continue;
        }
        let mut result = Ok(());
        let turn = timed(|| result = fan_out.send(&burst)).as_secs_f64() * 1e3;
        result?;
        // As many as the packets that wait.
        for _ in 0..burst.len() {
            ages.extend((1..=AGES_PER_TURN).map(|place| turn * place as f64 / AGES_PER_TURN as f64));
        }
        if packet.kind == TrackKind::Video {
            picture.clear();
        }
    }
    Ok(ages)
}

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
