//! A convoy allocates nothing per player and burst.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{CHUNK, Newcomer, Rig, Route, run_until_idle};
use crate::{
    convoy::{door::Door, task::Convoy},
    from_stream::TracksRead,
    outbox::Outbox,
};

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

#[tokio::test]
async fn hundreds_of_players_are_written_to_without_allocating() {
    let mut rig = Rig::new();
    let stream = rig.publication.stream().clone();
    let route = Route { stream, chunk_size: CHUNK, message_stream: 1, enhanced: true, tracks: TracksRead::Of(1) };
    let door = Arc::new(Door::new(route));
    let mut task = Box::pin(Convoy::new(&rig.context, door.clone()).run());
    let mut stays = Vec::new();
    let mut players = rig.players(300).await;
    for player in &mut players {
        player.read();
        player.socket.forgets.store(true, Relaxed);
        let (viewer, bell) = (player.from.subscription().viewer().clone(), player.from.bell().clone());
        let outbox = std::mem::replace(&mut player.outbox, Outbox::new(CHUNK, 1));
        stays.push(door.enter(Newcomer::new(player.socket.clone(), viewer, bell, player.from.lend(), outbox)));
    }
    run_until_idle(&mut task);
    assert_eq!(rig.together(), 300);
    let mut count_writing = |bursts: i64| {
        let mut allocations = 0;
        for _ in 0..bursts {
            rig.push(1);
            let before = ALLOCATIONS.get();
            run_until_idle(&mut task);
            allocations += ALLOCATIONS.get() - before;
        }
        allocations
    };
    // The buffer grows until it holds a burst.
    count_writing(100);
    assert_eq!(count_writing(300), 0);
    assert_eq!(rig.together(), 300, "all are still in step");
    let frames = rig.context.counters().frames_sent.load(Relaxed);
    assert!(frames >= 300 * 400, "and were sent {frames} frames");
    drop(stays);
}
