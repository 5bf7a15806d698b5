//! Names, publishers, viewers, grace times and resolvers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use headwater_graph::{
    Bell, BoxFuture, Event, Hub, INTERRUPTED, Join, Peer, PublishError, Resolver, StreamState, SubscribeError,
};
use headwater_media::{Codec, Packet, StreamName, TrackKind, limits};

use crate::support::{audio, drain, frame, hub, name, publish, video};

fn viewer() -> Peer {
    Peer::new("WebRTC", "viewer")
}

#[tokio::test]
async fn second_publisher_of_a_live_name_is_refused() {
    let hub = hub();
    let mut publication = publish(&hub, "camera");
    publication.ready();
    let refused = hub.publish(name("camera"), Peer::new("WHIP", "2")).unwrap_err();
    assert_eq!(refused, PublishError::NameTaken { name: name("camera"), protocol: "RTMP" });
}

#[tokio::test(start_paused = true)]
async fn publisher_that_comes_back_within_the_grace_time_resumes_for_viewers_who_stayed() {
    let hub = hub();
    let mut first = publish(&hub, "camera");
    let mut writer = first.add_frames(video(Codec::H264)).unwrap();
    first.ready();
    let subscription = hub.subscribe(&name("camera"), viewer()).await.unwrap();
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let bell = Bell::new();
    let mut cursor = subscription.frames(&track, &[Codec::H264], &bell, Join::NewestGroup).unwrap();
    writer.push(frame(0, true));
    assert_eq!(drain(&mut cursor), ["H264", "0"]);

    drop((writer, first));
    assert_eq!(subscription.stream().state(), StreamState::Paused);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut second = publish(&hub, "camera");
    assert!(second.start() >= Duration::from_secs(3), "the time line goes on");
    let mut writer = second.add_frames(video(Codec::H265)).unwrap();
    second.ready();
    writer.push(frame(90, true));
    assert_eq!(drain(&mut cursor), ["break", "H265", "90"]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(subscription.stream().state(), StreamState::Live, "the first one's grace time is void");
    assert_eq!(subscription.has_ended(), None);
}

#[tokio::test(start_paused = true)]
async fn publisher_that_stays_away_ends_its_stream_and_frees_the_name() {
    let hub = hub();
    let mut publication = publish(&hub, "camera");
    let _writer = publication.add_frames(video(Codec::H264)).unwrap();
    publication.ready();
    let subscription = hub.subscribe(&name("camera"), viewer()).await.unwrap();
    drop(publication);
    assert_eq!(subscription.ended().await, "the publisher has left and not come back");
    assert!(hub.find(&name("camera")).is_none());
    assert!(hub.streams().is_empty());
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let mut cursor = subscription.frames(&track, &[Codec::H264], &Bell::new(), Join::Live).unwrap();
    assert_eq!(drain(&mut cursor), ["end"]);
}

#[tokio::test(start_paused = true)]
async fn resumed_stream_drops_the_tracks_that_the_new_publisher_does_not_have() {
    let hub = hub();
    let mut first = publish(&hub, "show");
    let _writers = (first.add_frames(video(Codec::H264)).unwrap(), first.add_frames(audio(Codec::Aac)).unwrap());
    first.ready();
    let stream = first.stream().clone();
    drop(first);
    let mut second = publish(&hub, "show");
    let _writer = second.add_frames(audio(Codec::Aac)).unwrap();
    second.ready();
    assert_eq!(stream.tracks().iter().map(|track| track.kind()).collect::<Vec<_>>(), [TrackKind::Audio]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_was_taken_over_no_longer_writes() {
    let hub = hub();
    let mut first = publish(&hub, "camera");
    let mut stale = first.add_frames(video(Codec::H264)).unwrap();
    first.ready();
    drop(first);
    let mut second = publish(&hub, "camera");
    let mut writer = second.add_frames(video(Codec::H264)).unwrap();
    second.ready();
    let subscription = hub.subscribe(&name("camera"), viewer()).await.unwrap();
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let mut cursor = subscription.frames(&track, &[Codec::H264], &Bell::new(), Join::Live).unwrap();
    stale.push(frame(1, true));
    writer.push(frame(2, true));
    assert_eq!(drain(&mut cursor), ["H264", "2"]);
}

#[tokio::test]
async fn terminating_a_stream_tells_its_publisher_and_then_its_viewers() {
    let hub = hub();
    let mut publication = publish(&hub, "camera");
    publication.ready();
    let subscription = hub.subscribe(&name("camera"), viewer()).await.unwrap();
    publication.stream().terminate("ended by the operator");
    assert_eq!(publication.terminated().await, "ended by the operator");
    assert_eq!(subscription.has_ended(), None);
    drop(publication);
    assert_eq!(subscription.ended().await, "ended by the operator");
    assert!(hub.streams().is_empty());
}

#[tokio::test]
async fn events_tell_the_story_of_a_stream() {
    let hub = hub();
    let mut events = hub.events();
    let mut publication = publish(&hub, "camera");
    publication.ready();
    let subscription = hub.subscribe(&name("camera"), viewer()).await.unwrap();
    assert_eq!(publication.stream().viewer_count(), 1);
    drop(subscription);
    assert_eq!(publication.stream().viewer_count(), 0);
    publication.end("done");
    let mut story = Vec::new();
    for _ in 0..4 {
        story.push(match events.next().await.unwrap() {
            Event::Published { stream, .. } => format!("{stream} published"),
            Event::ViewerJoined { peer, .. } => format!("{} joined", peer.session),
            Event::ViewerLeft { peer, .. } => format!("{} left", peer.session),
            Event::Unpublished { reason, .. } => format!("over: {reason}"),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(story, ["camera published", "viewer joined", "viewer left", "over: done"]);
}

#[tokio::test]
async fn viewer_of_an_unknown_name_is_told_so() {
    let refused = hub().subscribe(&name("nobody"), viewer()).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no live stream nobody");
}

#[tokio::test]
async fn viewer_waits_until_the_tracks_are_known() {
    let hub = hub();
    let mut publication = publish(&hub, "camera");
    let name = name("camera");
    let subscribing = hub.subscribe(&name, viewer());
    tokio::pin!(subscribing);
    assert!(futures_util::poll!(&mut subscribing).is_pending());
    let _writer = publication.add_frames(video(Codec::H264)).unwrap();
    publication.ready();
    assert_eq!(subscribing.await.unwrap().stream().tracks().len(), 1);
}

struct Camera {
    starts: Arc<AtomicUsize>,
}

impl Resolver for Camera {
    fn resolve(&self, hub: &Hub, name: &StreamName, viewer: &Peer) -> Option<BoxFuture<'static, Result<(), String>>> {
        if !name.as_str().starts_with("cameras/") || viewer.server.is_some() {
            return None;
        }
        self.starts.fetch_add(1, Ordering::SeqCst);
        let (hub, name) = (hub.clone(), name.clone());
        Some(Box::pin(async move {
            tokio::task::yield_now().await;
            if name.as_str().ends_with("broken") {
                return Err("the camera does not answer".to_owned());
            }
            let mut publication = hub.publish(name, Peer::new("RTSP", "pull")).map_err(|e| e.to_string())?;
            publication.ready();
            tokio::spawn(async move { publication.terminated().await });
            Ok(())
        }))
    }
}

#[tokio::test]
async fn many_who_ask_for_a_name_that_can_be_started_cause_one_start() {
    let (hub, starts) = (hub(), Arc::new(AtomicUsize::new(0)));
    hub.add_resolver(Arc::new(Camera { starts: starts.clone() }));
    let name = name("cameras/1");
    let all = (0..20).map(|_| hub.subscribe(&name, viewer()));
    let results = futures_util::future::join_all(all).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(starts.load(Ordering::SeqCst), 1);
    assert_eq!(hub.streams().len(), 1);
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    let hub = hub();
    hub.add_resolver(Arc::new(Camera { starts: Arc::default() }));
    let refused = hub.subscribe(&name("cameras/broken"), viewer()).await.unwrap_err();
    let expected =
        SubscribeError::NotStarted { name: name("cameras/broken"), reason: "the camera does not answer".to_owned() };
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn a_server_beside_this_one_gets_only_what_is_published_here() {
    let hub = hub();
    hub.add_resolver(Arc::new(Camera { starts: Arc::default() }));
    let server = || viewer().with_server("edge-1");
    let mut own = publish(&hub, "own");
    own.ready();
    let mut copy = hub.publish(name("copy"), Peer::new("WebRTC", "pull").with_server("origin-1")).unwrap();
    copy.ready();
    assert!(hub.subscribe(&name("own"), server()).await.is_ok());
    for missing in ["copy", "cameras/1"] {
        let refused = hub.subscribe(&name(missing), server()).await.unwrap_err();
        assert_eq!(refused, SubscribeError::NotFound { name: name(missing) });
        assert!(hub.subscribe(&name(missing), viewer()).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_on_to_a_server_stops_with_what_it_comes_from() {
    let hub = hub();
    let (server, from) = (|| viewer().with_server("edge-2"), || Peer::new("WebRTC", "pull").with_server("origin-1"));
    let mut first = hub.publish(name("copy"), from()).unwrap();
    first.ready();
    assert!(hub.subscribe(&name("copy"), server()).await.is_err(), "it was not allowed");
    hub.pass_on();
    let (other, person) =
        (hub.subscribe(&name("copy"), server()).await.unwrap(), hub.subscribe(&name("copy"), viewer()).await.unwrap());
    let mut own = publish(&hub, "own");
    own.ready();
    let of_own = hub.subscribe(&name("own"), server()).await.unwrap();
    assert!(other.has_ended().is_none());

    drop((first, own));
    assert_eq!(other.has_ended().as_deref(), Some(INTERRUPTED));
    assert!(person.has_ended().is_none() && of_own.has_ended().is_none(), "these wait for the publisher");
    // Nobody is served before it comes again, whoever asked first.
    assert!(hub.subscribe(&name("copy"), server()).await.is_err());
    let mut second = hub.publish(name("copy"), from()).unwrap();
    assert!(hub.subscribe(&name("copy"), server()).await.is_err());
    second.ready();
    assert!(hub.subscribe(&name("copy"), server()).await.is_ok());
    assert!(other.has_ended().is_some(), "what was let go of stays so");
}

#[tokio::test(start_paused = true)]
async fn a_publisher_may_be_waited_for_longer_than_others() {
    let hub = hub();
    let mut publication = publish(&hub, "camera");
    publication.ready();
    publication.set_grace(Duration::from_secs(60));
    let stream = publication.stream().clone();
    drop(publication);
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(stream.state(), StreamState::Paused);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stream.state(), StreamState::Ended);
}

#[tokio::test]
async fn renditions_that_come_at_once_are_read_by_their_names_and_taken_up_again() {
    let hub = hub();
    let mut first = publish(&hub, "camera");
    let _best = first.add_packets(video(Codec::Vp8)).unwrap();
    let track = first.stream().track(TrackKind::Video).unwrap();
    let mut small = first.add_rendition(&track, "q", video(Codec::Vp8)).unwrap();
    let _large = first.add_rendition(&track, "f", video(Codec::Vp8)).unwrap();
    first.ready();
    let named = track.named_renditions();
    assert_eq!(named.iter().map(|rendition| rendition.label()).collect::<Vec<_>>(), [Some("q"), Some("f")]);
    assert_eq!((track.native().label(), track.renditions().len()), (None, 1));

    let subscription = hub.subscribe(&name("camera"), viewer()).await.unwrap();
    let bell = Bell::new();
    let mut cursor = subscription.rendition_packets(&named[0], &bell, Join::NewestGroup).unwrap();
    let packet = |number: u64| Packet {
        sequence: number,
        timestamp: number as i64 * 3_000,
        marker: true,
        random_access: true,
        orientation: Default::default(),
        payload: vec![0; 10].into(),
    };
    small.push(packet(1));
    small.ring();
    assert!(bell.take());
    assert_eq!(drain(&mut cursor), ["VP8", "1"]);

    let mut other = subscription.rendition_packets(&named[1], &bell, Join::NewestGroup).unwrap();

    drop((first, small));
    let mut second = publish(&hub, "camera");
    second.add_packets(video(Codec::Vp8)).unwrap();
    second.retain_renditions(&track, &["q".to_owned(), "r2".to_owned()]);
    assert_eq!(drain(&mut other), ["end"], "the second publisher sends it no more");
    assert_eq!(track.named_renditions().len(), 1);
    let mut small = second.add_rendition(&track, "q", video(Codec::Vp8)).unwrap();
    small.push(packet(9));
    assert_eq!(drain(&mut cursor), ["break", "9"]);
    for number in 1..limits::WEBRTC_RENDITIONS.get() {
        second.add_rendition(&track, &format!("r{number}"), video(Codec::Vp8)).unwrap();
    }
    let refused = second.add_rendition(&track, "more", video(Codec::Vp8)).unwrap_err();
    assert!(matches!(refused, PublishError::TooManyRenditions { .. }), "{refused}");
    second.end("over");
    assert_eq!(drain(&mut cursor), ["end"]);
}

#[tokio::test]
async fn how_loud_the_newest_sound_is_can_be_asked_until_the_source_breaks_off() {
    let hub = hub();
    let mut publication = publish(&hub, "talk");
    let mut writer = publication.add_packets(audio(Codec::Opus)).unwrap();
    let rendition = publication.stream().track(TrackKind::Audio).unwrap().native().clone();
    assert_eq!(rendition.audio_level(), None);
    for (told, level) in [(0, Some(0)), (30, Some(-30)), (127, Some(-127)), (128, None), (5, Some(-5))] {
        writer.set_audio_level(told);
        assert_eq!(rendition.audio_level(), level, "{told}");
    }
    writer.discontinuity();
    assert_eq!(rendition.audio_level(), None);
}
