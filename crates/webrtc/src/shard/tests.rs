//! A shard's core on a clock that the test moves.

use std::time::Duration;

use bytes::Bytes;
use headwater_graph::{Hub, HubOptions, Peer, Publication};
use headwater_media::{ClockRate, Codec, Format, Packet, StreamName, TrackParameters, VideoFormat, limits};
use headwater_net::{Permit, TokioEnvironment};
use tokio::sync::oneshot;

use super::*;
use crate::{
    Offer, PublishOptions,
    egress::{Carrier, Remote},
    participant::Participant,
    sdp::tests::CHROMIUM,
    session::{Accepted, Session},
    viewer::Surroundings,
};

struct Scene {
    shard: Shard,
    hub: Hub,
    quota: Quota,
    publication: Publication,
    video: headwater_graph::LaneWriter<Packet>,
    start: Instant,
    _commands: mpsc::Sender<Command>,
}

fn name() -> StreamName {
    StreamName::new("test").unwrap()
}

fn scene() -> Scene {
    let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
    let mut publication = hub.publish(name(), Peer::new("TEST", "publisher")).unwrap();
    let parameters = TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: Format::Video(VideoFormat::default()),
        config: Bytes::new(),
    };
    let video = publication.add_packets(parameters).unwrap();
    publication.ready();
    let (commands, _) = mpsc::channel(1);
    let bind = "127.0.0.1:0".parse().unwrap();
    let plan = Plan {
        sorting: Sorting::new(1).remove(0).0,
        tcp: false,
        common: Common::new().unwrap(),
        public_addresses: Vec::new(),
        coalescing_window: Duration::from_millis(2),
        connections: Quota::connections(),
        counters: Arc::default(),
        own_commands: commands.downgrade(),
    };
    let socket = UdpSocket::bind(bind).unwrap();
    let local = socket.local_address().unwrap();
    let shard = Shard::new(plan, Rc::new(socket), local, Candidates::default());
    let quota = Quota::new(&limits::WEBRTC_PENDING, &limits::WEBRTC_PENDING_PER_ADDRESS);
    Scene { shard, hub, quota, publication, video, start: Instant::now(), _commands: commands }
}

impl Scene {
    async fn join(&self) -> Accepted {
        let peer = Peer::new("WebRTC", "viewer");
        let subscription = self.hub.subscribe(&name(), peer).await.unwrap();
        let pending = self.quota.admit("192.0.2.9".parse().unwrap()).unwrap();
        let offer = Offer::parse(CHROMIUM).unwrap();
        let joined = self.shard.core.borrow_mut().join(offer, subscription, pending, self.start);
        joined.unwrap().accepted
    }

    fn pass(&self, time: Duration) {
        self.shard.core.borrow_mut().run_due(self.start + time, usize::MAX);
    }

    fn is_clean(&self) -> bool {
        let core = self.shard.core.borrow();
        let stream = self.publication.stream();
        core.is_empty() && stream.viewer_count() == 0 && self.video.demand().readers() == 0 && self.quota.open() == 0
    }
}

#[tokio::test]
async fn a_viewer_that_never_connects_is_forgotten_with_everything() {
    let scene = scene();
    let accepted = scene.join().await;
    assert_eq!((scene.quota.open(), scene.video.demand().readers()), (1, 1));
    let limit = limits::WEBRTC_FIRST_CHECK_MS.get_duration();
    scene.pass(limit - Duration::from_millis(1));
    assert_eq!(accepted.session.has_ended(), None);
    scene.pass(limit + timers::GRID);
    assert_eq!(accepted.session.has_ended(), Some(Ended::NeverConnected));
    assert!(scene.is_clean());
}

#[tokio::test]
async fn a_viewer_that_falls_silent_is_ended_when_its_consent_is_over() {
    let scene = scene();
    let accepted = scene.join().await;
    let place = accepted.session.place;
    scene.shard.core.borrow_mut().pretend_connected(place);
    let limit = limits::WEBRTC_CONSENT_MS.get_duration();
    scene.pass(limit - Duration::from_millis(1));
    assert_eq!(accepted.session.has_ended(), None);
    scene.pass(limit);
    assert_eq!(accepted.session.has_ended(), Some(Ended::Silent));
    assert!(scene.is_clean());
}

/// What a future yields without waiting.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::ZERO, future).await.ok()
}

#[tokio::test]
async fn how_far_a_session_has_come_is_told_when_it_happens() {
    let scene = scene();
    let (session, other) = (scene.join().await.session, scene.join().await.session);
    assert_eq!(at_once(session.connected()).await, None);
    let place = session.place;
    scene.shard.core.borrow_mut().pretend_connected(place);
    scene.shard.core.borrow_mut().with(place.index, scene.start, |_, _| None);
    assert_eq!((at_once(session.connected()).await, at_once(session.flowing()).await), (Some(true), None));
    let count_a_packet = |_: &mut Participant, around: &mut Surroundings<'_>| {
        around.counters.packets.add(1);
        None
    };
    scene.shard.core.borrow_mut().with(place.index, scene.start, count_a_packet);
    assert_eq!((at_once(session.connected()).await, at_once(session.flowing()).await), (Some(true), Some(true)));
    assert_eq!(at_once(other.connected()).await, None, "that was another's");
    scene.shard.core.borrow_mut().end(other.place, Ended::Deleted, scene.start);
    assert_eq!((at_once(other.connected()).await, at_once(other.flowing()).await), (Some(false), Some(false)));
}

#[tokio::test]
async fn a_panic_in_one_session_ends_that_session_and_is_counted() {
    let scene = scene();
    let (first, second) = (scene.join().await, scene.join().await);
    let index = first.session.place.index;
    scene.shard.core.borrow_mut().with(index, scene.start, |_, _| panic!("on purpose, for a test"));
    assert_eq!(first.session.has_ended(), Some(Ended::Bug));
    assert_eq!(second.session.has_ended(), None);
    assert_eq!(scene.shard.core.borrow().counters.read().bugs, 1);
}

#[tokio::test]
async fn an_ended_session_cannot_be_reached_by_its_old_handle() {
    let scene = scene();
    let first = scene.join().await;
    scene.shard.core.borrow_mut().end(first.session.place, Ended::Deleted, scene.start);
    let second = scene.join().await;
    assert_eq!(second.session.place.index, first.session.place.index, "the seat is taken again");
    scene.shard.core.borrow_mut().end(first.session.place, Ended::Deleted, scene.start);
    assert_eq!(second.session.has_ended(), None);
    assert_eq!(first.session.has_ended(), Some(Ended::Deleted));
}

#[tokio::test]
async fn the_quota_of_pending_sessions_is_kept() {
    let scene = scene();
    let peer = "192.0.2.9".parse().unwrap();
    let permits: Vec<Permit> =
        (0..limits::WEBRTC_PENDING_PER_ADDRESS.get()).map(|_| scene.quota.admit(peer).unwrap()).collect();
    assert!(scene.quota.admit(peer).is_err());
    drop(permits);
    assert!(scene.quota.admit(peer).is_ok());
}

impl Scene {
    /// A publisher of another stream.
    fn publish(&self, name: &StreamName) -> Session {
        let publication = self.hub.publish(name.clone(), Peer::new("WebRTC", "publisher")).unwrap();
        let pending = self.quota.admit("192.0.2.9".parse().unwrap()).unwrap();
        let offer = Offer::parse(&CHROMIUM.replace("a=recvonly", "a=sendonly")).unwrap();
        let options = PublishOptions::default();
        let published = self.shard.core.borrow_mut().publish(offer, publication, &options, pending, self.start);
        published.unwrap().accepted.session
    }

    /// Another wants the name of a publisher.
    fn challenge(&self, session: &Session, after: Duration) -> oneshot::Receiver<bool> {
        let (answer, answered) = oneshot::channel();
        self.shard.core.borrow_mut().make_way(session.place, answer, self.start + after);
        answered
    }
}

#[tokio::test]
async fn a_publisher_that_is_heard_keeps_its_name_and_one_that_is_not_makes_way() {
    let scene = scene();
    let other = StreamName::new("other").unwrap();
    let session = scene.publish(&other);
    let mut refused = scene.challenge(&session, Duration::from_millis(500));
    let heard = Duration::from_secs(1);
    let remote = Remote { carrier: Carrier::Udp, address: "192.0.2.9:5000".parse().unwrap() };
    let index = session.place.index;
    scene.pass(heard);
    assert!(refused.try_recv().is_err(), "it is not clear yet");
    scene
        .shard
        .core
        .borrow_mut()
        .with(index, scene.start + heard, |publisher, around| Some(publisher.receive(remote, &[0x80, 0], around)));
    assert_eq!(refused.try_recv(), Ok(false));

    let limit = heard + limits::WEBRTC_PUBLISHER_YIELD_MS.get_duration();
    let mut gone = scene.challenge(&session, limit - Duration::from_secs(1));
    drop(gone);
    scene.pass(limit);
    assert_eq!(session.has_ended(), None, "whoever wanted the name has gone");
    let mut admitted = scene.challenge(&session, limit);
    scene.pass(limit + Duration::from_millis(99));
    assert!(admitted.try_recv().is_err(), "a busy server first looks at what it has received");
    scene.pass(limit + Duration::from_millis(100));
    assert_eq!((session.has_ended(), admitted.try_recv()), (Some(Ended::Replaced), Ok(true)));
    assert!(scene.hub.publish(other, Peer::new("WebRTC", "rival")).is_ok());
    gone = scene.challenge(&session, limit);
    assert!(gone.try_recv().is_err() && scene.is_clean());
}

#[tokio::test]
async fn no_more_wait_for_a_name_than_may() {
    let scene = scene();
    let session = scene.publish(&StreamName::new("other").unwrap());
    let wait = || scene.challenge(&session, Duration::ZERO);
    let mut waiting: Vec<_> = (0..limits::WEBRTC_RIVALS.get()).map(|_| wait()).collect();
    assert_eq!(wait().try_recv(), Ok(false));
    assert!(waiting.iter_mut().all(|rival| rival.try_recv().is_err()));
}

#[tokio::test]
async fn a_publisher_that_never_connects_is_forgotten_with_its_stream() {
    let scene = scene();
    let other = StreamName::new("other").unwrap();
    let session = scene.publish(&other);
    assert!(scene.hub.find(&other).is_some(), "the name is taken");
    let limit = limits::WEBRTC_FIRST_CHECK_MS.get_duration();
    scene.pass(limit - Duration::from_millis(1));
    assert_eq!(session.has_ended(), None);
    scene.pass(limit);
    assert_eq!(session.has_ended(), Some(Ended::NeverConnected));
    assert!(scene.hub.find(&other).is_none(), "nothing waits for its grace time");
    assert!(scene.is_clean());
}
