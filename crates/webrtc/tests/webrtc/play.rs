//! What a viewer gets.

use std::{collections::HashSet, time::Duration};

use headwater_media::Orientation;

use crate::{
    publisher::{FRAMES_PER_GROUP, PACKETS_PER_FRAME, Publisher, hub},
    viewer::{Viewer, frame, server},
};

/// Fails unless the video arrived whole and in order, beginning at a random access point.
fn check_video(viewer: &Viewer) {
    let packets: Vec<_> = viewer.of(true).collect();
    let first = packets.first().expect("no video");
    assert_eq!(frame(first) % FRAMES_PER_GROUP, 0, "begins where a decoder can start");
    assert!(*first.seq_no < 65_536);
    for pair in packets.windows(2) {
        assert_eq!(*pair[1].seq_no, *pair[0].seq_no + 1);
        assert!(pair[1].time.numer() >= pair[0].time.numer(), "time runs backwards");
        assert!(frame(pair[1]) - frame(pair[0]) <= 1, "a frame is missing");
    }
    let of_first = packets.iter().filter(|packet| frame(packet) == frame(first)).count();
    assert_eq!(of_first, usize::from(PACKETS_PER_FRAME));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_gets_sound_and_picture_in_order() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("100 frames", |viewer| viewer.of(true).count() >= 500).await;
    check_video(&viewer);
    assert!(viewer.of(false).count() > 80);
    for pair in viewer.of(false).collect::<Vec<_>>().windows(2) {
        assert_eq!(*pair[1].seq_no, *pair[0].seq_no + 1);
    }
    let statistics = server.statistics()[0];
    assert_eq!((statistics.sessions, statistics.connected, statistics.bugs), (1, 1, 0));
    assert!(statistics.bursts < statistics.datagrams / 2, "datagrams of a frame leave together");
    server.stop().await;
    viewer.run_until("the farewell", |viewer| viewer.closed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_without_udp_is_served_over_tcp() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::try_join(&hub, &server, true).await.unwrap();
    viewer.run_until("100 frames", |viewer| viewer.of(true).count() >= 500).await;
    check_video(&viewer);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_packets_are_sent_again_when_a_viewer_asks() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::join(&hub, &server).await;
    let mut count = 0;
    viewer.loses = Box::new(move |datagram| {
        let is_video = datagram.len() > 200;
        count += usize::from(is_video);
        is_video && count % 20 == 10
    });
    viewer.run_until("100 frames", |viewer| viewer.of(true).count() >= 500).await;
    viewer.loses = Box::new(|_| false);
    viewer.run_for(Duration::from_millis(300)).await;
    let mut numbers: Vec<u64> = viewer.of(true).map(|packet| *packet.seq_no).collect();
    numbers.sort_unstable();
    let distinct: HashSet<u64> = numbers.iter().copied().collect();
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    let missing = (first..=last).filter(|number| !distinct.contains(number)).count();
    assert_eq!(missing, 0);
    assert!(server.statistics()[0].packets_again >= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_gets_the_group_from_its_beginning_and_is_live_at_once() {
    let (hub, server) = (hub(), server());
    let mut publisher = Publisher::new(&hub);
    for _ in 0..FRAMES_PER_GROUP + 40 {
        publisher.write_frame();
    }
    tokio::spawn(publisher.run());
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("60 frames", |viewer| viewer.of(true).count() >= 300).await;
    check_video(&viewer);
    let packets: Vec<_> = viewer.of(true).collect();
    assert_eq!(frame(packets[0]), FRAMES_PER_GROUP);
    let time = |number: i64| {
        let packet = packets.iter().find(|packet| frame(packet) == number);
        packet.map(|packet| packet.time.numer()).unwrap()
    };
    let begin = FRAMES_PER_GROUP;
    assert_eq!(time(begin + 1) - time(begin), 90, "the past is a millisecond a frame");
    assert_eq!(time(begin + 58) - time(begin + 57), 1_800, "what is live keeps its own time");
}

#[tokio::test(flavor = "multi_thread")]
async fn sender_reports_put_sound_and_picture_on_one_clock() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::join(&hub, &server).await;
    let has_reports = |viewer: &Viewer, video| viewer.of(video).any(|p| p.last_sender_info.is_some());
    viewer.run_until("reports of both", |viewer| has_reports(viewer, true) && has_reports(viewer, false)).await;
    viewer.run_for(Duration::from_millis(200)).await;
    // When frame N was captured, in seconds of the server's clock, by the report of each medium.
    let captured = |video: bool, rate: f64| {
        let packet = viewer.of(video).filter(|packet| packet.last_sender_info.is_some()).last().unwrap();
        let report = packet.last_sender_info.as_ref().unwrap();
        let ntp = report.ntp_time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let ticks = (packet.header.timestamp).wrapping_sub(report.rtp_time.numer() as u32) as i32;
        ntp + f64::from(ticks) / rate - frame(packet) as f64 * 0.020
    };
    let difference = captured(true, 90_000.0) - captured(false, 48_000.0);
    assert!(difference.abs() < 0.005, "sound and picture are {difference} s apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_frame_request_reaches_the_source() {
    let (hub, server) = (hub(), server());
    let publisher = Publisher::new(&hub);
    let demand = publisher.video.demand().clone();
    tokio::spawn(publisher.run());
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("video", |viewer| viewer.of(true).count() > 10).await;
    demand.take_key_frame_request();
    viewer.request_key_frame();
    viewer.run_for(Duration::from_millis(200)).await;
    assert!(demand.take_key_frame_request());
    assert!(server.statistics()[0].key_frames_wanted >= 1);
}

/// Frames of three groups: upright, turned, turned otherwise within its group, and upright again.
fn turns(frame: i64) -> Orientation {
    Orientation::read(match frame {
        ..50 => 0,
        50..80 => 1,
        80..110 => 3,
        _ => 0,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_told_at_the_end_of_each_picture_how_to_turn_it_also_where_it_is_sent_again() {
    let (hub, server) = (hub(), server());
    let mut publisher = Publisher::new(&hub);
    publisher.turns = turns;
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("connected", |viewer| viewer.connected.is_some()).await;
    tokio::spawn(publisher.run());
    // Of every third picture the last packet is lost, the one that says it.
    let mut ends = 0;
    viewer.loses = Box::new(move |datagram| {
        let is_end = datagram.len() > 200 && datagram.get(1).is_some_and(|second| second & 0x80 != 0);
        ends += usize::from(is_end);
        is_end && ends % 3 == 1
    });
    let newest = |viewer: &Viewer| viewer.of(true).map(frame).max().unwrap_or_default();
    viewer.run_until("140 frames", |viewer| newest(viewer) >= 140).await;
    viewer.loses = Box::new(|_| false);
    viewer.run_for(Duration::from_millis(300)).await;
    assert!(server.statistics()[0].packets_again >= 20);
    let mut seen = 0;
    for packet in viewer.of(true).filter(|packet| frame(packet) < 140) {
        let (said, number) = (packet.header.ext_vals.video_orientation, frame(packet));
        let said = said.map(|said| said as u8);
        // What is sent again after the first turned picture says that it is upright, where it said nothing before.
        let is_upright_again = number < 50 && packet.header.marker && said == Some(0);
        let expected = (packet.header.marker && number >= 50).then_some(turns(number).byte());
        assert!(said == expected || is_upright_again, "frame {number}: {said:?}, not {expected:?}");
        seen += usize::from(expected.is_some());
    }
    assert!(seen >= 85, "{seen} pictures have said it");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_offer_it_is_not_told_how_pictures_are_turned() {
    let (hub, server) = (hub(), server());
    let mut publisher = Publisher::new(&hub);
    publisher.turns = |_| Orientation::read(1);
    tokio::spawn(publisher.run());
    let strip = |offer: String| {
        let kept = offer.lines().filter(|line| !line.contains("urn:3gpp:video-orientation"));
        kept.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let mut viewer = Viewer::join_saying(&hub, &server, false, strip).await.unwrap();
    viewer.run_until("100 packets", |viewer| viewer.of(true).count() >= 100).await;
    assert!(!viewer.accepted.as_ref().unwrap().sdp.contains("video-orientation"));
    assert!(viewer.of(true).all(|packet| packet.header.ext_vals.video_orientation.is_none()));
    check_video(&viewer);
}
