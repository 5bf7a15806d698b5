//! The task of a convoy: reads for all its players, and writes to one after the other.

use std::{
    future::poll_fn,
    io::{self, ErrorKind, IoSlice},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

use bytes::Bytes;
use headwater_graph::Bell;

use super::{
    burst::Burst,
    door::Door,
    player::{Member, Newcomer, Outlet, Returned},
};
use crate::{
    context::Context,
    from_stream::{Ahead, Readings, Sink},
    outbox::{Outbox, SLICES_MAX},
    pace::Pace,
};

/// After so many bytes the task lets others have the thread: some milliseconds of writing. Sooner would cost more
/// than it gives, as another thread may then go on with the task, next to those that take the bytes away.
const BYTES_A_TURN: usize = 8 << 20;
/// It does not stop for fewer players than this, however much each is sent.
const PLAYERS_A_TURN_MIN: usize = 16;
/// The bytes of each player are counted where others see them once in so many bursts.
const COUNT_TOGETHER: u32 = 64;

/// The players of a convoy and the one reader that they share.
pub(super) struct Convoy {
    context: Context,
    door: Arc<Door>,
    /// What the lanes ring.
    bell: Bell,
    pace: Pace,
    readings: Readings,
    burst: Burst,
    members: Vec<Member>,
    waiting: Vec<Newcomer>,
    leaving: Vec<u64>,
    /// Bytes sent to each who has been here from the beginning.
    sent: u64,
    bursts: u32,
}

/// Why a burst is not filled further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    /// There is nothing more.
    All,
    /// It is as large as it may be.
    Enough,
    /// What comes next is not the same for all.
    Change,
}

impl Convoy {
    pub(super) fn new(context: &Context, door: Arc<Door>) -> Convoy {
        let merges = !context.config().merge_window().is_zero();
        let route = &door.route;
        Convoy {
            bell: if merges { context.bell() } else { door.bell.clone() },
            pace: Pace::new(context, &route.stream),
            burst: Burst::new(route.chunk_size, route.message_stream),
            context: context.clone(),
            readings: Readings::default(),
            members: Vec::new(),
            waiting: Vec::new(),
            leaving: Vec::new(),
            sent: 0,
            bursts: 0,
            door,
        }
    }

    /// Runs until nobody is left.
    pub(super) async fn run(mut self) {
        loop {
            let due = self.wait().await;
            self.door.take(&mut self.waiting, &mut self.leaving);
            self.let_out();
            if due || self.members.is_empty() {
                self.send_news().await;
                self.let_in();
            }
            if self.members.is_empty() && self.waiting.is_empty() && super::close_if_empty(&self.context, &self.door) {
                return;
            }
        }
    }

    /// Waits for media, for the end of the merge window if there is one, or for those who come and leave. Says
    /// whether it is time to send.
    async fn wait(&mut self) -> bool {
        self.pace.begin();
        let merges = self.pace.has_window();
        poll_fn(|cx| {
            if self.door.bell.poll_rung(cx).is_ready() {
                return Poll::Ready(!merges);
            }
            if merges { self.pace.poll(cx, &self.bell).map(|()| true) } else { Poll::Pending }
        })
        .await
    }

    /// Sends everything that is new.
    async fn send_news(&mut self) {
        while !self.members.is_empty() {
            let (filled, frames) = self.fill();
            self.send(frames).await;
            match filled {
                Filled::Enough => {}
                Filled::All => return,
                Filled::Change => return self.dissolve(),
            }
        }
    }

    /// Writes what is new into the burst; says how many frames that are.
    fn fill(&mut self) -> (Filled, u64) {
        let mut frames = 0;
        let route = &self.door.route;
        if !route.tracks.are_all_of(&route.stream) {
            return (Filled::Change, frames);
        }
        if let Some(limit) = self.readings.limit_passed() {
            limit.hit();
            let skipped = self.readings.skip_to_newest_group();
            self.context.counters().frames_skipped.fetch_add(self.times_players(skipped), Relaxed);
        }
        while !self.burst.is_full() {
            match self.readings.ahead() {
                Some(Ahead::Frame { index, time }) if Burst::takes(self.readings.step(index, time)) => {
                    frames += self.readings.read_frame(index, time, &mut self.burst);
                }
                Some(_) => return (Filled::Change, frames),
                None => return (Filled::All, frames),
            }
        }
        (Filled::Enough, frames)
    }

    /// Writes the burst to each player. Whose socket does not take all of it goes home with the rest.
    async fn send(&mut self, frames: u64) {
        let bytes = self.burst.take();
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len() as u64;
        self.context.counters().frames_sent.fetch_add(self.times_players(frames), Relaxed);
        let players_a_turn = (BYTES_A_TURN / bytes.len()).max(PLAYERS_A_TURN_MIN);
        let (mut index, mut turns, mut sent) = (0, 0_usize, 0);
        while index < self.members.len() {
            turns += 1;
            if turns.is_multiple_of(players_a_turn) {
                tokio::task::yield_now().await;
            }
            match self.members.get(index).map_or(Ok(0), |member| write(&*member.outlet, &bytes)) {
                Ok(count) if count == bytes.len() => {
                    sent += length;
                    index += 1;
                }
                result => {
                    let (count, broken) = result.map_or_else(|error| (0, Some(error)), |count| (count, None));
                    sent += count as u64;
                    let member = self.members.swap_remove(index);
                    member.viewer.count_sent(count as u64);
                    self.send_home(member, bytes.slice(count.min(bytes.len())..), broken);
                }
            }
        }
        self.sent += length;
        self.count(sent);
    }

    fn count(&mut self, sent: u64) {
        self.context.counters().bytes_sent.fetch_add(sent, Relaxed);
        self.bursts = self.bursts.wrapping_add(1);
        if self.bursts.is_multiple_of(COUNT_TOGETHER) {
            self.members.iter_mut().for_each(|member| member.count(self.sent));
        }
    }

    /// What comes next has to be told to each player in its own way: all go home, and come back when they have.
    fn dissolve(&mut self) {
        while let Some(member) = self.members.pop() {
            self.send_home(member, Bytes::new(), None);
        }
    }

    fn send_home(&self, mut member: Member, rest: Bytes, broken: Option<io::Error>) {
        self.context.counters().together.fetch_sub(1, Relaxed);
        member.count(self.sent);
        self.door.count_gone(1);
        if member.way_home.is_closed() {
            return;
        }
        let mut readings = self.readings.fork(&member.bell);
        readings.set_zero(member.zero);
        let route = &self.door.route;
        let outbox = Outbox::resume(route.chunk_size, route.message_stream, readings.timestamps(), rest);
        // Who does not wait for it has left for good.
        let _ = member.way_home.send(Returned { readings, outbox, travelled: true, broken });
    }

    /// Lets those go who have asked to.
    fn let_out(&mut self) {
        while let Some(id) = self.leaving.pop() {
            if let Some(index) = self.members.iter().position(|member| member.id == id) {
                let member = self.members.swap_remove(index);
                self.send_home(member, Bytes::new(), None);
            } else if let Some(index) = self.waiting.iter().position(|newcomer| newcomer.id == id) {
                let newcomer = self.waiting.swap_remove(index);
                self.turn_away(newcomer);
            }
        }
    }

    /// Lets in those who have come, as far as they fit. The first of all says where the convoy stands; who stands
    /// further on waits until the convoy comes there.
    fn let_in(&mut self) {
        let mut ahead = Vec::new();
        while let Some(mut newcomer) = self.waiting.pop() {
            if self.members.is_empty() {
                self.readings = newcomer.readings.fork(&self.bell);
                self.burst.begin(self.readings.timestamps());
            }
            if newcomer.readings.is_ahead_of(&self.readings) {
                ahead.push(newcomer);
            } else if !self.catch_up(&mut newcomer) {
                self.turn_away(newcomer);
            } else if let Some(member) = newcomer.into_member(self.sent) {
                self.members.push(member);
                self.context.counters().together.fetch_add(1, Relaxed);
            }
        }
        self.waiting.append(&mut ahead);
    }

    /// Sends a newcomer what the convoy has read meanwhile. Says whether it is in step then.
    fn catch_up(&self, newcomer: &mut Newcomer) -> bool {
        let frames = newcomer.readings.read_up_to(&self.readings, &mut newcomer.outbox);
        let sent = write_out(newcomer);
        newcomer.viewer.count_sent(sent);
        let counters = self.context.counters();
        counters.frames_sent.fetch_add(frames, Relaxed);
        counters.bytes_sent.fetch_add(sent, Relaxed);
        newcomer.outbox.pending() == 0
            && newcomer.readings.is_in_step_with(&self.readings)
            && newcomer.readings.timestamps().all(|(kind, time)| newcomer.outbox.has_come_to(kind, time))
    }

    fn turn_away(&self, newcomer: Newcomer) {
        self.door.count_gone(1);
        newcomer.go_home();
    }

    fn times_players(&self, count: u64) -> u64 {
        count.saturating_mul(self.members.len() as u64)
    }
}

impl Drop for Convoy {
    fn drop(&mut self) {
        self.context.counters().together.fetch_sub(self.members.len() as u64, Relaxed);
        super::close(&self.context, &self.door);
    }
}

/// Writes without waiting; nothing is taken where waiting would be needed.
fn write(outlet: &dyn Outlet, bytes: &[u8]) -> io::Result<usize> {
    match outlet.try_write(bytes) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        result => result,
    }
}

/// Writes as much of a newcomer's outbox as is taken at once; says how many bytes that were. If its connection is
/// broken, its own task finds that out.
fn write_out(newcomer: &mut Newcomer) -> u64 {
    let mut sent = 0;
    while newcomer.outbox.pending() > 0 {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = newcomer.outbox.slices(&mut slices);
        let gathered: Vec<u8> = slices.iter().take(count).flat_map(|slice| slice.iter().copied()).collect();
        let taken = write(&*newcomer.outlet, &gathered).unwrap_or(0);
        newcomer.outbox.advance(taken);
        sent += taken as u64;
        if taken < gathered.len() {
            break;
        }
    }
    sent
}
