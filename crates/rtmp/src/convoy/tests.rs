//! The convoy's task driven by hand, with sockets that take what they are told to.

mod allocations;

use std::{
    future::Future,
    io::{self, ErrorKind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context as TaskContext, Poll, Waker},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use headwater_graph::{Hub, HubOptions, LaneWriter, Peer, Publication};
use headwater_media::{ClockRate, Codec, Format, Frame, StreamName, TrackParameters, VideoFormat};
use headwater_net::TokioEnvironment;
use parking_lot::Mutex;

use super::{Newcomer, Outlet, Returned, Route, Stay, door::PLAYERS_MAX, join};
use crate::{
    config::RtmpConfig,
    context::Context,
    error::RtmpError,
    from_stream::FromStream,
    outbox::Outbox,
    wire::{ChunkReader, Message},
};

const CHUNK: u32 = 4_096;

/// A socket that takes a number of bytes.
#[derive(Default)]
struct Socket {
    taken: Mutex<BytesMut>,
    room: AtomicUsize,
    forgets: AtomicBool,
    panics: AtomicBool,
}

impl Outlet for Socket {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.panics.load(Relaxed), "as the test wants it");
        let count = bytes.len().min(self.room.load(Relaxed));
        self.room.fetch_sub(count, Relaxed);
        if !self.forgets.load(Relaxed) {
            self.taken.lock().extend_from_slice(&bytes[..count]);
        }
        if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }
}

struct Rig {
    context: Context,
    publication: Publication,
    lane: LaneWriter<Frame>,
    pushed: i64,
}

impl Rig {
    fn new() -> Rig {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        let mut publication = hub.publish(StreamName::new("x").unwrap(), Peer::new("test", "1")).unwrap();
        let lane = publication.add_frames(parameters(0)).unwrap();
        publication.ready();
        let mut rig = Rig { context: Context::new(hub, RtmpConfig::default()), publication, lane, pushed: 0 };
        rig.push(1);
        rig
    }

    /// Pushes so many frames of 500 bytes, 40 ms apart, each in a burst of its own.
    fn push(&mut self, count: i64) {
        for _ in 0..count {
            let (number, size) = (self.pushed, 500);
            self.push_at(number * 40, number % 50 == 0, size);
        }
    }

    fn push_at(&mut self, ms: i64, random_access: bool, size: usize) {
        let data = Bytes::from(vec![self.pushed as u8; size]);
        self.lane.push(Frame { dts: ms * 90, pts: ms * 90, random_access, data });
        self.lane.ring();
        self.pushed += 1;
    }

    async fn player(&self) -> Player {
        let peer = Peer::new("test", "2");
        let subscription = self.context.hub().subscribe(self.publication.stream().name(), peer);
        let subscription = subscription.await.unwrap();
        let socket = Arc::new(Socket { room: AtomicUsize::new(usize::MAX / 2), ..Socket::default() });
        let from = FromStream::new(self.context.clone(), subscription, self.context.bell(), true);
        let outbox = Outbox::new(CHUNK, 1);
        Player { context: self.context.clone(), from, outbox, socket, stay: None }
    }

    async fn players(&self, count: usize) -> Vec<Player> {
        let mut players = Vec::new();
        for _ in 0..count {
            players.push(self.player().await);
        }
        players
    }

    fn together(&self) -> u64 {
        self.context.counters().together.load(Relaxed)
    }
}

/// What a player's session does, step by step.
struct Player {
    context: Context,
    from: FromStream,
    outbox: Outbox,
    socket: Arc<Socket>,
    stay: Option<Stay>,
}

impl Player {
    /// Reads all there is, and writes it however full the socket is.
    fn read(&mut self) {
        loop {
            let more = self.from.read(&mut self.outbox);
            while self.outbox.pending() > 0 {
                let mut slices = [io::IoSlice::new(&[]); 4];
                let count = self.outbox.slices(&mut slices);
                let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                self.socket.taken.lock().extend_from_slice(&bytes);
                self.outbox.advance(bytes.len());
            }
            if !more {
                return;
            }
        }
    }

    fn enter(&mut self) {
        let subscription = self.from.subscription();
        let route = Route {
            stream: subscription.stream().clone(),
            chunk_size: CHUNK,
            message_stream: 1,
            enhanced: true,
            tracks: self.from.tracks().unwrap(),
        };
        let (viewer, bell) = (subscription.viewer().clone(), self.from.bell().clone());
        let outbox = std::mem::replace(&mut self.outbox, Outbox::new(CHUNK, 1));
        let newcomer = Newcomer::new(self.socket.clone(), viewer, bell, self.from.lend(), outbox);
        self.stay = Some(join(&self.context, route, newcomer));
    }

    fn is_home(&mut self) -> bool {
        let mut cx = TaskContext::from_waker(Waker::noop());
        match self.stay.as_mut().map(|stay| stay.poll_home(&mut cx)) {
            Some(Poll::Ready(returned)) => {
                self.come_home(returned.unwrap());
                true
            }
            _ => false,
        }
    }

    fn come_home(&mut self, returned: Returned) {
        self.stay = None;
        self.from.take_back(returned.readings);
        self.outbox = returned.outbox;
    }

    fn messages(&self) -> Vec<Message> {
        let mut reader = ChunkReader::new();
        reader.set_chunk_size(CHUNK).unwrap();
        let mut data = self.socket.taken.lock().clone();
        let messages = std::iter::from_fn(|| reader.read(&mut data, Instant::now()).unwrap()).collect();
        assert!(data.is_empty(), "no message is torn");
        messages
    }

    /// Timestamp and size of every frame.
    fn frames(&self) -> Vec<(u32, usize)> {
        let media = self.messages().into_iter().filter(|message| message.payload.get(1) == Some(&1));
        media.map(|message| (message.timestamp, message.payload.len() - 5)).collect()
    }
}

fn parameters(change: u8) -> TrackParameters {
    let format = Format::Video(VideoFormat::default());
    let config = Bytes::from(vec![1, 0x64, 0, 0x1e, 0xff, change]);
    TrackParameters { codec: Codec::H264, clock_rate: ClockRate::VIDEO, format, config }
}

/// Lets the convoys' tasks run until they have nothing to do.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn steady(from: u32, to: u32) -> Vec<(u32, usize)> {
    (from..to).map(|at| (at * 40, 500)).collect()
}

#[tokio::test]
async fn a_socket_that_takes_less_goes_home_with_the_rest_and_comes_back() {
    for room in [0, 1, 700, 1_023] {
        let mut rig = Rig::new();
        let (mut fast, mut slow) = (rig.player().await, rig.player().await);
        for player in [&mut fast, &mut slow] {
            player.read();
            player.enter();
        }
        settle().await;
        assert_eq!(rig.together(), 2);
        slow.socket.room.store(room, Relaxed);
        for _ in 0..3 {
            rig.push(1);
            settle().await;
        }
        assert_eq!(rig.together(), 1, "room for {room}");
        assert!(slow.is_home() && !fast.is_home());
        slow.read();
        slow.socket.room.store(usize::MAX / 2, Relaxed);
        slow.enter();
        rig.push(3);
        settle().await;
        assert_eq!(rig.together(), 2, "it is back");
        assert_eq!(fast.frames(), steady(0, 7));
        assert_eq!(slow.frames(), steady(0, 7), "room for {room}");
    }
}

#[tokio::test]
async fn who_comes_later_keeps_its_own_clock_in_the_convoy_and_after_it() {
    let mut rig = Rig::new();
    let mut first = rig.player().await;
    first.read();
    first.enter();
    for _ in 1..55 {
        rig.push(1);
        settle().await;
    }
    let mut late = rig.player().await;
    late.read();
    late.enter();
    rig.push(2);
    settle().await;
    assert_eq!(rig.together(), 2);
    rig.push(2);
    settle().await;
    late.stay.as_ref().unwrap().ask_to_leave();
    settle().await;
    assert!(late.is_home());
    rig.push(2);
    late.read();
    settle().await;
    assert_eq!(late.frames(), steady(0, 11), "from the group of frame 50");
    assert_eq!(first.frames(), steady(0, 61));
}

#[tokio::test]
async fn a_step_too_long_for_its_field_and_new_parameters_are_told_by_each_player_itself() {
    let mut rig = Rig::new();
    let mut players = [rig.player().await, rig.player().await];
    for player in &mut players {
        player.read();
        player.enter();
    }
    settle().await;
    rig.push(1);
    settle().await;
    rig.push_at(0x1_000_000 + 40, false, 500);
    settle().await;
    assert_eq!(rig.together(), 0);
    for player in &mut players {
        assert!(player.is_home());
        player.read();
        player.enter();
    }
    settle().await;
    rig.lane.set_parameters(parameters(7));
    rig.push_at(0x1_000_000 + 80, true, 500);
    settle().await;
    assert_eq!(rig.together(), 0);
    for player in &mut players {
        assert!(player.is_home());
        player.read();
        assert_eq!(player.frames()[1..], [(40, 500), (0x1_000_028, 500), (0x1_000_050, 500)]);
        let configs = player.messages().into_iter().filter(|message| message.payload.get(..2) == Some(&[0x17, 0]));
        assert_eq!(configs.map(|message| message.payload[message.payload.len() - 1]).collect::<Vec<_>>(), [0, 7]);
    }
}

#[tokio::test]
async fn who_does_not_fit_is_sent_home_as_it_came() {
    let mut rig = Rig::new();
    let mut first = rig.player().await;
    first.read();
    first.enter();
    settle().await;
    // It has been sent nothing, so a step from the frame before would mean nothing to it.
    let mut unprepared = rig.player().await;
    unprepared.enter();
    rig.push(1);
    settle().await;
    assert!(unprepared.is_home());
    assert_eq!(rig.together(), 1);
    unprepared.read();
    assert_eq!(unprepared.frames(), steady(0, 2));
}

#[tokio::test]
async fn a_panic_ends_the_players_of_one_convoy_and_leaves_the_others() {
    let mut rig = Rig::new();
    let mut players = rig.players(PLAYERS_MAX + 2).await;
    for player in &mut players {
        player.read();
        player.enter();
    }
    settle().await;
    assert_eq!(rig.together(), PLAYERS_MAX as u64 + 2);
    players[3].socket.panics.store(true, Relaxed);
    rig.push(2);
    settle().await;
    assert_eq!(rig.together(), 2, "the convoy of the last two goes on");
    for player in &mut players[..PLAYERS_MAX] {
        let mut stay = player.stay.take().unwrap();
        let home = std::future::poll_fn(|cx| stay.poll_home(cx)).await;
        assert!(matches!(home, Err(RtmpError::Panicked)));
    }
    assert_eq!(players[PLAYERS_MAX].frames(), steady(0, 3));
    drop(players);
    settle().await;
    assert_eq!((rig.together(), rig.context.convoys().0.lock().len()), (0, 0), "nothing stays");
}

/// Polls a task until it waits for something else than its next turn.
fn run_until_idle(task: &mut Pin<Box<impl Future>>) {
    for _ in 0..PLAYERS_MAX {
        let _ = task.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
    }
}
