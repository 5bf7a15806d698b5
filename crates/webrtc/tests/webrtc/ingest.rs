//! What of a publisher's media comes into the lanes, and what does not.

use std::{collections::HashSet, time::Duration};

use headwater_media::{Codec, Orientation, TrackKind};
use headwater_webrtc::PublishOptions;
use str0m::rtp::VideoOrientation;

use crate::{
    publisher::{hub, name},
    sender::{PARTS, Plan, Sender, frame, reader},
    viewer::{Viewer, server},
};

async fn comes_in_whole(codec: Codec) {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan { codec, ..Plan::default() }).await;
    let mut reader = reader(&hub, &mut sender).await;
    sender.run_until("300 packets", |_| reader.read() >= 300).await;
    let first = &reader.pictures[0];
    assert!(first.random_access);
    assert_eq!(frame(first, codec) % 25, 0);
    let mut entries = 0;
    for (index, pair) in reader.pictures.windows(2).enumerate() {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1, "{index}");
        assert_eq!(pair[1].timestamp > pair[0].timestamp, pair[0].marker, "{index}: a frame has one time");
        let begins = pair[0].marker && frame(&pair[1], codec) % 25 == 0;
        assert_eq!(pair[1].random_access, begins, "{index}: {:?}", &pair[1].payload[..12]);
        entries += usize::from(begins);
    }
    assert!(entries >= 2);
    let span = |packets: &[headwater_media::Packet]| packets[packets.len() - 1].timestamp - packets[0].timestamp;
    assert_eq!(span(&reader.pictures) / 1_800, reader.pictures.len() as i64 / i64::from(PARTS) - 1);
    for pair in reader.sounds.windows(2) {
        assert_eq!((pair[1].sequence - pair[0].sequence, pair[1].timestamp - pair[0].timestamp), (1, 960));
    }
    let received = sender.accepted.session.received();
    assert!(received.packets >= 300 && received.bytes > 200_000, "{received:?}");
    let track = reader.subscription.stream().track(TrackKind::Video).unwrap();
    assert_eq!(track.native().parameters().unwrap().codec, codec);
    let sound = reader.subscription.stream().track(TrackKind::Audio).unwrap();
    assert_eq!((sound.native().audio_level(), track.native().audio_level()), (Some(-33), None));
    assert_eq!(track.native().orientation(), Orientation::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_and_opus_come_in_whole_and_in_time() {
    comes_in_whole(Codec::H264).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8_and_opus_come_in_whole_and_in_time() {
    comes_in_whole(Codec::Vp8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_watches_what_another_publishes() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    drop(reader(&hub, &mut sender).await);
    let sending = tokio::spawn(async move { sender.run_for(Duration::from_secs(20)).await });
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("100 packets of each", |viewer| viewer.packets.len() > 600).await;
    let numbers: Vec<u64> = viewer.of(true).map(|packet| *packet.seq_no).collect();
    assert!(numbers.len() > 300 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert!(viewer.of(false).count() > 60);
    sending.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_packets_are_asked_for_and_come_late() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    let mut count = 0;
    sender.loses = Box::new(move |datagram| {
        count += usize::from(datagram.len() > 200);
        datagram.len() > 200 && count % 15 == 10
    });
    let mut reader = reader(&hub, &mut sender).await;
    sender.run_until("600 packets", |_| reader.read() >= 600).await;
    sender.loses = Box::new(|_| false);
    sender.run_for(Duration::from_millis(300)).await;
    reader.read();
    let numbers: Vec<u64> = reader.pictures.iter().map(|packet| packet.sequence).collect();
    let distinct: HashSet<u64> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "nothing comes twice");
    let (first, last) = (numbers[0], *numbers.iter().max().unwrap());
    let missing = (first..=last).filter(|number| !distinct.contains(number)).count();
    assert_eq!(missing, 0, "of {}", numbers.len());
    assert!(numbers.windows(2).any(|pair| pair[1] < pair[0]), "the lane is in order of arrival");
    for packet in &reader.pictures {
        let beside = reader.pictures.iter().find(|other| frame(other, Codec::H264) == frame(packet, Codec::H264));
        assert_eq!(beside.unwrap().timestamp, packet.timestamp, "a late packet has the time of its frame");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_viewers_that_want_key_frames_are_two_requests_a_second() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan { group: 0, ..Plan::default() }).await;
    let mut readers = vec![reader(&hub, &mut sender).await];
    for _ in 1..100 {
        readers.push(reader(&hub, &mut sender).await);
    }
    let begin = std::time::Instant::now();
    sender.asked.clear();
    while begin.elapsed() < Duration::from_millis(2_300) {
        readers.iter().for_each(|reader| reader.demand().request_key_frame());
        sender.run_for(Duration::from_millis(10)).await;
    }
    let asked = &sender.asked;
    assert!((3..=5).contains(&asked.len()), "{} requests", asked.len());
    for pair in asked.windows(2) {
        assert!(pair[1] - pair[0] > Duration::from_millis(450), "{:?}", pair[1] - pair[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_viewer_of_a_source_without_regular_key_frames_gets_one() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan { group: 0, ..Plan::default() }).await;
    drop(reader(&hub, &mut sender).await);
    // Until the only group has left the window.
    let window = headwater_media::limits::STREAM_WINDOW_MS.get_duration();
    sender.run_for(window + Duration::from_secs(2)).await;
    let mut reader = reader(&hub, &mut sender).await;
    sender.run_until("a group to start at", |_| reader.read() > 10).await;
    assert!(frame(&reader.pictures[0], Codec::H264) > 500 && reader.pictures[0].random_access);
}

#[tokio::test(flavor = "multi_thread")]
async fn sender_reports_bring_sound_and_picture_together() {
    let (hub, server) = (hub(), server());
    let plan = Plan { picture_delay: Duration::from_millis(120), ..Plan::default() };
    let mut sender = Sender::publish(&hub, &server, plan).await;
    let mut reader = reader(&hub, &mut sender).await;
    // When frame 0 was captured, in the lane's own time, by the newest packet of each.
    let apart = |reader: &crate::sender::Reader| {
        let (picture, sound) = (reader.pictures.last().unwrap(), reader.sounds.last().unwrap());
        let picture = picture.timestamp as f64 / 90.0 - 20.0 * frame(picture, Codec::H264) as f64;
        let sound = sound.timestamp as f64 / 48.0 - 20.0 * frame(sound, Codec::Opus) as f64;
        picture - sound
    };
    sender.run_until("the first pictures", |_| reader.read() >= 20).await;
    assert!(apart(&reader) > 60.0, "by arrival, the picture is late: {:.1} ms", apart(&reader));
    let mut together = |_: &mut Sender| {
        reader.read();
        apart(&reader).abs() < 6.0
    };
    sender.run_until("sound and picture are together", &mut together).await;
    sender.run_for(Duration::from_secs(1)).await;
    assert!(together(&mut sender), "and stay so");
    for packets in [&reader.pictures, &reader.sounds] {
        assert!(packets.windows(2).all(|pair| pair[1].timestamp >= pair[0].timestamp), "time runs backwards");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceiling_stands_in_the_answer() {
    let (hub, server) = (hub(), server());
    let options = PublishOptions { min_bitrate: Some(300_000), max_bitrate: Some(1_500_000), ..Default::default() };
    let sender = Sender::try_publish(&hub, &server, Plan::default(), options).await.unwrap();
    let answer = &sender.accepted.sdp;
    for line in ["b=TIAS:1500000\r\n", "x-google-min-bitrate=300;x-google-max-bitrate=1500\r\n"] {
        assert!(answer.contains(line), "{line} is missing in {answer}");
    }
    let audio = answer.split("m=video").next().unwrap();
    assert!(!audio.contains("b="), "{audio}");
    assert!(hub.find(&name()).is_some());
}

fn turned(frame: i64) -> VideoOrientation {
    VideoOrientation::from(match frame {
        ..40 => 0,
        40..80 => 1,
        80..110 => 3,
        _ => 0,
    })
}

/// As the specification has it and no more: at key frames and at changes.
fn turned_seldom(frame: i64, is_key: bool) -> Option<VideoOrientation> {
    (is_key || turned(frame) != turned(frame - 1)).then_some(turned(frame))
}

/// As browsers do: with each picture that is not upright, too.
fn turned_always(frame: i64, is_key: bool) -> Option<VideoOrientation> {
    turned_seldom(frame, is_key || turned(frame) != VideoOrientation::Deg0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_publisher_says_of_how_to_turn_its_pictures_stands_at_each_of_them_also_where_it_was_lost() {
    // While a picture that says it first is on its way again, those behind it do not know; who repeats it is known to
    // once it has.
    for (turns, unknown) in [(turned_seldom as fn(_, _) -> _, 12), (turned_always, 3)] {
        let (hub, server) = (hub(), server());
        let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
        sender.turns = turns;
        let mut reader = reader(&hub, &mut sender).await;
        let mut ends = 0;
        sender.loses = Box::new(move |datagram| {
            let is_end = datagram.len() > 200 && datagram.get(1).is_some_and(|second| second & 0x80 != 0);
            ends += usize::from(is_end);
            is_end && ends % 4 == 1
        });
        let wanted = 124 * usize::from(PARTS);
        sender.run_until("124 pictures", |_| reader.read() >= wanted).await;
        sender.loses = Box::new(|_| false);
        sender.run_for(Duration::from_millis(300)).await;
        reader.read();
        // The last packet of a picture is the shortest, and holds its number as all do.
        let ends = reader.pictures.iter().filter(|packet| packet.marker);
        let seen: Vec<(i64, u8)> = ends.map(|end| (frame(end, Codec::H264), end.orientation.byte())).collect();
        let wrong: Vec<_> = seen.iter().filter(|(frame, seen)| *seen != turned(*frame) as u8).collect();
        assert!(seen.len() >= 120 && wrong.len() <= unknown, "{wrong:?} of {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_say_how_pictures_are_to_be_turned_is_not_answered_for_it() {
    for (strip_orientation, is_taken) in [(false, true), (true, false)] {
        let options = PublishOptions { strip_orientation, ..Default::default() };
        let sender = Sender::try_publish(&hub(), &server(), Plan::default(), options).await.unwrap();
        assert_eq!(sender.accepted.sdp.contains("urn:3gpp:video-orientation"), is_taken);
        assert_eq!(sender.accepted.sdp.matches("urn:3gpp:video-orientation").count(), usize::from(is_taken));
    }
}
