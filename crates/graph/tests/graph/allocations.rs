//! Reading allocates nothing, per packet and viewer.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use headwater_graph::{Bell, Join, LaneOptions, Next, lane};
use headwater_media::{Codec, Packet};

use crate::support::video;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
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

#[test]
fn thousand_viewers_read_without_allocating() {
    let (mut writer, lane) = lane::<Packet>(LaneOptions::default());
    writer.set_parameters(video(Codec::H264));
    let bell = Bell::new();
    let mut cursors: Vec<_> = (0..1_000).map(|_| lane.cursor(&bell, Join::NewestGroup)).collect();
    let mut read = 0u64;
    let mut count_reading = |from: u64, to: u64| {
        for sequence in from..to {
            writer.push(Packet {
                sequence,
                timestamp: (sequence / 7 * 3_000) as i64,
                marker: sequence % 7 == 6,
                random_access: sequence % 210 == 0,
                orientation: Default::default(),
                payload: vec![0; 1_172].into(),
            });
        }
        writer.ring();
        let before = ALLOCATIONS.get();
        assert!(bell.take());
        for cursor in &mut cursors {
            loop {
                match cursor.next() {
                    Next::Item(packet) => read += packet.payload.len() as u64,
                    Next::Parameters(_) => {}
                    _ => break,
                }
            }
        }
        ALLOCATIONS.get() - before
    };
    // The first look at the directory lets arc-swap set up its thread-local state.
    count_reading(0, 70);
    let allocations = (10..200).map(|frame| count_reading(frame * 7, frame * 7 + 7)).sum::<u64>();
    assert_eq!(allocations, 0, "reading must not allocate");
    assert_eq!(read, 1_000 * 200 * 7 * 1_172);
}
