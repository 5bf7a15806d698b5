//! What a shard owns.

use std::{
    collections::HashMap,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_graph::Bell;
use slab::Slab;
use smallvec::SmallVec;
use tokio::sync::{Notify, mpsc};

use crate::{
    Fragment, RenditionChoice,
    call::random_text,
    egress::{Carrier, Common, Remote},
    participant::Participant,
    prefetch::prefetch,
    sdp::{self, Candidates, IceCredentials},
    session::{Ended, Place, Progress},
    statistics::Counters,
    viewer::Surroundings,
};

use super::{
    Command, Outbox, Plan, rest,
    sorting::Sorting,
    timers::{Deadline, Timers},
};

/// Viewers, and how they are found.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) common: Common,
    pub(super) local: SocketAddr,
    pub(super) candidates: Candidates,
    pub(super) commands: mpsc::WeakSender<Command>,
    pub(super) outbox: Outbox,
    pub(super) counters: Arc<Counters>,
    pub(super) coalescing_window: Duration,
    pub(super) seats: Slab<Seat>,
    pub(super) by_fragment: HashMap<String, usize>,
    pub(super) by_remote: HashMap<Remote, usize>,
    /// What other shards are told of those addresses.
    pub(super) sorting: Sorting,
    /// Those who watch a stream, by its address in memory.
    pub(super) feeds: HashMap<usize, Feed>,
    /// Publishers that have brought something since the last [`Core::settle`].
    unrung: Vec<usize>,
    pub(super) next_serial: u64,
    timers: Timers,
    hurry: Rc<Notify>,
}

/// A viewer or publisher with what the shard knows of it.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) participant: Participant,
    pub(super) serial: u64,
    pub(super) fragment: String,
    /// Of a viewer: the feed that it is served from.
    pub(super) feed: Option<usize>,
    pub(super) first_section: Option<(String, String)>,
    pub(super) deadline: Deadline,
    pub(super) progress: Progress,
    /// Bytes sent that nobody has been told of.
    pub(super) unsaid: u64,
}

impl Seat {
    /// Counts what has been sent, for those who ask about viewers.
    fn say_sent(&mut self, has_media: bool) {
        self.participant.count_sent(std::mem::take(&mut self.unsaid), has_media);
    }
}

/// Those who watch one stream, and the bell that its lanes ring for them.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) bell: Bell,
    pub(super) viewers: Vec<usize>,
}

/// How far a stream's viewers have been served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Those from here on have not.
    More { from: usize },
    /// All have.
    Done,
    /// There are none any more.
    NobodyLeft,
}

/// Bytes that a viewer may have been sent without anybody being told.
///
/// The count is in memory that other threads read: to write it at each packet costs a wait for it.
const UNSAID_BYTES_MAX: u64 = 256 << 10;

impl Core {
    pub(super) fn new(
        plan: Plan,
        local: SocketAddr,
        candidates: Candidates,
        outbox: Outbox,
        hurry: Rc<Notify>,
    ) -> Core {
        Core {
            common: plan.common,
            local,
            candidates,
            commands: plan.own_commands,
            outbox,
            counters: plan.counters,
            coalescing_window: plan.coalescing_window,
            seats: Slab::new(),
            by_fragment: HashMap::new(),
            by_remote: HashMap::new(),
            sorting: plan.sorting,
            feeds: HashMap::new(),
            unrung: Vec::new(),
            next_serial: 0,
            timers: Timers::new(super::now()),
            hurry,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Runs the viewers whose time has come. Says whether that are all of them.
    pub(super) fn run_due(&mut self, now: Instant, at_most: usize) -> bool {
        let mut all = false;
        for _ in 0..at_most {
            let Some((place, entry)) = self.timers.pop(now) else {
                all = true;
                break;
            };
            let Some(seat) = self.seats.get_mut(place.index).filter(|seat| seat.serial == place.serial) else {
                continue;
            };
            match seat.deadline.is_due(entry, now) {
                Ok(()) => self.with(place.index, now, |participant, around| Some(participant.run(around))),
                Err(Some(later)) => self.set_deadline(place.index, later, now),
                Err(None) => {}
            }
        }
        self.outbox.flush();
        all
    }

    /// To be called when a batch of datagrams has been taken: tells viewers of what publishers have brought, once for
    /// all of it, and sends what has been gathered.
    pub(super) fn settle(&mut self, now: Instant) {
        if !self.unrung.is_empty() {
            self.sorting.rest().wake(now, rest::AFTER_MEDIA);
        }
        for index in self.unrung.drain(..) {
            if let Some(seat) = self.seats.get_mut(index) {
                seat.participant.ring(now);
            }
        }
        self.outbox.flush();
    }

    /// Notes that a publisher may have brought something.
    pub(super) fn note_arrival(&mut self, index: usize) {
        let is_publisher = self.seats.get(index).is_some_and(|seat| seat.participant.is_publisher());
        if is_publisher && self.unrung.last() != Some(&index) {
            self.unrung.push(index);
        }
    }

    /// Serves some of a stream's viewers, from one position on.
    pub(super) fn deliver(&mut self, stream: usize, from: usize, at_most: usize, now: Instant) -> Delivery {
        let Some(feed) = self.feeds.get(&stream) else {
            return Delivery::NobodyLeft;
        };
        self.sorting.rest().wake(now, rest::AFTER_MEDIA);
        let before = feed.viewers.len();
        let turn: SmallVec<[usize; super::VIEWERS_PER_TURN]> =
            feed.viewers.iter().skip(from).take(at_most).copied().collect();
        for (place, index) in turn.iter().enumerate() {
            // The kernel has the word for most of a viewer's turn: time enough to fetch what the next ones need. Where
            // the rest of it lies is read from the seat, so that has to be there already.
            if let Some(after_next) = turn.get(place + 2).and_then(|index| self.seats.get(*index)) {
                prefetch(after_next);
            }
            if let Some(next) = turn.get(place + 1).and_then(|index| self.seats.get(*index)) {
                next.participant.prefetch();
                if next.unsaid > UNSAID_BYTES_MAX / 8 * 7 {
                    next.participant.prefetch_count();
                }
            }
            self.with(*index, now, Participant::deliver);
        }
        self.outbox.flush();
        // Viewers that have ended have given their positions to the last ones, which are to be served then.
        let after = self.feeds.get(&stream).map_or(0, |feed| feed.viewers.len());
        let next = (from + turn.len()).saturating_sub(before.saturating_sub(after));
        if next < after { Delivery::More { from: next } } else { Delivery::Done }
    }

    /// Sends what the socket did not take before. Says whether all of it is gone.
    pub(super) fn send_rest(&mut self) -> bool {
        self.outbox.resume()
    }

    /// Lets a session do something, and does what follows from it: a new deadline, or the end.
    ///
    /// A panic ends this session and no other.
    pub(super) fn with(
        &mut self,
        index: usize,
        now: Instant,
        act: impl FnOnce(&mut Participant, &mut Surroundings<'_>) -> Option<Result<Instant, Ended>>,
    ) {
        let Some(seat) = self.seats.get_mut(index) else {
            return;
        };
        let (bytes_before, packets_before) = (self.counters.bytes.get(), self.counters.packets.get());
        let mut around = Surroundings { outbox: &mut self.outbox, counters: &self.counters, now };
        let result = catch_unwind(AssertUnwindSafe(|| act(&mut seat.participant, &mut around)));
        let sent = self.counters.bytes.get().wrapping_sub(bytes_before);
        let has_sent = self.counters.packets.get() != packets_before;
        seat.unsaid += sent;
        // Whoever asks is told soon enough, and the first media at once.
        if seat.unsaid > UNSAID_BYTES_MAX || (seat.unsaid > 0 && !(has_sent && seat.progress.flows())) {
            seat.say_sent(has_sent);
        }
        if !seat.progress.flows() {
            seat.progress.note(seat.participant.is_connected(), has_sent || seat.participant.is_ready());
        }
        match result {
            Ok(None) => {}
            Ok(Some(Ok(next))) => self.set_deadline(index, next, now),
            Ok(Some(Err(ended))) => self.remove(index, ended, now),
            Err(_) => {
                self.counters.bugs.add(1);
                self.remove(index, Ended::Bug, now);
            }
        }
    }

    /// Runs a session whose bell has rung.
    pub(super) fn wake(&mut self, place: Place, now: Instant) {
        if let Some(index) = self.index(place) {
            self.with(index, now, |participant, around| Some(participant.run(around)));
            self.outbox.flush();
        }
    }

    pub(super) fn set_deadline(&mut self, index: usize, at: Instant, now: Instant) {
        let Some(seat) = self.seats.get_mut(index) else {
            return;
        };
        let place = Place { index, serial: seat.serial };
        if self.timers.set(place, &mut seat.deadline, at, now) {
            self.hurry.notify_one();
        }
    }

    pub(super) fn index(&self, place: Place) -> Option<usize> {
        let seat = self.seats.get(place.index)?;
        (seat.serial == place.serial).then_some(place.index)
    }

    /// Begins ICE anew for a session; yields the fragment that answers the peer.
    pub(super) fn restart_ice(&mut self, place: Place, fragment: &Fragment, now: Instant) -> Option<String> {
        self.sorting.rest().wake(now, rest::FOR_A_SESSION);
        let index = self.index(place)?;
        let local = self.new_credentials();
        let seat = self.seats.get_mut(index)?;
        seat.participant.restart_ice(&local, &fragment.ice);
        self.by_fragment.remove(&seat.fragment);
        seat.fragment = local.fragment.clone();
        self.by_fragment.insert(local.fragment.clone(), index);
        let section = seat.first_section.as_ref().map(|(name, mid)| (name.as_str(), mid.as_str()));
        Some(sdp::write_fragment(&local, &self.candidates, section))
    }

    /// Credentials whose fragment no session of this shard has.
    pub(super) fn new_credentials(&self) -> IceCredentials {
        loop {
            let credentials =
                IceCredentials { fragment: self.sorting.mark() + &random_text(8), password: random_text(32) };
            if !self.by_fragment.contains_key(&credentials.fragment) {
                return credentials;
            }
        }
    }

    /// Gives a viewer another rendition, if it is still there.
    pub(super) fn choose(&mut self, place: Place, choice: RenditionChoice, now: Instant) {
        if let Some(index) = self.index(place)
            && let Some(Seat { participant: Participant::Viewer(viewer), .. }) = self.seats.get_mut(index)
        {
            viewer.choose(choice, now);
        }
    }

    /// Ends a session, if it is still there.
    pub(super) fn end(&mut self, place: Place, ended: Ended, now: Instant) {
        if let Some(index) = self.index(place) {
            self.remove(index, ended, now);
            self.outbox.flush();
        }
    }

    pub(super) fn end_all(&mut self, now: Instant) {
        let all: Vec<usize> = self.seats.iter().map(|(index, _)| index).collect();
        for index in all {
            self.remove(index, Ended::Stopping, now);
        }
        self.outbox.flush();
    }

    /// Takes a session out, with everything that leads to it.
    fn remove(&mut self, index: usize, ended: Ended, now: Instant) {
        let Some(mut seat) = self.seats.try_remove(index) else {
            return;
        };
        self.by_fragment.remove(&seat.fragment);
        if let Some(stream) = seat.feed
            && let Some(feed) = self.feeds.get_mut(&stream)
        {
            if let Some(position) = feed.viewers.iter().position(|viewer| *viewer == index) {
                feed.viewers.swap_remove(position);
            }
            if feed.viewers.is_empty() {
                // Its task sees that nobody is left, and ends.
                feed.bell.ring();
                self.feeds.remove(&stream);
            }
        }
        if seat.participant.is_connected() && !matches!(ended, Ended::Bug | Ended::PeerLeft) {
            let mut around = Surroundings { outbox: &mut self.outbox, counters: &self.counters, now };
            let _ = catch_unwind(AssertUnwindSafe(|| seat.participant.say_farewell(&mut around)));
        }
        for remote in seat.participant.remotes() {
            self.forget_remote(remote, index);
            self.outbox.close_connection(remote);
        }
        seat.say_sent(seat.progress.flows());
        self.counters.sessions.set(self.seats.len() as u64);
        let Seat { participant, progress, .. } = seat;
        let (stream, session) = (participant.stream(), participant.session());
        tracing::info!(%stream, session, reason = %ended, "a WebRTC session has ended");
        // Whoever waits for the end finds nothing left of the session.
        participant.leave(&ended);
        progress.end(ended);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty() && self.by_fragment.is_empty() && self.by_remote.is_empty() && self.feeds.is_empty()
    }

    #[cfg(test)]
    pub(super) fn pretend_connected(&mut self, place: Place) {
        self.seats[place.index].participant.pretend_connected();
    }

    pub(super) fn forget_remote(&mut self, remote: Remote, of: usize) {
        if self.by_remote.get(&remote) == Some(&of) {
            self.by_remote.remove(&remote);
            if remote.carrier == Carrier::Udp {
                self.sorting.forget(remote.address);
            }
        }
    }
}
