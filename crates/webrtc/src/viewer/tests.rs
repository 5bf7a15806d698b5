//! What serving a viewer costs in allocations: nothing, once it watches; and in what portions it is served.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headwater_graph::{Bell, Hub, HubOptions, LaneWriter, Peer, Publication};
use headwater_media::{
    ClockRate, Codec, Format as TrackFormat, Packet, StreamName, TrackKind, TrackParameters, VideoFormat, limits,
};
use headwater_net::{Quota, TokioEnvironment, UdpSocket};
use tokio::sync::Notify;

use super::*;
use crate::{egress, sdp::Format};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Allocations that this thread has made.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

// SAFETY: everything is passed on to the system's allocator; the count is this thread's own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn h264() -> TrackParameters {
    TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: TrackFormat::Video(VideoFormat::default()),
        config: Bytes::new(),
    }
}

/// A connected viewer of a picture, the lane that it is sent from, and what it is served with.
struct Scene {
    viewer: Viewer,
    lane: LaneWriter<Packet>,
    outbox: Outbox,
    counters: Arc<Counters>,
    start: Instant,
    _publication: Publication,
}

impl Scene {
    async fn new() -> Scene {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let name = StreamName::new("test").unwrap();
        let mut publication = hub.publish(name.clone(), Peer::new("TEST", "publisher")).unwrap();
        let lane = publication.add_packets(h264()).unwrap();
        publication.ready();
        let subscription = hub.subscribe(&name, Peer::new("WebRTC", "viewer")).await.unwrap();

        let start = Instant::now();
        let bell = Bell::new();
        let egress = egress::tests::connected(start);
        let track = subscription.stream().track(TrackKind::Video).unwrap();
        let formats = vec![Format {
            codec: Codec::H264,
            payload_type: 96,
            retransmission: Some(97),
            map: "H264/90000".into(),
            parameters: None,
            feedback: Vec::new(),
        }];
        let mut outlet = Outlet::open(&subscription, track, Codec::H264, formats, &bell).unwrap();
        outlet.set_sources(egress.sources().next().unwrap());
        let quota = Quota::new(&limits::WEBRTC_PENDING, &limits::WEBRTC_PENDING_PER_ADDRESS);
        let pending = quota.admit("127.0.0.1".parse().unwrap()).unwrap();
        let mut viewer = Viewer::new(egress, vec![outlet], subscription, bell, pending, start);
        viewer.pretend_connected();

        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap());
        let counters = Arc::new(Counters::default());
        let outbox = Outbox::new(socket, counters.clone(), Rc::new(Notify::new()));
        Scene { viewer, lane, outbox, counters, start, _publication: publication }
    }

    /// A picture of so many packets.
    fn bring(&mut self, frame: u64, first: u64, parts: u64) {
        for part in 0..parts {
            let is_last = part + 1 == parts;
            self.lane.push(Packet {
                sequence: first + part,
                timestamp: frame as i64 * 3_000,
                marker: is_last,
                random_access: frame.is_multiple_of(60) && part == 0,
                orientation: Default::default(),
                payload: vec![0; if is_last { 300 } else { 1_172 }].into(),
            });
        }
    }

    /// Sends what may be sent now; says how many packets that are, and when the viewer wants to be looked at again.
    fn deliver(&mut self, now: Instant) -> (u64, Option<Instant>) {
        let before = self.counters.read().packets;
        let mut around = Surroundings { outbox: &mut self.outbox, counters: &self.counters, now };
        let next = self.viewer.deliver(&mut around).map(Result::unwrap);
        self.outbox.flush();
        (self.counters.read().packets - before, next)
    }
}

#[tokio::test]
async fn packets_are_sealed_and_sent_without_allocating() {
    let mut scene = Scene::new().await;
    let mut deliver = |frame: u64| {
        scene.bring(frame, frame * 7, 7);
        // Between two reports: those are few in a minute, and may allocate.
        let now = scene.start + Duration::from_millis(frame / 10);
        let before = ALLOCATIONS.get();
        scene.deliver(now);
        ALLOCATIONS.get() - before
    };
    (0..20).for_each(|frame| {
        deliver(frame);
    });
    let allocations: u64 = (20..400).map(deliver).sum();
    assert_eq!(allocations, 0);
    assert_eq!(scene.counters.read().packets, 400 * 7);
    assert!(scene.counters.read().bursts <= 400 * 2, "a frame leaves in one call");
}

#[tokio::test]
async fn a_large_picture_leaves_in_slices_and_an_ordinary_one_at_once() {
    let mut scene = Scene::new().await;
    let at = |ms| scene.start + Duration::from_millis(ms);
    let (now, soon, later) = (at(0), at(1), at(2));
    scene.bring(0, 0, 80);
    assert_eq!(scene.deliver(now), (32, Some(soon)));
    assert_eq!(scene.deliver(now), (0, Some(soon)), "not before its time, whatever rings");
    assert_eq!(scene.deliver(soon), (32, Some(later)));
    scene.bring(1, 80, 7);
    assert_eq!(scene.deliver(later), (16 + 7, None), "what is left leaves with what has come");
    scene.bring(2, 87, 32);
    assert_eq!(scene.deliver(later), (32, None));
}
