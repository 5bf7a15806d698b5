//! A server that brings another a stream.

use std::time::{Duration, Instant};

use headwater_graph::{Hub, Peer};
use headwater_media::{Orientation, Packet, limits};
use headwater_webrtc::{Answer, CallError, Ended, Offer, Proposal, PublishOptions, Session, WebRtc};

use crate::{
    call::{FRAMES_PER_GROUP, FROM, Source, frame, read, reader},
    publisher::{hub, name},
    viewer::server,
};

/// What the other server answers when it is brought the stream, as to any publisher.
async fn answer((hub, from): (&Hub, &WebRtc), (edge, to): (&Hub, &WebRtc)) -> (Proposal, String) {
    let proposal = from.propose_sending(&hub.find(&name()).unwrap()).unwrap();
    let publication = edge.publish(name(), Peer::new("WebRTC", "origin")).unwrap();
    let offer = Offer::parse(proposal.sdp()).unwrap();
    let accepted = to.publish(offer, publication, PublishOptions::default(), FROM).await.unwrap();
    (proposal, accepted.sdp.to_string())
}

async fn send(hub: &Hub, from: &WebRtc, proposal: Proposal, answer: &str) -> Result<Session, CallError> {
    let subscription = hub.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
    from.send(proposal, Answer::parse(answer).unwrap(), subscription, FROM).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_brought_to_another_server_comes_whole_and_in_time() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Source::new(&origin);
    source.turns = |frame| Orientation::read(u8::try_from(frame / 10 % 16).unwrap());
    let (turns, demand) = (source.turns, source.video.demand().clone());
    let source = tokio::spawn(source.run());
    let (proposal, text) = answer((&origin, &from), (&edge, &to)).await;
    let session = send(&origin, &from, proposal, &text).await.unwrap();
    assert!(session.flowing().await, "{:?}", session.has_ended());
    let mut reader = reader(&edge).await;
    read(&mut reader, 200).await;
    let seen: Vec<(i64, i64)> =
        reader.pictures.iter().filter_map(|packet| Some((frame(packet)?, packet.timestamp))).collect();
    assert!(seen.windows(2).all(|pair| pair[1] == (pair[0].0 + 1, pair[0].1 + 1_800)), "{seen:?}");
    assert_eq!(seen[0].0 % FRAMES_PER_GROUP, 0, "it begins where a decoder can");
    let ends = reader.pictures.iter().filter(|packet| packet.marker);
    let is_told = |packet: &Packet| frame(packet).is_none_or(|frame| packet.orientation == turns(frame));
    assert!(ends.clone().count() > 100 && ends.clone().all(is_told), "each picture is turned as it was");
    let (number, time) = *seen.last().unwrap();
    let sound = |packet: &&Packet| packet.payload[..] == number.to_be_bytes();
    let sound = reader.sounds.iter().find(sound).expect("the sound of the same moment");
    let apart = time as f64 / 90.0 - sound.timestamp as f64 / 48.0;
    assert!(apart.abs() < 5.0, "sound and picture are {apart} ms apart");

    // Whoever wants a key frame there has it asked for here.
    demand.take_key_frame_request();
    reader.demand().request_key_frame();
    let begun = Instant::now();
    while !demand.take_key_frame_request() {
        assert!(begun.elapsed() < Duration::from_secs(5), "no key frame is asked for");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    session.end().await;
    session.ended().await;
    let begun = Instant::now();
    while origin.find(&name()).is_some_and(|stream| stream.viewer_count() > 0) {
        assert!(begun.elapsed() < Duration::from_secs(5), "the other server is a viewer still");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_and_a_stream_that_ends_end_the_session_in_words() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Source::new(&origin);
    let (proposal, text) = answer((&origin, &from), (&edge, &to)).await;
    let session = send(&origin, &from, proposal, &text).await.unwrap();
    source.run_until(async { assert!(session.flowing().await) }).await;
    to.stop().await;
    assert_eq!(session.ended().await, Ended::PeerLeft, "the other has said farewell");

    let to = server();
    let edge = hub();
    let (proposal, text) = answer((&origin, &from), (&edge, &to)).await;
    let session = send(&origin, &from, proposal, &text).await.unwrap();
    source.run_until(async { assert!(session.flowing().await) }).await;
    source.end("enough");
    assert_eq!(session.ended().await, Ended::Stream("enough".into()));
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_by_which_nothing_can_be_sent_end_with_a_sentence_and_leave_nothing() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    let (proposal, good) = answer((&origin, &from), (&edge, &to)).await;

    let nowhere: String =
        good.lines().filter(|line| !line.contains("candidate")).map(|line| format!("{line}\r\n")).collect();
    let error = send(&origin, &from, proposal.clone(), &nowhere).await.unwrap_err();
    assert!(matches!(error, CallError::NoCandidate), "{error}");
    let (head, _) = good.split_once("m=video").unwrap();
    let cases = [
        (good.replace("a=recvonly", "a=inactive"), "takes no video in H264"),
        (good.replace("H264/90000", "X264/90000"), "takes no video in H264"),
        (good.replace("m=video 9", "m=video 0"), "takes no video in H264"),
        (head.to_owned(), "1 media sections where 2"),
        (good.replace("m=audio", "m=video"), "has video where audio"),
    ];
    for (text, words) in cases {
        let error = send(&origin, &from, proposal.clone(), &text).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    // Another password: the other server takes no check.
    let password = good.lines().find(|line| line.starts_with("a=ice-pwd:")).unwrap();
    let wrong = good.replace(password, "a=ice-pwd:0123456789012345678901234567");
    let begun = Instant::now();
    let session = send(&origin, &from, proposal, &wrong).await.unwrap();
    assert_eq!(session.ended().await, Ended::NeverConnected);
    assert!(begun.elapsed() < limits::WEBRTC_FIRST_CHECK_MS.get_duration() + Duration::from_secs(2));
    assert_eq!(from.pending(), 0);
    assert_eq!(from.statistics().iter().map(|shard| shard.sessions).sum::<u64>(), 0);
    assert_eq!(origin.find(&name()).unwrap().viewer_count(), 0);
    source.abort();
    to.stop().await;
    from.stop().await;
}
