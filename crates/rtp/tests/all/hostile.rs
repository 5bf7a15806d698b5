//! Every format on bytes that are not what they claim to be: no panic, no frame beyond the limits (W12).

use bytes::Bytes;
use headwater_codec::parameters;
use headwater_media::{Codec, Frame, Packet};
use headwater_rtp::{PacketizerOptions, depacketizer, packetizer};
use proptest::prelude::*;

use crate::fixtures::{audio_tracks, drain, packets_of, video_tracks};

const CODECS: [Codec; 11] = [
    Codec::H264,
    Codec::H265,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Av1,
    Codec::Aac,
    Codec::Opus,
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::Mp3,
];

fn config(codec: Codec) -> Bytes {
    if codec == Codec::Aac { Bytes::from_static(&[0x12, 0x10]) } else { Bytes::new() }
}

/// Feeds payloads as packets of one frame, then as frames of their own.
fn depacketize(codec: Codec, payloads: &[&[u8]]) {
    let Ok(parameters) = parameters::from_config(codec, config(codec)) else { return };
    let Some(mut depacketizer) = depacketizer(&parameters) else { return };
    let mut sequence = 0;
    for frame_ticks in [0, 3_000] {
        for (index, payload) in payloads.iter().enumerate() {
            sequence += 1;
            depacketizer.push(&Packet {
                sequence,
                timestamp: index as i64 * frame_ticks,
                marker: index + 1 == payloads.len(),
                random_access: false,
                orientation: Default::default(),
                payload: (*payload).into(),
            });
        }
    }
    drain(&mut *depacketizer);
}

fn packetize(codec: Codec, data: &[u8]) {
    let Ok(parameters) = parameters::from_config(codec, config(codec)) else { return };
    let Some(mut packetizer) = packetizer(&parameters, PacketizerOptions::default()) else { return };
    let mut out = Vec::new();
    for random_access in [true, false] {
        let frame = Frame { dts: 0, pts: 0, random_access, data: Bytes::copy_from_slice(data) };
        packetizer.packetize(&frame, &mut out);
    }
    let sent: usize = out.iter().map(|packet| packet.payload.len()).sum();
    assert!(sent <= 3 * data.len() + 64);
}

#[test]
fn every_length_of_zeros_and_ones_is_harmless() {
    for length in 0..=1_500 {
        for fill in [0x00, 0xff] {
            let data = vec![fill; length];
            for codec in CODECS {
                packetize(codec, &data);
                depacketize(codec, &[&data]);
            }
        }
    }
}

#[test]
fn every_first_byte_is_harmless() {
    for first in 0..=255u8 {
        for fill in [0x00, 0xff, 0x80, 0x7f] {
            for length in [1, 2, 3, 4, 20] {
                let mut data = vec![fill; length];
                data[0] = first;
                for codec in CODECS {
                    packetize(codec, &data);
                    depacketize(codec, &[&data, &data]);
                }
            }
        }
    }
}

#[test]
fn real_payloads_cut_anywhere_or_with_one_byte_changed_are_harmless() {
    for track in video_tracks().iter().chain(&audio_tracks()) {
        let codec = track.parameters.codec;
        for packet in packets_of(track, PacketizerOptions::default()).iter().flatten().take(12) {
            let payload = &packet.payload[..packet.payload.len().min(60)];
            for cut in 0..payload.len() {
                depacketize(codec, &[&payload[..cut], payload]);
                for byte in [0x00, 0xff, payload[cut] ^ 0x80, payload[cut] ^ 1] {
                    let mut changed = payload.to_vec();
                    changed[cut] = byte;
                    depacketize(codec, &[&changed, payload]);
                }
            }
        }
    }
}

#[test]
fn a_frame_that_never_ends_is_given_up() {
    // Fragments of one H.264 unit: with 1,400 bytes each, 16 MiB are reached after 12,000 packets.
    let parameters = parameters::from_config(Codec::H264, Bytes::new()).unwrap();
    let mut depacketizer = depacketizer(&parameters).unwrap();
    let mut payload = vec![1; 1_400];
    for sequence in 0..13_000u64 {
        payload[0] = 0x7c;
        payload[1] = if sequence == 0 { 0x85 } else { 0x05 };
        depacketizer.push(&Packet {
            sequence,
            timestamp: 0,
            marker: sequence == 12_999,
            random_access: false,
            orientation: Default::default(),
            payload: payload[..].into(),
        });
    }
    assert_eq!(depacketizer.pull(), None);
    assert_eq!(depacketizer.losses().frames_dropped, 1);
}

proptest! {
    #[test]
    fn random_payloads_are_harmless(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..6)) {
        let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        for codec in CODECS {
            depacketize(codec, &payloads);
            packetize(codec, payloads[0]);
        }
    }
}
