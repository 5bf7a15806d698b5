//! How publishers begin, leave and come back, and what is refused.

use std::time::Duration;

use headwater_graph::{Peer, StreamState};
use headwater_media::{Codec, limits};
use headwater_webrtc::{Ended, Offer, PublishError, PublishOptions, WebRtc};

use crate::{
    publisher::{hub, name},
    sender::{Plan, Sender, offer, reader},
    viewer::server,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_is_ended_takes_its_stream_along_at_once() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    let reader = reader(&hub, &mut sender).await;
    let session = sender.accepted.session.clone();
    session.end().await;
    assert_eq!(session.ended().await, Ended::Deleted);
    assert!(hub.find(&name()).is_none());
    assert_eq!(reader.subscription.has_ended().as_deref(), Some("the publisher has ended it"));
    sender.run_until("the farewell", |sender| sender.closed).await;
    assert_eq!((server.statistics()[0].sessions, server.pending()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_to_stop_ends_the_publisher_with_the_reason() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    drop(reader(&hub, &mut sender).await);
    hub.find(&name()).unwrap().terminate("the operator says so");
    let session = sender.accepted.session.clone();
    assert_eq!(session.ended().await, Ended::Stream("the operator says so".into()));
    assert!(hub.find(&name()).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_vanishes_and_comes_back_resumes_its_stream() {
    let (hub, server) = (hub(), server());
    let mut first = Sender::publish(&hub, &server, Plan::default()).await;
    let mut reader = reader(&hub, &mut first).await;
    first.run_until("100 packets", |_| reader.read() >= 100).await;
    first.leave().await;
    assert_eq!(first.accepted.session.ended().await, Ended::PeerLeft);
    let stream = hub.find(&name()).expect("the stream waits");
    assert_eq!(stream.state(), StreamState::Paused);
    reader.read();
    let before = reader.pictures.len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = Sender::publish(&hub, &server, Plan::default()).await;
    second.run_until("100 packets more", |_| reader.read() >= before + 100).await;
    assert_eq!(stream.state(), StreamState::Live);
    assert!(reader.discontinuities >= 1);
    let times: Vec<i64> = reader.pictures.iter().map(|packet| packet.timestamp).collect();
    assert!(times.is_sorted(), "the second goes on after the first");
    assert!(times[before] - times[before - 1] > 9_000, "at the time that has passed");
    assert!(reader.pictures[before].random_access);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_live_is_refused_to_another() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    drop(reader(&hub, &mut sender).await);
    let refused = hub.publish(name(), Peer::new("WebRTC", "second")).unwrap_err().to_string();
    assert!(refused.contains("is being published already, over WebRTC"), "{refused}");
}

/// Publishes with an offer that was changed on its way.
async fn publish(server: &WebRtc, text: &str) -> Result<(), String> {
    let hub = hub();
    let publication = hub.publish(name(), Peer::new("WebRTC", "sender")).unwrap();
    let offer = Offer::parse(text).map_err(|error| error.to_string())?;
    let options = PublishOptions { strip_codecs: vec![Codec::Vp8], ..PublishOptions::default() };
    let result = server.publish(offer, publication, options, "127.0.0.1".parse().unwrap()).await;
    let refused = result.is_err();
    assert_eq!(hub.find(&name()).is_none(), refused, "nothing is kept of who was refused");
    match result {
        Ok(accepted) => {
            accepted.session.end().await;
            Ok(())
        }
        Err(error @ PublishError::NotTaken(_)) => Err(error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_that_cannot_be_taken_whole_are_refused_in_words() {
    let server = server();
    let (_, _, good, ..) = offer(Codec::H264).await;
    let many = (0..100).map(|number| format!("a=ssrc:{} cname:x\r\n", 1_000 + number)).collect::<String>();
    let rids = (0..9).map(|number| format!("a=rid:r{number} send\r\n")).collect::<String>();
    let cases = [
        ("as it is", good.clone(), None),
        ("both ways", good.replace("a=sendonly", "a=sendrecv"), None),
        ("an idle picture", good.replacen("a=sendonly", "a=inactive", 1), None),
        (
            "nothing but receiving",
            good.replace("a=sendonly", "a=recvonly"),
            Some("no audio or video section that sends"),
        ),
        ("an unknown picture", good.replace("H264/", "H269/"), Some("the video of the offer has no codec")),
        ("an unknown sound", good.replace("opus/", "magnum/"), Some("the audio of the offer has no codec")),
        ("a codec that is not wanted", good.replace("H264/", "VP8/"), Some("the video of the offer has no codec")),
        ("a hundred sources", format!("{good}{many}"), Some("at most 64 sources")),
        ("nine renditions", format!("{good}a=simulcast:send r0\r\n{rids}"), Some("at most 8 renditions")),
        ("an endless name", format!("{good}a=simulcast:send r\r\na=rid:{} send\r\n", "r".repeat(99)), Some("a=rid")),
        ("a source that is no number", format!("{good}a=ssrc:x cname:y\r\n"), None),
        ("a group of one", format!("{good}a=ssrc-group:FID 7\r\na=ssrc-group:FID\r\n"), None),
    ];
    for (what, text, expected) in cases {
        let result = publish(&server, &text).await;
        match (&result, expected) {
            (Ok(()), None) => {}
            (Err(sentence), Some(expected)) => assert!(sentence.contains(expected), "{what}: {sentence}"),
            _ => panic!("{what}: {result:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w15_more_sources_than_a_peer_may_have_are_dropped() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    let mut reader = reader(&hub, &mut sender).await;
    let hits = limits::WEBRTC_SOURCES.hits();
    for number in 0..2_000u32 {
        let mut datagram = vec![0x80, 111, 0, 1, 0, 0, 0, 0];
        datagram.extend_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
        datagram.resize(60, 7);
        sender.send_raw(&datagram).await;
    }
    let before = reader.read();
    sender.run_until("video after it", |_| reader.read() >= before + 100).await;
    assert!(limits::WEBRTC_SOURCES.hits() > hits + 1_000);
    assert_eq!(server.statistics()[0].bugs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w7_lengths_beyond_the_packet_do_no_harm_to_a_publisher() {
    let (hub, server) = (hub(), server());
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    let mut reader = reader(&hub, &mut sender).await;
    for (index, datagram) in crate::attack::shapes().filter(|datagram| !datagram.is_empty()).enumerate() {
        sender.send_raw(&datagram).await;
        if index % 50 == 0 {
            sender.run_for(Duration::from_millis(1)).await;
        }
    }
    let before = reader.read();
    sender.run_until("video after it", |_| reader.read() >= before + 100).await;
    assert_eq!(server.statistics()[0].bugs, 0);
}
