//! A server that asks another for all renditions of a picture.

use std::time::{Duration, Instant};

use headwater_graph::{Bell, Cursor, Hub, Join, LaneWriter, Next, Peer, Publication, Rendition, Stream, Subscription};
use headwater_media::{Packet, TrackKind};
use headwater_webrtc::{Answer, Offer, PublishOptions, Session, WebRtc};

use crate::{
    call::{FRAMES_PER_GROUP, FROM, Source, reader},
    publisher::{h264, hub, name, opus},
    viewer::server,
};

pub(crate) const LABELS: [&str; 3] = ["q", "h", "f"];
const SIZES: [usize; 3] = [60, 250, 1_150];
const PATIENCE: Duration = Duration::from_secs(15);

/// A stream at its origin whose picture comes in renditions; each packet is a picture of its own, and holds the number
/// of its rendition and its own at its end.
pub(crate) struct Simulcast {
    publication: Publication,
    best: LaneWriter<Packet>,
    sound: LaneWriter<Packet>,
    renditions: Vec<(usize, LaneWriter<Packet>)>,
    frame: i64,
}

impl Simulcast {
    pub(crate) fn new(hub: &Hub, sends: &[usize]) -> Simulcast {
        let mut publication = hub.publish(name(), Peer::new("TEST", "publisher")).unwrap();
        let (best, sound) = (publication.add_packets(h264()).unwrap(), publication.add_packets(opus()).unwrap());
        let mut source = Simulcast { publication, best, sound, renditions: Vec::new(), frame: 0 };
        source.announce(&LABELS);
        sends.iter().for_each(|number| source.add(*number));
        source.publication.ready();
        source
    }

    /// Says which renditions are sent. Those that are not among them end.
    pub(crate) fn announce(&mut self, labels: &[&str]) {
        let track = self.publication.stream().track(TrackKind::Video).unwrap();
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        self.publication.retain_renditions(&track, &labels);
        self.renditions.retain(|(number, _)| labels.iter().any(|label| label == LABELS[*number]));
    }

    pub(crate) fn add(&mut self, number: usize) {
        let track = self.publication.stream().track(TrackKind::Video).unwrap();
        let lane = self.publication.add_rendition(&track, LABELS[number], h264()).unwrap();
        self.renditions.push((number, lane));
    }

    /// The number of the next picture.
    pub(crate) fn frame(&self) -> i64 {
        self.frame
    }

    fn write_frame(&mut self) {
        let frame = self.frame;
        let packet = |number: usize| {
            let is_key = frame % FRAMES_PER_GROUP == 0;
            let mut payload = vec![if is_key { 0x65 } else { 0x41 }, 0x88, 0x84];
            payload.resize(SIZES[number], 0xa0);
            payload.push(number as u8);
            payload.extend_from_slice(&frame.to_be_bytes());
            Packet {
                sequence: frame as u64 + 100,
                timestamp: frame * 1_800,
                marker: true,
                random_access: is_key,
                orientation: Default::default(),
                payload: payload.into(),
            }
        };
        for (number, lane) in &mut self.renditions {
            lane.push(packet(*number));
            lane.ring();
        }
        self.best.push(packet(self.renditions.iter().map(|(number, _)| *number).max().unwrap_or(0)));
        self.best.ring();
        let payload = frame.to_be_bytes().to_vec().into();
        let (sequence, timestamp) = (frame as u64, frame * 960);
        self.sound.push(Packet {
            sequence,
            timestamp,
            marker: false,
            random_access: true,
            orientation: Default::default(),
            payload,
        });
        self.sound.ring();
        self.frame += 1;
    }

    /// Writes 50 pictures a second until a condition holds.
    pub(crate) async fn run_until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let (mut tick, limit) = (tokio::time::interval(Duration::from_millis(20)), Instant::now() + PATIENCE);
        while !done() {
            assert!(Instant::now() < limit, "not in time: {what}");
            tick.tick().await;
            self.write_frame();
        }
    }
}

/// One rendition at the edge, as its viewers read it.
pub(crate) struct Lane {
    cursor: Cursor<Packet>,
    pub(crate) seen: Vec<(usize, i64, i64)>,
}

impl Lane {
    pub(crate) fn open(subscription: &Subscription, rendition: &std::sync::Arc<Rendition>) -> Lane {
        let cursor = subscription.rendition_packets(rendition, &Bell::new(), Join::NewestGroup).unwrap();
        Lane { cursor, seen: Vec::new() }
    }

    /// Takes what is new: the number of the rendition, that of the picture, its time. Says how many there are.
    pub(crate) fn read(&mut self) -> usize {
        loop {
            match self.cursor.next() {
                Next::Item(packet) => {
                    let (head, frame) = packet.payload.split_last_chunk::<8>().unwrap();
                    let number = usize::from(*head.last().unwrap());
                    self.seen.push((number, i64::from_be_bytes(*frame), packet.timestamp));
                }
                Next::Empty | Next::Ended => return self.seen.len(),
                _ => {}
            }
        }
    }
}

/// Asks `origin` for the stream with all its renditions; `say` may change the offer.
async fn call(
    (origin, from): (&Hub, &WebRtc),
    (edge, to): (&Hub, &WebRtc),
    say: impl Fn(&str) -> String,
) -> (Session, String) {
    call_for(&[], (origin, from), (edge, to), say).await
}

/// Asks for these of its renditions.
async fn call_for(
    wanted: &[String],
    (origin, from): (&Hub, &WebRtc),
    (edge, to): (&Hub, &WebRtc),
    say: impl Fn(&str) -> String,
) -> (Session, String) {
    let proposal = to.propose_renditions(wanted);
    let subscription = origin.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
    let accepted = from.view(Offer::parse(&say(proposal.sdp())).unwrap(), subscription, FROM).await.unwrap();
    let publication = edge.publish(name(), Peer::new("WebRTC", "origin")).unwrap();
    let answer = Answer::parse(&accepted.sdp).unwrap();
    let session = to.call(proposal, answer, publication, PublishOptions::default(), FROM).await.unwrap();
    (session, accepted.sdp.to_string())
}

pub(crate) fn labels(stream: &Stream) -> Vec<String> {
    let named = stream.track(TrackKind::Video).map(|track| track.named_renditions()).unwrap_or_default();
    let mut labels: Vec<String> = named.iter().filter_map(|rendition| rendition.label().map(str::to_owned)).collect();
    labels.sort();
    labels
}

pub(crate) fn rendition(stream: &Stream, label: &str) -> Option<std::sync::Arc<Rendition>> {
    let named = stream.track(TrackKind::Video)?.named_renditions();
    named.into_iter().find(|rendition| rendition.label() == Some(label))
}

fn as_it_is(offer: &str) -> String {
    offer.to_owned()
}

/// Waits until the stream is at the edge with these renditions, and reads them.
pub(crate) async fn lanes(source: &mut Simulcast, edge: &Hub, wanted: &[&str]) -> (Subscription, Vec<Lane>) {
    let here = || edge.find(&name()).is_some_and(|stream| labels(&stream).len() == wanted.len());
    source.run_until("the renditions are at the edge", here).await;
    let subscription = edge.subscribe(&name(), Peer::new("TEST", "reader")).await.unwrap();
    let open = |label: &&str| Lane::open(&subscription, &rendition(subscription.stream(), label).unwrap());
    let lanes = wanted.iter().map(open).collect();
    (subscription, lanes)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_renditions_of_a_picture_come_to_another_server_each_under_its_label() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let (session, answer) = call((&origin, &from), (&edge, &to), as_it_is).await;
    let named: Vec<&str> = answer.lines().filter_map(|line| line.strip_prefix("a=label:")).collect();
    assert_eq!(named, LABELS);
    assert_eq!(answer.matches("a=inactive").count(), 1, "there are three renditions for four sections");

    let (subscription, mut lanes) = lanes(&mut source, &edge, &LABELS).await;
    source.run_until("a hundred pictures", || lanes.iter_mut().all(|lane| lane.read() >= 150)).await;
    for (number, lane) in lanes.iter().enumerate() {
        let seen = &lane.seen;
        assert!(seen.iter().all(|(of, ..)| *of == number), "{number}: {seen:?}");
        assert!(seen.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1), "{number}: {seen:?}");
        assert_eq!(seen[0].1 % FRAMES_PER_GROUP, 0, "it begins where a decoder can");
    }
    // A picture has the same time in all of them, so that viewers who change between them see no step.
    let (_, frame, time) = *lanes[0].seen.last().unwrap();
    for lane in &lanes[1..] {
        let same = lane.seen.iter().find(|(_, number, _)| *number == frame);
        assert!(same.is_none_or(|(.., other)| (other - time).abs() <= 90), "{time} and {same:?}");
    }

    // A viewer of one asks for its key frames alone.
    let demand = |label| rendition(&origin.find(&name()).unwrap(), label).unwrap().demand().clone();
    let (small, middle) = (demand("q"), demand("h"));
    source
        .run_until("nobody waits any more", || {
            lanes.iter_mut().for_each(|lane| _ = lane.read());
            !small.take_key_frame_request() & !middle.take_key_frame_request()
        })
        .await;
    lanes[1].cursor.demand().request_key_frame();
    source.run_until("a key frame is asked for", || middle.take_key_frame_request()).await;
    assert!(!small.take_key_frame_request());

    // Who does not choose reads the best.
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let mut best = Lane::open(&subscription, track.native());
    let has_best = || {
        best.read();
        best.seen.last().is_some_and(|(number, ..)| *number == 2)
    };
    source.run_until("the best is read by default", has_best).await;
    assert_eq!(session.received().packets_lost, 0);
    session.end().await;
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renditions_that_begin_later_come_as_well_and_those_that_end_leave_the_others() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0]);
    let (session, _) = call((&origin, &from), (&edge, &to), as_it_is).await;
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
    // It publishes one picture alone from now on.
    source.announce(&[]);
    let before = source.frame;
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
async fn a_server_that_knows_nothing_of_renditions_sends_the_best_in_the_first_section() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    // So would a browser ask that has several places for pictures.
    let plain = |offer: &str| {
        let kept = offer.lines().filter(|line| !line.starts_with("a=x-rendition-of"));
        kept.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let (session, answer) = call((&origin, &from), (&edge, &to), plain).await;
    assert_eq!((answer.matches("a=sendonly").count(), answer.matches("a=inactive").count()), (2, 3), "{answer}");
    assert!(!answer.contains("a=label"));
    let first = answer.split("m=").nth(2).unwrap();
    assert!(first.starts_with("video") && first.contains("a=sendonly"), "{answer}");
    source
        .run_until("the stream is there", || {
            edge.find(&name()).is_some_and(|stream| stream.state() == headwater_graph::StreamState::Live)
        })
        .await;
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
async fn a_stream_in_one_size_takes_one_section_of_those_offered() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    let (session, answer) = call((&origin, &from), (&edge, &to), as_it_is).await;
    assert_eq!((answer.matches("a=sendonly").count(), answer.matches("a=inactive").count()), (2, 3), "{answer}");
    let mut reader = reader(&edge).await;
    crate::call::read(&mut reader, 50).await;
    assert_eq!(labels(reader.subscription.stream()), [""; 0]);
    session.end().await;
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_some_renditions_is_sent_those_alone() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let wanted = ["h", "none", "q"].map(str::to_owned);
    let (session, answer) = call_for(&wanted, (&origin, &from), (&edge, &to), as_it_is).await;
    assert_eq!(answer.matches("a=inactive").count(), 1, "the stream has no {}", wanted[1]);
    let (_subscription, mut lanes) = lanes(&mut source, &edge, &["h", "q"]).await;
    source.run_until("fifty pictures of each", || lanes.iter_mut().all(|lane| lane.read() >= 50)).await;
    assert!(lanes[0].seen.iter().all(|(of, ..)| *of == 1) && lanes[1].seen.iter().all(|(of, ..)| *of == 0));
    assert_eq!(labels(&edge.find(&name()).unwrap()), ["h", "q"]);
    session.end().await;
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_one_rendition_is_sent_that_one_and_one_that_is_not_there_is_refused_in_words() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let (session, _) = call_for(&["h".to_owned()], (&origin, &from), (&edge, &to), as_it_is).await;
    let picture = || edge.find(&name()).and_then(|stream| stream.track(TrackKind::Video));
    source
        .run_until("it is at the edge", || picture().is_some_and(|track| track.native().parameters().is_some()))
        .await;
    let subscription = edge.subscribe(&name(), Peer::new("TEST", "reader")).await.unwrap();
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    assert!(track.labels().is_empty());
    let mut lane = Lane::open(&subscription, track.native());
    source.run_until("fifty pictures", || lane.read() >= 50).await;
    assert!(lane.seen.iter().all(|(of, ..)| *of == 1), "{:?}", lane.seen);

    let proposal = to.propose_renditions(&["x".to_owned()]);
    let reader = origin.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
    let refused = from.view(Offer::parse(proposal.sdp()).unwrap(), reader, FROM).await.err().unwrap();
    assert!(refused.to_string().contains("the stream has no size \"x\""), "{refused}");
    session.end().await;
    to.stop().await;
    from.stop().await;
}
