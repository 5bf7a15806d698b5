//! A server that asks another for a stream.

use std::{
    task::Poll,
    time::{Duration, Instant},
};

use headwater_graph::{Hub, LaneWriter, Peer, Publication};
use headwater_media::{Codec, Orientation, Packet, TrackKind, limits};
use headwater_webrtc::{Answer, CallError, Ended, Offer, Proposal, PublishOptions, Session, WebRtc};

use crate::{
    publisher::{h264, hub, name, opus},
    sender::Reader,
    viewer::server,
};

pub(crate) const FROM: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// 1280 x 720, Constrained Baseline, with the picture parameters and slice beginnings that go with it.
const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4];
const PPS: &[u8] = &[0x68, 0xce, 0x38, 0x80];
const SLICE_KEY: &[u8] = &[0x65, 0x88, 0x84, 0x21, 0xa0];
const SLICE: &[u8] = &[0x41, 0x9a, 0x24, 0x6c, 0x43];
pub(crate) const FRAMES_PER_GROUP: i64 = 25;

/// The stream at its origin: H.264 at 50 pictures a second, Opus at 50 packets.
pub(crate) struct Source {
    publication: Publication,
    pub(crate) video: LaneWriter<Packet>,
    audio: LaneWriter<Packet>,
    frame: i64,
    sequence: u64,
    /// How a picture is to be turned.
    pub(crate) turns: fn(i64) -> Orientation,
}

impl Source {
    pub(crate) fn new(hub: &Hub) -> Source {
        let mut publication = hub.publish(name(), Peer::new("TEST", "publisher")).unwrap();
        let (video, audio) = (publication.add_packets(h264()).unwrap(), publication.add_packets(opus()).unwrap());
        publication.ready();
        Source { publication, video, audio, frame: 0, sequence: 65_530, turns: |_| Orientation::default() }
    }

    /// One picture, whose number stands at the end of its slice, and the sound that goes with it.
    fn write_frame(&mut self) {
        let is_key = self.frame % FRAMES_PER_GROUP == 0;
        let slice = [if is_key { SLICE_KEY } else { SLICE }, &self.frame.to_be_bytes()].concat();
        let parts = if is_key { vec![SPS.to_vec(), PPS.to_vec(), slice] } else { vec![slice] };
        let count = parts.len();
        for (index, part) in parts.into_iter().enumerate() {
            self.video.push(Packet {
                sequence: self.sequence,
                timestamp: self.frame * 1_800,
                marker: index + 1 == count,
                random_access: is_key && index == 0,
                orientation: (self.turns)(self.frame),
                payload: part.into(),
            });
            self.sequence += 1;
        }
        self.video.ring();
        self.audio.push(Packet {
            sequence: self.frame as u64,
            timestamp: self.frame * 960,
            marker: false,
            random_access: true,
            orientation: Default::default(),
            payload: self.frame.to_be_bytes().to_vec().into(),
        });
        self.audio.ring();
        self.frame += 1;
    }

    pub(crate) async fn run(mut self) {
        self.run_until(std::future::pending()).await;
    }

    pub(crate) async fn run_until(&mut self, done: impl Future<Output = ()>) {
        let (mut tick, mut done) = (tokio::time::interval(Duration::from_millis(20)), std::pin::pin!(done));
        loop {
            tokio::select! {
                () = &mut done => return,
                _ = tick.tick() => self.write_frame(),
            }
        }
    }

    pub(crate) fn end(self, reason: &str) {
        self.publication.end(reason);
    }
}

/// Asks `origin` for the stream, as `edge` would by any signalling.
async fn answer(origin: (&Hub, &WebRtc), edge: &WebRtc) -> (Proposal, String) {
    let proposal = edge.propose();
    let subscription = origin.0.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
    let accepted = origin.1.view(Offer::parse(proposal.sdp()).unwrap(), subscription, FROM).await.unwrap();
    (proposal, accepted.sdp.to_string())
}

async fn call(hub: &Hub, edge: &WebRtc, proposal: Proposal, answer: &str) -> Result<Session, CallError> {
    let publication = hub.publish(name(), Peer::new("WebRTC", "origin")).unwrap();
    let answer = Answer::parse(answer).unwrap();
    edge.call(proposal, answer, publication, PublishOptions::default(), FROM).await
}

pub(crate) async fn reader(hub: &Hub) -> Reader {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(reader) = Reader::open(hub, Codec::H264).await {
            return reader;
        }
        assert!(Instant::now() < limit, "the stream does not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn read(reader: &mut Reader, pictures: usize) {
    let limit = Instant::now() + Duration::from_secs(10);
    while reader.read() < pictures {
        assert!(Instant::now() < limit, "{} pictures have come", reader.pictures.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The number of the picture that a slice belongs to.
pub(crate) fn frame(packet: &Packet) -> Option<i64> {
    let (head, number) = packet.payload.split_last_chunk::<8>()?;
    matches!(head.first(), Some(0x41 | 0x65)).then(|| i64::from_be_bytes(*number))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_one_server_becomes_that_of_another_whole_and_in_time() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    let (proposal, answer) = answer((&origin, &from), &to).await;
    let session = call(&edge, &to, proposal, &answer).await.unwrap();
    assert!(session.flowing().await, "{:?}", session.has_ended());
    let mut reader = reader(&edge).await;
    read(&mut reader, 200).await;
    let seen: Vec<(i64, i64)> =
        reader.pictures.iter().filter_map(|packet| Some((frame(packet)?, packet.timestamp))).collect();
    assert!(seen.windows(2).all(|pair| pair[1] == (pair[0].0 + 1, pair[0].1 + 1_800)), "{seen:?}");
    assert_eq!(seen[0].0 % FRAMES_PER_GROUP, 0, "it begins where a decoder can");
    // Sound and picture that were captured at once have the same time, in ticks of their own.
    let (number, time) = *seen.last().unwrap();
    let sound = |packet: &&Packet| packet.payload[..] == number.to_be_bytes();
    let sound = reader.sounds.iter().find(sound).expect("the sound of the same moment");
    let apart = time as f64 / 90.0 - sound.timestamp as f64 / 48.0;
    assert!(apart.abs() < 5.0, "sound and picture are {apart} ms apart");
    assert_eq!(session.received().packets_lost, 0);

    session.end().await;
    session.ended().await;
    assert!(edge.find(&name()).is_none(), "the stream has ended with its session");
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_pictures_are_to_be_turned_is_told_to_the_next_server_for_each_of_them() {
    // Upright for a while, and then all that can be said, changed within groups and at their beginnings.
    let turns = |frame: i64| Orientation::read(u8::try_from((frame / 7 - 3).clamp(0, 400) % 16).unwrap());
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source { turns, ..Source::new(&origin) }.run());
    let (proposal, answer) = answer((&origin, &from), &to).await;
    let _session = call(&edge, &to, proposal, &answer).await.unwrap();
    let mut reader = reader(&edge).await;
    read(&mut reader, 200).await;
    let ends = reader.pictures.iter().filter(|packet| packet.marker);
    let seen: Vec<_> = ends.filter_map(|packet| Some((frame(packet)?, packet.orientation))).collect();
    let all = |bytes: &[u8]| bytes.iter().all(|byte| seen.iter().any(|(_, seen)| seen.byte() == *byte));
    assert!(seen.len() > 120 && all(&[0, 1, 2, 3, 4, 8, 15]), "{seen:?}");
    assert!(seen.iter().all(|(frame, orientation)| *orientation == turns(*frame)), "{seen:?}");
    let track = reader.subscription.stream().track(TrackKind::Video).unwrap();
    assert_ne!(track.native().orientation(), Orientation::default());
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_come_from_one_port_of_another_server() {
    let ((origin, from), to) = ((hub(), server()), server());
    let source = tokio::spawn(Source::new(&origin).run());
    let mut calls = Vec::new();
    for _ in 0..8 {
        let edge = hub();
        let (proposal, answer) = answer((&origin, &from), &to).await;
        let session = call(&edge, &to, proposal, &answer).await.unwrap();
        calls.push((session, edge));
    }
    for (session, edge) in &calls {
        read(&mut reader(edge).await, 50).await;
        assert_eq!(session.has_ended(), None);
    }
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_silent_leaves_the_stream_to_whoever_brings_it_again() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    let (proposal, answer_text) = answer((&origin, &from), &to).await;
    let session = call(&edge, &to, proposal, &answer_text).await.unwrap();
    let mut reader = reader(&edge).await;
    read(&mut reader, 50).await;
    from.stop().await;
    assert_eq!(session.ended().await, Ended::PeerLeft, "the other has said farewell");

    let from = server();
    let (proposal, answer_text) = answer((&origin, &from), &to).await;
    let session = call(&edge, &to, proposal, &answer_text).await.unwrap();
    assert!(session.flowing().await);
    assert_eq!(reader.subscription.has_ended(), None, "those who watch have stayed");
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_lead_nowhere_end_with_a_sentence_and_leave_nothing() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    let (proposal, good) = answer((&origin, &from), &to).await;

    let nowhere: String =
        good.lines().filter(|line| !line.contains("candidate")).map(|line| format!("{line}\r\n")).collect();
    let error = call(&edge, &to, proposal.clone(), &nowhere).await.unwrap_err();
    assert!(matches!(error, CallError::NoCandidate), "{error}");
    let idle = good.replace("a=sendonly", "a=inactive");
    let error = call(&edge, &to, proposal.clone(), &idle).await.unwrap_err();
    assert!(matches!(error, CallError::Answer(_)), "{error}");

    // Another password: the other server takes no check.
    let password = good.lines().find(|line| line.starts_with("a=ice-pwd:")).unwrap();
    let wrong = good.replace(password, "a=ice-pwd:0123456789012345678901234567");
    let begun = Instant::now();
    let session = call(&edge, &to, proposal, &wrong).await.unwrap();
    assert_eq!(session.ended().await, Ended::NeverConnected);
    assert!(begun.elapsed() < limits::WEBRTC_FIRST_CHECK_MS.get_duration() + Duration::from_secs(2));
    assert_eq!(to.pending(), 0);
    assert_eq!(to.statistics().iter().map(|shard| shard.sessions).sum::<u64>(), 0);
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_takes_any_more_ends_at_once() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    let sessions = |server: &WebRtc| server.statistics().iter().map(|shard| shard.sessions).sum::<u64>();
    let reach = async |count: u64| {
        let begun = Instant::now();
        while sessions(&to) != count {
            // It would end for want of a peer after twice that.
            assert!(begun.elapsed() < limits::WEBRTC_FIRST_CHECK_MS.get_duration() / 2, "{} sessions", sessions(&to));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    for waits_until_it_has_begun in [false, true] {
        let asked = loop {
            let (proposal, answer) = answer((&origin, &from), &to).await;
            let (edge, to) = (edge.clone(), to.clone());
            let mut asked = Box::pin(async move { call(&edge, &to, proposal, &answer).await });
            match std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
                Poll::Pending => break asked,
                // The shard was quicker than this thread.
                Poll::Ready(session) => session.unwrap().end().await,
            }
            reach(0).await;
        };
        if waits_until_it_has_begun {
            reach(1).await;
        }
        drop(asked);
        reach(0).await;
        let begun = Instant::now();
        while edge.find(&name()).is_some() {
            assert!(begun.elapsed() < Duration::from_secs(5), "its stream waits for somebody to come back");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    source.abort();
    to.stop().await;
    from.stop().await;
}
