//! Frames to packets and back, and the shortest way of one packet into its datagram.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use aws_lc_rs::aead::AES_128_GCM;
use bytes::{Bytes, BytesMut};
use headwater_codec::h264::AvcConfig;
use headwater_media::{ClockRate, Codec, Format, Frame, Packet, TrackParameters, VideoFormat};
use headwater_rtp::{Depacketized, PacketizerOptions, depacketizer, packetizer};

use super::work::counted;
use crate::{
    floor::Sealer,
    source::{PPS, SLICE, SLICE_KEY, SPS},
};

/// A frame of 2 Mbit/s at 30 frames a second.
const FRAME_BYTES: usize = 8_333;
/// The payload of a packet.
const PAYLOAD_BYTES: usize = 1_172;
const GROUP: u64 = 60;

/// What decoders must know of the pictures.
pub(super) fn h264() -> Result<TrackParameters> {
    let sets = (vec![Bytes::from_static(SPS)], vec![Bytes::from_static(PPS)]);
    Ok(TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: Format::Video(VideoFormat { width: 1_280, height: 720, frame_rate: Some(30.into()) }),
        config: AvcConfig::from_parameter_sets(sets.0, sets.1)?.write(),
    })
}

/// One slice, behind its length.
pub(super) fn picture(number: u64) -> Frame {
    let random_access = number.is_multiple_of(GROUP);
    let slice = if random_access { SLICE_KEY } else { SLICE };
    let mut data = BytesMut::zeroed(0);
    data.extend_from_slice(&u32::try_from(FRAME_BYTES).unwrap_or(0).to_be_bytes());
    data.extend_from_slice(slice);
    data.resize(4 + FRAME_BYTES, 0x55);
    let time = (number * 3_000).cast_signed();
    Frame { dts: time, pts: time, random_access, data: data.freeze() }
}

/// Seals so many packets.
pub(super) fn seal(rounds: u64) -> Result<u64> {
    let sealer = Sealer::new(&AES_128_GCM)?;
    let payload = vec![7; PAYLOAD_BYTES];
    let mut packet = vec![0; sealer.sealed_bytes(PAYLOAD_BYTES)];
    let mut result = Ok(());
    counted(&mut || {
        for sequence in 0..rounds {
            result = sealer.seal(black_box(&mut packet), sequence as u16, black_box(&payload));
        }
    });
    result?;
    Ok(rounds)
}

/// Cuts so many frames into packets.
pub(super) fn packetize(rounds: u64) -> Result<u64> {
    let mut packetizer = packetizer(&h264()?, PacketizerOptions::default()).context("no packetizer")?;
    let (mut packets, mut count) = (Vec::with_capacity(64), 0);
    for number in 0..rounds {
        let frame = picture(number);
        counted(&mut || packetizer.packetize(&frame, &mut packets));
        count += packets.len() as u64;
        packets.clear();
    }
    ensure!(packetizer.frames_dropped() == 0, "frames were left out");
    Ok(count)
}

/// Puts so many frames together.
pub(super) fn depacketize(rounds: u64) -> Result<u64> {
    let parameters = h264()?;
    let mut packetizer = packetizer(&parameters, PacketizerOptions::default()).context("no packetizer")?;
    let mut packets: Vec<Packet> = Vec::new();
    (0..rounds).for_each(|number| packetizer.packetize(&picture(number), &mut packets));
    for (number, packet) in packets.iter_mut().enumerate() {
        packet.sequence = number as u64;
    }
    let mut depacketizer = depacketizer(&parameters).context("no depacketizer")?;
    let mut frames = 0;
    counted(&mut || {
        for packet in &packets {
            depacketizer.push(packet);
            while let Some(found) = depacketizer.pull() {
                frames += u64::from(matches!(black_box(found), Depacketized::Frame(_)));
            }
        }
    });
    // The last one may wait for what follows.
    ensure!(frames + 1 >= rounds, "only {frames} of {rounds} frames came out");
    Ok(packets.len() as u64)
}
