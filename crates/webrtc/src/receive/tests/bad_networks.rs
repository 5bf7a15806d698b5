//! Loss, disorder and duplication, by chance that a seed repeats.

use super::*;
use crate::egress::estimate::Estimator;
use scene::{GROUP, Network, PICTURE_PACKETS};

/// Sends pictures and sound for a while, as a server does: a picture at once, every 33 ms.
fn watch(scene: &mut Scene, pictures: std::ops::Range<u64>) {
    for picture in pictures {
        (0..PICTURE_PACKETS).for_each(|packet| scene.send(PICTURE, picture * PICTURE_PACKETS + packet));
        scene.send(SOUND, picture + 1);
        scene.run(33);
    }
}

#[test]
fn what_is_lost_comes_again_and_nothing_comes_twice() {
    for (seed, lost, jitter_ms) in [(1, 50, 0), (2, 100, 10), (3, 10, 40), (4, 200, 5)] {
        let mut scene = Scene::connected(seed);
        scene.network = Network { lost, doubled: 30, delay_ms: 20, jitter_ms };
        watch(&mut scene, 0..900);
        scene.network = Network { lost: 0, doubled: 0, ..scene.network };
        watch(&mut scene, 900..930);
        scene.run(1_500);

        let sent = 930 * PICTURE_PACKETS;
        let numbers = scene.numbers(TrackKind::Video);
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "nothing is handed on twice");
        let missing = sent as usize - numbers.len();
        // The first ones may be lost without anybody knowing of them, and a few are lost ten times.
        assert!(missing <= 6, "{missing} of {sent} have not come, with {lost} of 1,000 lost");

        let picture = scene.media(TrackKind::Video);
        assert_eq!(picture.packets as usize, numbers.len());
        let again = scene.taken.iter().filter(|taken| taken.is_retransmission).count() as u64;
        assert!(again > sent * lost / 1_000 * 8 / 10, "{again}");
        assert_eq!(picture.recovered, again);
        let expected = sent * lost / 1_000;
        // Late packets that had been sent again by then count as lost for ever.
        assert!(picture.lost >= expected * 7 / 10 && picture.lost >= again, "{} {expected} {again}", picture.lost);
        assert!(picture.lost <= expected * 13 / 10 + if jitter_ms > 20 { sent / 5 } else { 20 }, "{}", picture.lost);
        assert!(picture.nacks >= again);
        assert!(picture.duplicates > sent * 30 / 1_000 / 2, "{}", picture.duplicates);
        assert_eq!(picture.reordered > 0, jitter_ms > 0, "{}", picture.reordered);

        let sound = scene.media(TrackKind::Audio);
        let heard = scene.numbers(TrackKind::Audio);
        assert!(heard.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((sound.nacks, sound.recovered), (0, 0), "sound is not asked for again");
        // As above, a few of the first may be lost unknown, where so many are lost at all.
        let missing = 930 - heard.len() as u64;
        assert!((missing.saturating_sub(5)..=missing).contains(&sound.lost), "{} of {missing}", sound.lost);
    }
}

#[test]
fn a_hole_that_does_not_close_is_given_up_and_a_key_frame_asked_for() {
    let mut scene = Scene::connected(7);
    scene.resends = false;
    watch(&mut scene, 0..10);
    scene.network.lost = 1_000;
    scene.send(PICTURE, 10 * PICTURE_PACKETS);
    scene.run(1);
    scene.network.lost = 0;
    (1..PICTURE_PACKETS).for_each(|packet| scene.send(PICTURE, 10 * PICTURE_PACKETS + packet));
    watch(&mut scene, 11..35);
    let wanted = Notice::KeyFrameWanted { stream: PICTURE };
    assert!(!scene.notices.contains(&wanted), "it waits for a second");
    assert_eq!(scene.media(TrackKind::Video).key_frame_requests, 0);
    watch(&mut scene, 35..50);
    assert_eq!(scene.notices.iter().filter(|notice| **notice == wanted).count(), 1);
    let picture = scene.media(TrackKind::Video);
    assert_eq!((picture.lost, picture.recovered), (1, 0));
    assert_eq!(picture.nacks, 10, "so often it was asked for");
    // A key frame comes by itself; after it there is nothing to ask for.
    watch(&mut scene, 50..GROUP + 1);
    let before = scene.notices.len();
    watch(&mut scene, GROUP + 1..GROUP * 4);
    assert!(!scene.notices[before..].contains(&wanted));
}

#[test]
fn the_sender_learns_what_the_network_carries() {
    let mut scene = Scene::connected(8);
    scene.server.estimator(scene.now);
    scene.network = Network { lost: 30, doubled: 0, delay_ms: 20, jitter_ms: 2 };
    watch(&mut scene, 0..300);
    let now = scene.now;
    let estimator: &mut Estimator = scene.server.estimator(now).unwrap();
    let rate = estimator.rate().expect("feedback has come");
    assert!((1_000_000..20_000_000).contains(&rate), "{rate}, where 1.7 Mbit/s are sent");
    assert!((0.005..0.08).contains(&estimator.loss()), "{}", estimator.loss());
}

#[test]
fn reports_come_each_second_with_what_was_lost() {
    let mut scene = Scene::connected(9);
    scene.resends = false;
    scene.network.lost = 100;
    watch(&mut scene, 0..60);
    // By its report the sender knows that its source is known, and names the media section no more.
    scene.network.lost = 0;
    watch(&mut scene, 60..120);
    let with_name = 12 + 4 + 4;
    scene.send(PICTURE, 2_000);
    let length = scene.intercept()[0].len();
    assert!(length < with_name + 1_000 + 16, "{length}");
}
