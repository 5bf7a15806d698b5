//! What serving a viewer costs in allocations: nothing, once it watches.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headwater_graph::{Bell, Hub, HubOptions, Peer};
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

#[tokio::test]
async fn packets_are_sealed_and_sent_without_allocating() {
    let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
    let name = StreamName::new("test").unwrap();
    let mut publication = hub.publish(name.clone(), Peer::new("TEST", "publisher")).unwrap();
    let mut lane = publication.add_packets(h264()).unwrap();
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
    let mut outbox = Outbox::new(socket, counters.clone(), Rc::new(Notify::new()));
    let mut deliver = |frame: u64| {
        for part in 0..7 {
            lane.push(Packet {
                sequence: frame * 7 + part,
                timestamp: frame as i64 * 3_000,
                marker: part == 6,
                random_access: frame.is_multiple_of(60) && part == 0,
                orientation: Default::default(),
                payload: vec![0; if part == 6 { 300 } else { 1_172 }].into(),
            });
        }
        // Between two reports: those are a few a minute, and may allocate.
        let now = start + Duration::from_millis(frame / 10);
        let before = ALLOCATIONS.get();
        let mut around = Surroundings { outbox: &mut outbox, counters: &counters, now };
        assert!(viewer.deliver(&mut around).is_none_or(|result| result.is_ok()));
        outbox.flush();
        ALLOCATIONS.get() - before
    };
    (0..20).for_each(|frame| {
        deliver(frame);
    });
    let allocations: u64 = (20..400).map(deliver).sum();
    assert_eq!(allocations, 0);
    assert_eq!(counters.read().packets, 400 * 7);
    assert!(counters.read().bursts <= 400 * 2, "a frame leaves in one call");
}
