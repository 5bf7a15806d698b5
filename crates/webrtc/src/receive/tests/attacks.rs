//! Peers that lie, and those who are not the peer.

use headwater_media::limits;

use super::*;
use crate::receive::pretend::Pretended;

/// What is on its way to a receiver that has connected: a packet of the picture.
fn sealed(scene: &mut Scene, sequence: u64) -> Vec<u8> {
    scene.send(PICTURE, sequence);
    scene.intercept().remove(0)
}

#[test]
fn attack_packets_that_are_changed_in_any_byte_are_not_taken_and_change_nothing() {
    let mut scene = Scene::connected(1);
    let good = sealed(&mut scene, 100);
    for position in 0..good.len() {
        let mut forged = good.clone();
        forged[position] ^= 1 << (position % 8);
        assert_eq!(scene.give(server_address(), &forged), 0, "byte {position}");
    }
    for length in 0..good.len() {
        assert_eq!(scene.give(server_address(), &good[..length]), 0, "{length} bytes");
    }
    let picture = scene.media(TrackKind::Video);
    assert_eq!((picture.packets, picture.duplicates, picture.lost), (0, 0, 0));
    assert_eq!(scene.give(server_address(), &good), 1);
    (0..10).for_each(|_| assert_eq!(scene.give(server_address(), &good), 0, "a replay"));
    assert_eq!(scene.media(TrackKind::Video).duplicates, 10);
}

#[test]
fn attack_nothing_of_strangers_ends_or_changes_a_session() {
    let stranger = ([203, 0, 113, 5], 999).into();
    let mut scene = Scene::new(Role::Passive, 2, |answer| answer);
    // The head of a certificate too large to be taken, by which the peer itself would end the handshake.
    let certificate = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 13, 11, 255, 255, 255, 0, 1, 0, 0, 0, 0, 0, 1, 7];
    let garbage = |scene: &mut Scene| {
        assert_eq!(scene.give(stranger, &certificate), 0);
        for first in 0..=255u8 {
            for length in [0usize, 1, 2, 12, 13, 20, 60, 400, 1_500] {
                let mut datagram = vec![first.wrapping_mul(31); length];
                datagram.iter_mut().zip([first, 0xfe, 0xfd, 0, 0]).for_each(|(to, from)| *to = from);
                assert_eq!(scene.give(stranger, &datagram), 0);
            }
        }
    };
    garbage(&mut scene);
    scene.connect();
    garbage(&mut scene);
    assert_eq!(scene.receiver.state(), ReceiverState::Connected);
    let mut said = 0;
    scene.receiver.transmit(&mut |_, _| said += 1);
    assert_eq!(said, 0, "nobody else is answered");
    let good = sealed(&mut scene, 1);
    assert_eq!(scene.give(server_address(), &good), 1);
}

/// A packet before it is sealed.
fn plain(payload_type: u8, is_padded: bool, source: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet[0] = 0x80 | u8::from(is_padded) << 5;
    packet[1] = payload_type;
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[8..12].copy_from_slice(&source.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

#[test]
fn attack_a_peer_that_seals_nonsense_is_bounded() {
    let mut scene = Scene::connected(3);
    let peer = Pretended::connect(&mut scene.receiver, scene.now).unwrap();
    let (media, again) = (scene.formats[PICTURE].payload_type, scene.formats[PICTURE].retransmission.unwrap());
    let now = scene.now;
    let mut taken = 0;
    let mut give = |scene: &mut Scene, packet: Vec<u8>| {
        let Some(mut datagram) = peer.media(&scene.receiver, &packet) else { return };
        scene.receiver.receive(server_address(), &mut datagram, now, &mut |_| taken += 1);
    };
    // More sources than there may be.
    for source in 0..1_000 {
        give(&mut scene, plain(media, false, 1_000 + source, 1, &[0x41; 20]));
    }
    assert_eq!(scene.media(TrackKind::Video).packets, limits::WEBRTC_SOURCES.get());
    // Retransmissions of anything, short ones, and on the source of the picture; padding without sense; types that
    // nobody agreed on; numbers that jump.
    for (round, payload_type) in [media, again, 5, 127].into_iter().cycle().take(4_000).enumerate() {
        let jump = (round * 7_919) as u16;
        let payload: Vec<u8> = (0..round % 30).map(|place| (place * round) as u8).collect();
        give(&mut scene, plain(payload_type, round % 3 == 0, 1_000 + round as u32 % 5, jump, &payload));
        if scene.receiver.next() <= now {
            scene.receiver.advance(now);
        }
        let (mut bytes, mut datagrams) = (0, 0);
        scene.receiver.transmit(&mut |_, datagram| {
            bytes += datagram.len();
            datagrams += 1;
        });
        assert!(bytes <= 1_500 && datagrams <= 2, "{bytes} in {datagrams}");
    }
    assert_eq!(scene.receiver.state(), ReceiverState::Connected);
}

#[test]
fn attack_retransmissions_of_what_was_not_missed_are_not_handed_on() {
    let mut scene = Scene::connected(4);
    let peer = Pretended::connect(&mut scene.receiver, scene.now).unwrap();
    let (media, again) = (scene.formats[PICTURE].payload_type, scene.formats[PICTURE].retransmission.unwrap());
    let now = scene.now;
    let mut taken = Vec::new();
    let mut give = |scene: &mut Scene, packet: Vec<u8>| {
        let Some(mut datagram) = peer.media(&scene.receiver, &packet) else { return };
        let mut take = |arrived: &Arrived<'_>| taken.push((arrived.sequence, arrived.is_retransmission));
        scene.receiver.receive(server_address(), &mut datagram, now, &mut take);
    };
    let resent = |sequence: u16, of: u16| {
        let [high, low] = of.to_be_bytes();
        plain(again, false, 8, sequence, &[high, low, 0x41, 9])
    };
    give(&mut scene, resent(1, 10));
    for sequence in [10, 13] {
        give(&mut scene, plain(media, false, 7, sequence, &[0x41, 9]));
    }
    for (sequence, of) in [(2, 10), (3, 11), (4, 11), (3, 11), (5, 14), (6, 40_000), (7, 12)] {
        give(&mut scene, resent(sequence, of));
    }
    assert_eq!(taken, [(10, false), (13, false), (11, true), (12, true)]);
    let picture = scene.media(TrackKind::Video);
    assert_eq!((picture.lost, picture.recovered, picture.duplicates), (2, 2, 1));
    assert!((3..=4).contains(&picture.redundant), "{}", picture.redundant);
}
