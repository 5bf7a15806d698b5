//! A receiver against the server's own sender, over good and bad networks, and against peers that lie.

mod answers;
mod attacks;
mod bad_networks;
mod scene;

use std::time::Duration;

use headwater_media::TrackKind;

use super::*;
use crate::{
    egress::Notice,
    sdp::{IceCredentials, Role},
};
use scene::{PICTURE, SOUND, Scene, server_address};

#[test]
fn both_roles_of_the_handshake_lead_to_opened_media() {
    for role in [Role::Passive, Role::Active] {
        let mut scene = Scene::new(role, 1, |answer| answer);
        assert_eq!(scene.receiver.state(), ReceiverState::Connecting);
        scene.connect();
        for sequence in 1..=100 {
            scene.send(PICTURE, sequence);
            if sequence % 5 == 0 {
                scene.send(SOUND, sequence / 5);
            }
            scene.run(4);
        }
        scene.run(50);
        assert_eq!(scene.numbers(TrackKind::Video), (1..=100).collect::<Vec<_>>());
        assert_eq!(scene.numbers(TrackKind::Audio), (1..=20).collect::<Vec<_>>());
        let picture = scene.media(TrackKind::Video);
        assert_eq!((picture.packets, picture.bytes, picture.codec), (100, 100_000, Some(Codec::H264)));
        assert_eq!((picture.lost, picture.reordered, picture.duplicates, picture.nacks), (0, 0, 0, 0));
        assert_eq!(picture.round_trip, Some(Duration::from_millis(20)), "10 ms each way");
        assert_eq!(scene.media(TrackKind::Audio).codec, Some(Codec::Opus));
    }
}

#[test]
fn numbers_and_times_go_on_over_their_wraps() {
    let mut scene = Scene::connected(2);
    // Through three cycles of sequence numbers, in steps that no loss could be larger than.
    let steps: Vec<u64> = (0..200).map(|step| 32_000 + step * 1_000).collect();
    for first in &steps {
        (*first..*first + 3).for_each(|sequence| scene.send(PICTURE, sequence));
        scene.run(1);
    }
    scene.run(50);
    let taken: Vec<u64> = scene.taken.iter().map(|taken| taken.sequence).collect();
    let expected: Vec<u64> = steps.iter().flat_map(|first| *first..*first + 3).collect();
    assert_eq!(taken, expected);
    assert!(scene.taken.is_sorted_by_key(|taken| taken.timestamp), "over 2^32 as well");
    let [first, .., last] = &scene.taken[..] else { panic!("nothing has come") };
    assert_eq!(last.timestamp - first.timestamp, (231_002 / 7 - 32_000 / 7) * 3_000);
}

#[test]
fn a_receiver_asks_for_a_key_frame_where_none_comes_and_where_it_is_told_to() {
    let mut scene = Scene::connected(3);
    let wanted = Notice::KeyFrameWanted { stream: PICTURE };
    let count = |scene: &Scene| scene.notices.iter().filter(|notice| **notice == wanted).count();
    for sequence in 1..250 {
        scene.send(PICTURE, sequence);
        scene.run(4);
    }
    assert_eq!(count(&scene), 2, "after 0.3 s and half a second later");
    assert_eq!(scene.media(TrackKind::Video).key_frame_requests, 2);
    for sequence in 250..420 + 500 {
        scene.send(PICTURE, sequence);
        scene.run(4);
    }
    let before = count(&scene);
    assert!(before <= 3);
    scene.receiver.request_key_frame(scene.now);
    scene.receiver.request_key_frame(scene.now);
    scene.run(30);
    assert_eq!(count(&scene), before + 1);
    let only_intra = |answer: String| answer.replace("a=rtcp-fb:96 nack pli\r\n", "");
    let mut scene = Scene::new(Role::Passive, 3, only_intra);
    scene.connect();
    scene.send(PICTURE, 1);
    scene.run(400);
    assert_eq!(count(&scene), 1, "by the other message");
}

#[test]
fn farewells_are_said_and_understood() {
    let mut scene = Scene::connected(4);
    scene.receiver.close(scene.now);
    assert_eq!(scene.receiver.state(), ReceiverState::Closed(ReceiverEnd::Local));
    scene.run(30);
    assert!(scene.notices.contains(&Notice::Closed));

    let mut scene = Scene::connected(4);
    let mut farewell = Vec::new();
    scene.server.close(&mut farewell);
    farewell.iter().for_each(|datagram| {
        scene.give(server_address(), datagram);
    });
    assert_eq!(scene.receiver.state(), ReceiverState::Closed(ReceiverEnd::Peer));
    // DTLS says farewell in return.
    scene.receiver.transmit(&mut |_, datagram| assert_eq!(datagram[0], 21));
    let next = scene.receiver.next();
    scene.receiver.advance(next);
    scene.receiver.transmit(&mut |_, _| panic!("it says no more"));
}

#[test]
fn a_peer_that_does_not_answer_ends_the_session_in_time() {
    // What the peer does: nothing at all, nothing but checks, all until it falls silent.
    let mut scene = Scene::new(Role::Passive, 5, |answer| answer);
    scene.network.lost = 1_000;
    scene.run(9_900);
    assert_eq!(scene.receiver.state(), ReceiverState::Connecting);
    scene.run(200);
    assert_eq!(scene.receiver.state(), ReceiverState::Closed(ReceiverEnd::Unreachable));

    let mut scene = Scene::connected(5);
    scene.run(60_000);
    assert_eq!(scene.receiver.state(), ReceiverState::Connected, "it asks for consent, and gets it");
    scene.network.lost = 1_000;
    scene.run(26_000);
    assert_eq!(scene.receiver.state(), ReceiverState::Connected);
    scene.run(5_000);
    assert_eq!(scene.receiver.state(), ReceiverState::Closed(ReceiverEnd::Silent));
}

#[test]
fn packets_are_opened_and_told_of_without_allocating() {
    let mut scene = Scene::connected(6);
    scene.server.estimator(scene.now);
    let mut allocations = 0;
    for sequence in 0..3_000u64 {
        scene.send(PICTURE, sequence);
        let mut datagrams = scene.intercept();
        scene.now += Duration::from_millis(4);
        let now = scene.now;
        let (mut taken, mut feedback, mut checks) = (0, 0, Vec::with_capacity(4));
        let before = crate::viewer::tests::allocations();
        for datagram in &mut datagrams {
            scene.receiver.receive(server_address(), datagram, now, &mut |_| taken += 1);
        }
        if scene.receiver.next() <= now {
            scene.receiver.advance(now);
        }
        scene.receiver.transmit(&mut |_, datagram| match datagram[0] {
            0..=3 => checks.push(datagram.to_vec()),
            _ => feedback += 1,
        });
        assert_eq!((taken, feedback <= 1), (1, true));
        // Checks of ICE are one in two seconds, and may allocate.
        if sequence > 600 && checks.is_empty() {
            allocations += crate::viewer::tests::allocations() - before;
        }
        checks.iter().for_each(|check| scene.hand_over(check));
    }
    assert_eq!(allocations, 0);
    assert_eq!(scene.receiver.state(), ReceiverState::Connected);
}
