//! How sessions begin, change and end.

use std::time::Duration;

use headwater_graph::Peer;
use headwater_webrtc::{Ended, Fragment, Offer, ViewError};

use crate::{
    publisher::{Publisher, hub, name},
    viewer::{Viewer, server},
};

#[tokio::test(flavor = "multi_thread")]
async fn after_all_have_left_nothing_is_left() {
    let (hub, server) = (hub(), server());
    let publisher = Publisher::new(&hub);
    let demand = publisher.video.demand().clone();
    let stream = hub.find(&name()).unwrap();
    tokio::spawn(publisher.run());
    let mut viewers = Vec::new();
    for index in 0..6 {
        viewers.push(Viewer::try_join(&hub, &server, index % 3 == 2).await.unwrap());
    }
    for viewer in &mut viewers {
        viewer.run_until("video", |viewer| viewer.of(true).count() > 10).await;
    }
    assert_eq!((server.statistics()[0].sessions, stream.viewer_count(), demand.readers()), (6, 6, 6));
    for viewer in &viewers {
        viewer.accepted.as_ref().unwrap().session.end().await;
    }
    for viewer in &viewers {
        assert_eq!(viewer.accepted.as_ref().unwrap().session.ended().await, Ended::Deleted);
    }
    assert_eq!((server.statistics()[0].sessions, server.pending()), (0, 0));
    assert_eq!((stream.viewer_count(), demand.readers()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_stream_ends_its_viewers_with_the_reason() {
    let (hub, server) = (hub(), server());
    let mut publisher = Publisher::new(&hub);
    publisher.write_frame();
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("the connection", |viewer| viewer.connected.is_some()).await;
    publisher.end("the show is over");
    let session = viewer.accepted.as_ref().unwrap().session.clone();
    assert_eq!(session.ended().await, Ended::Stream("the show is over".into()));
    viewer.run_until("the farewell", |viewer| viewer.closed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_leaves_by_itself_is_noticed() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("video", |viewer| viewer.of(true).count() > 10).await;
    viewer.leave().await;
    let session = viewer.accepted.as_ref().unwrap().session.clone();
    assert_eq!(session.ended().await, Ended::PeerLeft);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_goes_on_over_an_ice_restart_from_another_address() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("video", |viewer| viewer.of(true).count() > 10).await;
    let fragment = viewer.move_to_another_address().await;
    let session = viewer.accepted.as_ref().unwrap().session.clone();
    let fragment = Fragment::parse(&fragment).unwrap();
    let answer = session.restart_ice(fragment).await.expect("the session lives");
    viewer.take_restart(&answer);
    let before = viewer.of(true).count();
    viewer.run_until("video at the new address", |viewer| viewer.of(true).count() > before + 100).await;
    assert_eq!(session.has_ended(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_comes_back_is_seen_by_those_who_stayed() {
    let (hub, server) = (hub(), server());
    let mut publisher = Publisher::new(&hub);
    for _ in 0..20 {
        publisher.write_frame();
    }
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("video", |viewer| viewer.of(true).count() >= 100).await;
    drop(publisher);
    viewer.run_for(Duration::from_millis(100)).await;
    let mut publisher = Publisher::new(&hub);
    publisher.frame = 50;
    tokio::spawn(publisher.run());
    let before = viewer.of(true).count();
    viewer.run_until("video again", |viewer| viewer.of(true).count() > before + 100).await;
    let packets: Vec<_> = viewer.of(true).collect();
    for pair in packets.windows(2) {
        assert_eq!(*pair[1].seq_no, *pair[0].seq_no + 1, "no gap where the source's numbers jump");
        assert!(pair[1].time.numer() >= pair[0].time.numer(), "time runs backwards");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_for_nothing_that_the_stream_has_is_refused_in_words() {
    let (hub, server) = (hub(), server());
    let _publisher = Publisher::new(&hub);
    let (_, text, _) = Viewer::new(None).await;
    let cases = [
        (text.replace("a=recvonly", "a=sendonly"), "offer recvonly sections"),
        (text.replace("H264", "H269"), "the stream's video is H264"),
    ];
    for (text, expected) in cases {
        let subscription = hub.subscribe(&name(), Peer::new("WebRTC", "viewer")).await.unwrap();
        let offer = Offer::parse(&text).unwrap();
        let result = server.view(offer, subscription, "127.0.0.1".parse().unwrap()).await;
        match result {
            Err(ViewError::NothingInCommon(sentence)) => assert!(sentence.contains(expected), "{sentence}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(hub.find(&name()).unwrap().viewer_count(), 0);
}
