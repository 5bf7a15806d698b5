//! Any bytes for RTP headers and payload formats.

use bytes::Bytes;
use headwater_codec::parameters;
use headwater_media::{Codec, Frame, Packet, TrackKind, TrackParameters};
use headwater_rtp::{
    Depacketized, Depacketizer, Header, PacketizerOptions, Reordering, Vp8Descriptor, Vp9Descriptor, depacketizer,
    packetizer,
};

use super::codec::split_codec;

/// A packet: what is told of it lies within it.
pub fn rtp_header(data: &[u8]) {
    let _ = (Vp8Descriptor::parse(data), Vp9Descriptor::parse(data));
    let Ok(header) = Header::parse(data) else { return };
    let extensions: usize = header.extensions().map(|(_, data)| data.len()).sum();
    assert!(12 + header.payload().len() + extensions + 4 * header.csrcs().count() <= data.len());
}

/// Packets of a track whose codec the first byte says: frames begin where a decoder can, decoding time never runs
/// backwards.
pub fn rtp_depacketize(data: &[u8]) {
    let Some((codec, rest)) = split_codec(data) else { return };
    let Some(parameters) = track(codec) else { return };
    let Some(mut depacketizer) = depacketizer(&parameters) else { return };
    let packets = packets(rest);
    packets.iter().for_each(|packet| depacketizer.push(packet));
    check(&mut *depacketizer, codec);
}

/// Frames of a track whose codec the first byte says, and the length of a payload the second: packets count up and
/// keep to the length, and what is put together again does no harm.
pub fn rtp_packetize(data: &[u8]) {
    let Some((codec, rest)) = split_codec(data) else { return };
    let Some((max, rest)) = rest.split_first() else { return };
    let Some(parameters) = track(codec) else { return };
    let options = PacketizerOptions {
        payload_bytes_max: 128 + usize::from(*max),
        reordering: [Reordering::Keep, Reordering::Drop, Reordering::DecodeOrder][usize::from(*max) % 3],
        promise_no_reordering: max % 2 == 0,
    };
    let Some(mut packetizer) = packetizer(&parameters, options) else { return };
    let Some(mut depacketizer) = depacketizer(&parameters) else { return };
    let mut out = Vec::new();
    for packet in packets(rest) {
        let data = Bytes::from_owner(packet.payload);
        let (dts, pts) = (packet.sequence as i64, packet.timestamp);
        packetizer.packetize(&Frame { dts, pts, random_access: packet.marker, data }, &mut out);
    }
    for (number, packet) in (0..).zip(&out) {
        assert_eq!(packet.sequence, number);
        assert!(packet.payload.len() <= options.payload_bytes_max || codec == Codec::Opus);
        depacketizer.push(packet);
    }
    if options.reordering != Reordering::Keep && codec.kind() == TrackKind::Video && codec <= Codec::H265 {
        assert!(out.is_sorted_by_key(|packet| packet.timestamp));
    }
    check(&mut *depacketizer, codec);
}

fn track(codec: Codec) -> Option<TrackParameters> {
    let config = if codec == Codec::Aac { Bytes::from_static(&[0x12, 0x10]) } else { Bytes::new() };
    parameters::from_config(codec, config).ok()
}

/// Packets, each behind three bytes: what is odd about it, and the length of its payload.
pub(super) fn packets(mut data: &[u8]) -> Vec<Packet> {
    let (mut sequence, mut timestamp) = (70_000u64, 0i64);
    let mut packets = Vec::new();
    while let Some(([flags, high, low], rest)) = data.split_first_chunk::<3>() {
        let length = (usize::from(*high & 0x07) << 8 | usize::from(*low)).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        sequence = match flags & 0x30 {
            0x10 => sequence + 2,
            0x20 => sequence - 1,
            0x30 => sequence + 600,
            _ => sequence + 1,
        };
        timestamp += match flags & 0x0c {
            0x04 => 3_000,
            0x08 => 90_000,
            0x0c => -3_000,
            _ => 0,
        };
        let (marker, random_access) = (flags & 1 != 0, flags & 2 != 0);
        packets.push(Packet {
            sequence,
            timestamp,
            marker,
            random_access,
            orientation: Default::default(),
            payload: payload.into(),
        });
        data = rest;
    }
    packets
}

fn check(depacketizer: &mut dyn Depacketizer, codec: Codec) {
    let mut last = None;
    while let Some(item) = depacketizer.pull() {
        let Depacketized::Frame(frame) = item else { continue };
        assert!(frame.random_access || last.is_some());
        assert!(last.is_none_or(|last| frame.dts >= last), "{codec} runs backwards");
        last = Some(frame.dts);
    }
}
