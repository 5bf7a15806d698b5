//! One viewer: a session's transport, fed from the cursors of its media.

mod choice;
mod flow;
mod ladder;
mod outlet;
mod pictures;
mod rungs;
#[cfg(test)]
pub(crate) mod tests;

use std::{net::IpAddr, sync::Arc, time::Instant};

use headwater_graph::{Bell, Subscription};
use headwater_media::{
    TrackKind,
    limits::{self, Limit},
};
use headwater_net::Permit;
use is::stun::StunMessage;
use smallvec::SmallVec;

use crate::{
    egress::{Check, Egress, EgressError, Notice, Path, Remote},
    prefetch::prefetch,
    sdp::IceCredentials,
    session::Ended,
    shard::Outbox,
    statistics::Counters,
};

pub use choice::RenditionChoice;
use choice::{Chooser, Move};
use flow::CaptureClock;
use ladder::Held;
pub(crate) use outlet::Outlet;
use outlet::{Reading, Recalled};
use rungs::Rungs;

/// How far back packets are looked for that a probe may send again.
const PROBE_PACKETS_MAX: u64 = 128;

/// One viewer.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// Dropped before the subscription, so that nothing is read of a stream that has been left.
    outlets: Vec<Outlet>,
    egress: Egress,
    subscription: Subscription,
    bell: Bell,
    clock: CaptureClock,
    /// From where the peer has proved itself.
    paths: Vec<Path>,
    heard: Instant,
    created: Instant,
    /// When to look at the renditions again.
    look_at: Instant,
    selection: Box<Selection>,
    /// Held until the peer has proved itself.
    pending: Option<Permit>,
}

/// Which rendition of the picture it gets, and why.
#[derive(Debug)]
struct Selection {
    choice: RenditionChoice,
    rungs: Rungs,
    chooser: Chooser,
    /// Of a server that takes all renditions.
    held: Held,
}

/// What a viewer works with and does not own.
pub(crate) struct Surroundings<'a> {
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) counters: &'a Counters,
    pub(crate) now: Instant,
}

impl Viewer {
    pub(crate) fn new(
        egress: Egress,
        outlets: Vec<Outlet>,
        subscription: Subscription,
        bell: Bell,
        pending: Permit,
        now: Instant,
    ) -> Viewer {
        let clock = CaptureClock::new(subscription.stream().epoch());
        Viewer {
            outlets,
            egress,
            subscription,
            bell,
            clock,
            paths: Vec::new(),
            heard: now,
            created: now,
            look_at: now + choice::INTERVAL_IDLE,
            selection: Box::new(Selection {
                choice: RenditionChoice::Auto,
                rungs: Rungs::default(),
                chooser: Chooser::new(now),
                held: Held::default(),
            }),
            pending: Some(pending),
        }
    }

    /// The message as a check by the peer, if it is one.
    pub(crate) fn prove<'a>(&self, message: &'a StunMessage<'a>) -> Option<Check<'a>> {
        self.egress.prove(message)
    }

    /// Remembers a proven address. Yields the one that is forgotten for it, if there are too many.
    pub(crate) fn learn(&mut self, remote: Remote, local: Option<IpAddr>) -> Option<Remote> {
        match self.paths.iter_mut().find(|path| path.remote == remote) {
            Some(path) => {
                path.local = local;
                return None;
            }
            None => self.paths.push(Path { remote, local }),
        }
        if self.paths.len() <= limits::WEBRTC_PATHS.get_usize() {
            return None;
        }
        limits::WEBRTC_PATHS.hit();
        let in_use = self.egress.path().map(|path| path.remote);
        let oldest = self.paths.iter().position(|path| Some(path.remote) != in_use).unwrap_or(0);
        Some(self.paths.remove(oldest).remote)
    }

    /// The addresses from which the peer has proved itself.
    pub(crate) fn remotes(&self) -> impl Iterator<Item = Remote> {
        self.paths.iter().map(|path| path.remote)
    }

    /// Takes a datagram from a proven address.
    pub(crate) fn receive(
        &mut self,
        from: Remote,
        datagram: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Result<Instant, Ended> {
        let path = self.path_of(from);
        let mut notices = Vec::new();
        let is_heard = self.egress.receive(path, datagram, around.now, around.outbox, &mut notices);
        self.note(is_heard, &notices, around)
    }

    /// Answers a check by the peer.
    pub(crate) fn answer(
        &mut self,
        from: Remote,
        check: &Check<'_>,
        around: &mut Surroundings<'_>,
    ) -> Result<Instant, Ended> {
        let path = self.path_of(from);
        let mut notices = Vec::new();
        let is_heard = self.egress.answer(path, check, around.outbox, &mut notices);
        self.note(is_heard, &notices, around)
    }

    fn path_of(&self, remote: Remote) -> Path {
        let path = self.paths.iter().find(|path| path.remote == remote).copied();
        path.unwrap_or(Path { remote, local: None })
    }

    /// Does what follows from a datagram. Says when to run again.
    fn note(
        &mut self,
        is_heard: Result<bool, EgressError>,
        notices: &[Notice],
        around: &mut Surroundings<'_>,
    ) -> Result<Instant, Ended> {
        if is_heard.map_err(failed)? {
            self.heard = around.now;
        }
        self.heed(notices, around)?;
        Ok(self.deadline())
    }

    /// Sends what is new and does what is due. Says when to run again, or why the session is over.
    pub(crate) fn run(&mut self, around: &mut Surroundings<'_>) -> Result<Instant, Ended> {
        self.check_life(around.now)?;
        self.read(around);
        let mut notices = Vec::new();
        self.egress.advance(around.now, around.outbox, &mut notices).map_err(failed)?;
        self.heed(&notices, around)?;
        Ok(self.deadline())
    }

    /// Sends what is new. Says when to run again where that may be sooner than before.
    pub(crate) fn deliver(&mut self, around: &mut Surroundings<'_>) -> Option<Result<Instant, Ended>> {
        self.read(around);
        self.outlets.iter().any(|outlet| outlet.due().is_some()).then(|| Ok(self.deadline()))
    }

    /// Has the processor fetch what [`Viewer::deliver`] needs beside the viewer itself.
    #[inline]
    pub(crate) fn prefetch(&self) {
        self.outlets.iter().for_each(prefetch);
        self.egress.prefetch();
    }

    /// Its transport.
    #[inline]
    pub(crate) fn egress(&self) -> &Egress {
        &self.egress
    }

    fn check_life(&self, now: Instant) -> Result<(), Ended> {
        if now < self.expiry() {
            return Ok(());
        }
        if self.pending.is_some() {
            limits::WEBRTC_FIRST_CHECK_MS.hit();
            return Err(Ended::NeverConnected);
        }
        self.patience().hit();
        Err(Ended::Silent)
    }

    fn expiry(&self) -> Instant {
        match self.pending {
            Some(_) => self.created + limits::WEBRTC_FIRST_CHECK_MS.get_duration(),
            None => self.heard + self.patience().get_duration(),
        }
    }

    /// How long the peer may be silent.
    fn patience(&self) -> &'static Limit {
        match self.egress.asks_for_consent() {
            true => &limits::WEBRTC_CALL_SILENCE_MS,
            false => &limits::WEBRTC_CONSENT_MS,
        }
    }

    /// Sends new packets.
    fn read(&mut self, around: &mut Surroundings<'_>) {
        if self.pending.is_some() || self.is_blocked(around) {
            return;
        }
        let mut sent = 0;
        for outlet in &mut self.outlets {
            let reading = outlet.read(&mut self.egress, around.outbox, &mut self.clock, around.now, around.counters);
            match reading {
                Reading::Packets(count) => sent += count,
                Reading::Nothing => {}
                Reading::Ended if self.subscription.has_ended().is_none() => {
                    outlet.reopen(&self.subscription, &self.bell);
                }
                Reading::Ended => {}
            }
        }
        if sent > 0 {
            around.counters.packets.add(sent);
            self.egress.finish(around.now, around.outbox);
            if self.look_at <= around.now {
                self.select(around);
            }
        } else if self.look_at <= around.now && self.takes_renditions() {
            // All that were sent may have ended, and others begun.
            self.select_all(around);
        }
    }

    /// Looks at the renditions that come, and at what the network carries, and goes over to another where that is
    /// better.
    #[cold]
    fn select(&mut self, around: &mut Surroundings<'_>) {
        if self.takes_renditions() {
            return self.select_all(around);
        }
        let Viewer { outlets, egress, subscription, bell, selection, look_at, .. } = self;
        let now = around.now;
        *look_at = now + choice::INTERVAL_IDLE;
        let Some(outlet) = outlets.iter_mut().find(|outlet| outlet.track().kind() == TrackKind::Video) else {
            return;
        };
        let rungs = selection.rungs.look(outlet.track(), now);
        let Some(top) = rungs.len().checked_sub(1) else {
            egress.forget_estimate();
            return outlet.go_over(subscription, None, bell);
        };
        *look_at = now + choice::INTERVAL;
        if let RenditionChoice::Only(label) = &selection.choice {
            let wanted = rungs.iter().find(|rung| rung.rendition.label() == Some(label));
            return outlet.go_over(subscription, wanted.map(|rung| &rung.rendition), bell);
        }
        let rates: SmallVec<[u64; 4]> = rungs.iter().map(|rung| rung.rate).collect();
        let current = match outlet.rendition() {
            None => top,
            Some(current) => {
                let position = rungs.iter().position(|rung| Arc::ptr_eq(&rung.rendition, current));
                position.unwrap_or(rungs.len())
            }
        };
        let estimate = egress.estimator(now).and_then(|estimator| Some((estimator.rate()?, estimator.loss())));
        let Some((carried, loss)) = estimate else {
            return;
        };
        match selection.chooser.decide(&rates, current, carried, now) {
            Move::Stay => {}
            Move::Go(to) => {
                let rung = rungs.get(to).filter(|_| to < top);
                tracing::debug!(carried, loss, rate = rates.get(to), "a viewer goes over to another rendition");
                outlet.go_over(subscription, rung.map(|rung| &rung.rendition), bell);
            }
            Move::Probe(wanted) => {
                let bytes = egress.estimator(now).map_or(0, |estimator| estimator.probe(wanted, now));
                if bytes > 0 {
                    tracing::debug!(carried, wanted, bytes, "it is found out whether a viewer's network carries more");
                    probe(egress, outlet, bytes, around);
                }
            }
        }
    }

    /// Gives the viewer another rendition than its network would choose, or leaves it to that again.
    pub(crate) fn choose(&mut self, choice: RenditionChoice, now: Instant) {
        self.look_at = now;
        self.selection.choice = choice;
        self.selection.chooser = Chooser::new(now);
    }

    /// A viewer over TCP that does not take what it was sent is sent no more until it does.
    fn is_blocked(&self, around: &Surroundings<'_>) -> bool {
        self.egress.path().is_some_and(|path| around.outbox.is_congested(path.remote))
    }

    /// Does what the peer asks for.
    fn heed(&mut self, notices: &[Notice], around: &mut Surroundings<'_>) -> Result<(), Ended> {
        for notice in notices {
            match *notice {
                Notice::Connected => self.connect(around),
                Notice::Closed => return Err(Ended::PeerLeft),
                Notice::KeyFrameWanted { stream } => {
                    around.counters.key_frames_wanted.add(1);
                    if let Some(outlet) = self.outlets.get(stream) {
                        outlet.request_key_frame();
                    }
                }
                Notice::Lost { stream, sequence } => self.send_again(stream, sequence, around),
            }
        }
        Ok(())
    }

    fn send_again(&mut self, stream: usize, sequence: u64, around: &mut Surroundings<'_>) {
        let recalled = self.outlets.get(stream).and_then(|outlet| outlet.recall(sequence));
        let again = recalled.as_ref().map(Recalled::packet);
        if self.egress.resend(stream, again.as_ref(), around.now, around.outbox) {
            around.counters.packets_again.add(1);
        }
    }

    /// The peer has proved to be who the offer says: media begins.
    fn connect(&mut self, around: &mut Surroundings<'_>) {
        self.pending = None;
        self.heard = around.now;
        around.counters.connected.add(1);
        self.outlets.iter_mut().for_each(Outlet::start);
        self.read(around);
    }

    fn deadline(&self) -> Instant {
        let due = self.outlets.iter().filter_map(Outlet::due);
        let expiry = self.expiry();
        due.chain(self.egress.deadline()).min().map_or(expiry, |due| due.min(expiry))
    }

    /// Whether the peer has connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.pending.is_none()
    }

    /// For benches and tests.
    pub(crate) fn pretend_connected(&mut self) {
        self.pending = None;
    }

    /// Begins ICE anew under other credentials.
    pub(crate) fn restart_ice(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        self.egress.restart_ice(local, remote);
    }

    /// Tells the peer that the session is over, as far as it can be reached.
    pub(crate) fn say_farewell(&mut self, around: &mut Surroundings<'_>) {
        self.egress.close(around.outbox);
    }

    /// The viewer's stay at its stream.
    pub(crate) fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

/// Sends the newest packets once more, about as many bytes of them, to find out whether the network carries them too.
fn probe(egress: &mut Egress, outlet: &Outlet, bytes: usize, around: &mut Surroundings<'_>) {
    let index = outlet.sources().index;
    let Some(latest) = egress.latest(index) else {
        return;
    };
    let mut sent = 0_usize;
    for sequence in (0..PROBE_PACKETS_MAX).filter_map(|back| latest.checked_sub(back)) {
        if sent >= bytes {
            break;
        }
        if let Some(recalled) = outlet.recall(sequence) {
            sent = sent.saturating_add(egress.probe(index, &recalled.packet(), around.now, around.outbox));
        }
    }
}

fn failed(error: EgressError) -> Ended {
    Ended::Failed(error.to_string())
}
