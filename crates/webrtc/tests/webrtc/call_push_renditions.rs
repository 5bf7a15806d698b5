//! A server that brings another all renditions of a picture.

use headwater_graph::{Hub, Peer, StreamState};
use headwater_media::{TrackKind, limits};
use headwater_webrtc::{Answer, Offer, Proposal, PublishOptions, Session, WebRtc};

use crate::{
    call::{FRAMES_PER_GROUP, FROM},
    call_narrow::{hold_and_bring_back, narrowed},
    call_renditions::{LABELS, Lane, Simulcast, labels, lanes, rendition},
    publisher::{hub, name},
    viewer::server,
};

/// What a server answers when it is brought a stream by this offer, and its session.
async fn answer((edge, to): (&Hub, &WebRtc), offer: &str) -> (Session, String) {
    let publication = edge.publish(name(), Peer::new("WebRTC", "origin")).unwrap();
    let offer = Offer::parse(offer).unwrap();
    let accepted = to.publish(offer, publication, PublishOptions::default(), FROM).await.unwrap();
    (accepted.session, accepted.sdp.to_string())
}

fn propose((origin, from): (&Hub, &WebRtc)) -> Proposal {
    from.propose_sending_renditions(&origin.find(&name()).unwrap(), &[]).unwrap()
}

async fn begin((origin, from): (&Hub, &WebRtc), proposal: Proposal, answer: Answer) -> Session {
    let subscription = origin.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
    from.send(proposal, answer, subscription, FROM).await.unwrap()
}

/// Has `origin` bring its stream to `edge`. Yields both ends.
async fn push(origin: (&Hub, &WebRtc), edge: (&Hub, &WebRtc)) -> (Session, Session) {
    let proposal = propose(origin);
    let (there, answered) = answer(edge, proposal.sdp()).await;
    (begin(origin, proposal, Answer::parse(&answered).unwrap()).await, there)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_renditions_of_a_picture_are_brought_to_another_server_each_under_its_label() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let (session, there) = push((&origin, &from), (&edge, &to)).await;
    let (subscription, mut lanes) = lanes(&mut source, &edge, &LABELS).await;
    assert_eq!(subscription.stream().track(TrackKind::Video).unwrap().labels(), LABELS, "in the order of the source");
    source.run_until("a hundred pictures", || lanes.iter_mut().all(|lane| lane.read() >= 150)).await;
    for (number, lane) in lanes.iter().enumerate() {
        let seen = &lane.seen;
        assert!(seen.iter().all(|(of, ..)| *of == number), "{number}: {seen:?}");
        assert!(seen.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1), "{number}: {seen:?}");
        assert_eq!(seen[0].1 % FRAMES_PER_GROUP, 0, "it begins where a decoder can");
    }
    let (_, frame, time) = *lanes[0].seen.last().unwrap();
    for lane in &lanes[1..] {
        let same = lane.seen.iter().find(|(_, number, _)| *number == frame);
        assert!(same.is_none_or(|(.., other)| (other - time).abs() <= 90), "{time} and {same:?}");
    }

    // Who does not choose reads the best.
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let mut best = Lane::open(&subscription, track.native());
    let has_best = || {
        best.read();
        best.seen.last().is_some_and(|(number, ..)| *number == 2)
    };
    source.run_until("the best is read by default", has_best).await;

    // A reader of one asks for its key frames alone.
    let demand = |label| rendition(&origin.find(&name()).unwrap(), label).unwrap().demand().clone();
    let (small, middle) = (demand("q"), demand("h"));
    let nobody_waits = || {
        lanes.iter_mut().for_each(|lane| _ = lane.read());
        !small.take_key_frame_request() & !middle.take_key_frame_request()
    };
    source.run_until("nobody waits any more", nobody_waits).await;
    rendition(subscription.stream(), "h").unwrap().demand().request_key_frame();
    source.run_until("a key frame is asked for", || middle.take_key_frame_request()).await;
    assert!(!small.take_key_frame_request());
    assert_eq!(there.received().packets_lost, 0);
    session.end().await;
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renditions_that_begin_while_a_stream_is_brought_come_as_well_and_those_that_end_leave_the_others() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0]);
    let (session, _there) = push((&origin, &from), (&edge, &to)).await;
    let (subscription, mut small) = lanes(&mut source, &edge, &["q"]).await;
    source.run_until("the first comes", || small[0].read() > 20).await;
    source.add(2);
    let stream = subscription.stream().clone();
    source.run_until("the one that has begun comes", || rendition(&stream, "f").is_some()).await;
    let track = stream.track(TrackKind::Video).unwrap();
    let mut best = Lane::open(&subscription, track.native());
    let mut is_last = |number| {
        best.read();
        best.seen.last().is_some_and(|(of, ..)| *of == number)
    };
    source.run_until("the lane of all goes up", || is_last(2)).await;
    source.announce(&["q"]);
    source.run_until("it goes down", || is_last(0)).await;
    source.announce(&[]);
    let before = source.frame();
    let goes_on = || {
        best.read();
        best.seen.last().is_some_and(|(_, frame, _)| *frame > before + 100)
    };
    source.run_until("the one picture comes in place of them", goes_on).await;
    assert_eq!((session.has_ended(), subscription.has_ended()), (None, None));
    session.end().await;
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_rendition_is_not_brought_while_the_network_does_not_carry_it() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let proposal = propose((&origin, &from));
    let (there, answered) = answer((&edge, &to), proposal.sdp()).await;
    let (answered, narrow) = narrowed(&answered, to.address(), false).await;
    let session = begin((&origin, &from), proposal, answered).await;
    hold_and_bring_back(&mut source, &edge, &narrow, &there).await;
    session.end().await;
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_further_sections_is_brought_those_that_it_takes() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let proposal = propose((&origin, &from));
    let (_there, answered) = answer((&edge, &to), proposal.sdp()).await;
    let (kept, last) = answered.rsplit_once("m=video").unwrap();
    let refused = format!("{kept}m=video{}", last.replace("a=recvonly", "a=inactive"));
    let session = begin((&origin, &from), proposal, Answer::parse(&refused).unwrap()).await;
    let (subscription, mut lanes) = lanes(&mut source, &edge, &["q", "h"]).await;
    source.run_until("pictures come", || lanes.iter_mut().all(|lane| lane.read() >= 100)).await;
    assert_eq!(labels(subscription.stream()), ["h", "q"], "the largest is not sent");
    session.end().await;
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sections_without_a_name_of_their_own_and_more_than_the_limit_are_not_taken() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let _source = Simulcast::new(&origin, &[0, 1, 2]);
    let proposal = propose((&origin, &from));
    let offer = proposal.sdp();
    assert_eq!(offer.matches("a=x-rendition-of:1").count(), 2, "{offer}");
    let section = offer.rsplit_once("m=video").map(|(_, section)| format!("m=video{section}")).unwrap();
    let further = |mid: usize, label: &str| {
        let numbered = section.replace("a=mid:3", &format!("a=mid:{mid}"));
        numbered.replace("a=label:f\r\n", label)
    };
    let limit = limits::HOP_RENDITIONS.get_usize();
    let many: String = (4..=limit + 4).map(|mid| further(mid, &format!("a=label:x{mid}\r\n"))).collect();
    let mids = (0..=limit + 6).map(|mid| mid.to_string()).collect::<Vec<_>>().join(" ");
    let bent = offer.replace("BUNDLE 0 1 2 3", &format!("BUNDLE {mids}"));
    let nameless = further(limit + 5, "");
    let twice = further(limit + 6, "a=label:h\r\n");
    let (_there, answered) = answer((&edge, &to), &format!("{bent}{many}{nameless}{twice}")).await;
    assert_eq!(answered.matches("m=video").count(), limit + 6, "{answered}");
    assert_eq!(answered.matches("a=recvonly").count(), 1 + limit, "sound and so many renditions: {answered}");
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_known_to_understand_renditions_is_brought_the_best() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let proposal = from.propose_sending(&origin.find(&name()).unwrap()).unwrap();
    assert!(!proposal.sdp().contains("a=label") && proposal.sdp().matches("m=video").count() == 1);
    let (_there, answered) = answer((&edge, &to), proposal.sdp()).await;
    let session = begin((&origin, &from), proposal, Answer::parse(&answered).unwrap()).await;
    let is_live = || edge.find(&name()).is_some_and(|stream| stream.state() == StreamState::Live);
    source.run_until("the stream is there", is_live).await;
    let subscription = edge.subscribe(&name(), Peer::new("TEST", "reader")).await.unwrap();
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    assert_eq!(labels(subscription.stream()), [""; 0]);
    let mut best = Lane::open(&subscription, track.native());
    source.run_until("pictures come", || best.read() > 50).await;
    assert!(best.seen.iter().all(|(number, ..)| *number == 2), "{:?}", best.seen);
    session.end().await;
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_renditions_that_are_wanted_are_brought_alone() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let stream = origin.find(&name()).unwrap();
    let wanted = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    let proposal = from.propose_sending_renditions(&stream, &wanted(&["f", "none", "q"])).unwrap();
    let (there, answered) = answer((&edge, &to), proposal.sdp()).await;
    let session = begin((&origin, &from), proposal, Answer::parse(&answered).unwrap()).await;
    let (_subscription, mut lanes) = lanes(&mut source, &edge, &["q", "f"]).await;
    source.run_until("fifty pictures of each", || lanes.iter_mut().all(|lane| lane.read() >= 50)).await;
    assert!(lanes[0].seen.iter().all(|(of, ..)| *of == 0) && lanes[1].seen.iter().all(|(of, ..)| *of == 2));

    let refused = from.propose_sending_renditions(&stream, &wanted(&["x", "y"])).unwrap_err();
    assert_eq!(refused.to_string(), "the stream has none of the sizes x, y; it has q, h, f");
    session.end().await;
    there.end().await;
    to.stop().await;
    from.stop().await;
}
