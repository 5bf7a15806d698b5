//! One publisher: a session's transport, and the lanes that its media is written to.

mod agreed;
mod clock;
mod flow;
mod ingress;
mod key_frames;
mod lanes;
mod numbers;
mod options;
mod orientation;
mod paths;
mod rivals;
mod selector;
mod source;
mod strangers;
mod untold;
mod wishes;

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use headwater_graph::{Bell, Publication};
use headwater_media::limits;
use headwater_net::Permit;
use tokio::sync::oneshot;

use crate::{egress::Remote, sdp::IceCredentials, session::Ended, viewer::Surroundings};

use self::{
    flow::{Flow, Unheard, is_media},
    paths::Paths,
    rivals::Rivals,
    selector::Selector,
    source::Source,
    untold::Window,
};

pub(crate) use agreed::{Agreed, Call, Part, Section};
pub(crate) use ingress::{Ingress, Notice};
pub(crate) use options::ReceivedCounters;
pub use options::{PublishOptions, Received};

/// One publisher.
#[derive(Debug)]
pub(crate) struct Publisher {
    ingress: Ingress,
    sections: Vec<Section>,
    sources: Vec<Source>,
    /// One for each section that sends several renditions at once.
    selectors: Vec<Selector>,
    publication: Publication,
    /// What is added to the clock, counted from the stream's epoch, to get the stream's time.
    shift: Duration,
    readiness: Readiness,
    /// Rung when viewers want something of a source.
    bell: Bell,
    /// How long a packet waits for the rest of its picture.
    window: Window,
    bitrate_max: Option<u64>,
    ceiling_due: Option<Instant>,
    paths: Paths,
    heard: Instant,
    /// How long nothing at all may come from the peer.
    silence: Duration,
    flow: Flow,
    /// Of a server that works together with this one.
    unheard: Option<Unheard>,
    /// Held until the peer has proved itself.
    pending: Option<Permit>,
    received: Arc<ReceivedCounters>,
    notices: Vec<Notice>,
    rivals: Rivals,
}

/// Whether viewers may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    /// The peer has to connect until then.
    Connecting(Instant),
    /// The first media has to come until then.
    Silent(Instant),
    /// The other tracks may come until then.
    Partial(Instant),
    Ready,
}

impl Publisher {
    pub(crate) fn new(
        ingress: Ingress,
        sections: Vec<Section>,
        publication: Publication,
        bitrate_max: Option<u64>,
        window: Duration,
        pending: Permit,
        now: Instant,
    ) -> Publisher {
        let passed = now.saturating_duration_since(publication.stream().epoch());
        // Such a server answers every check and reports every second, however silent its publisher is.
        let is_server = ingress.is_call() && publication.stream().source().server.is_some();
        let (first_check, silence) = match is_server {
            true => (&limits::ROUTE_ATTEMPT_MS, &limits::ROUTE_SILENCE_MS),
            false => (&limits::WEBRTC_FIRST_CHECK_MS, &limits::WEBRTC_PUBLISHER_SILENCE_MS),
        };
        let window = Window { length: window, is_gathered: publication.stream().source().server.is_some() };
        Publisher {
            ingress,
            sections,
            sources: Vec::new(),
            selectors: Vec::new(),
            shift: publication.start().saturating_sub(passed),
            publication,
            readiness: Readiness::Connecting(now + first_check.get_duration()),
            bell: Bell::new(),
            window,
            bitrate_max,
            ceiling_due: None,
            paths: Paths::default(),
            heard: now,
            silence: silence.get_duration(),
            flow: Flow::default(),
            unheard: is_server.then(Unheard::default),
            pending: Some(pending),
            received: Arc::default(),
            notices: Vec::new(),
            rivals: Rivals::default(),
        }
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(crate) fn publication(&self) -> &Publication {
        &self.publication
    }

    pub(crate) fn received(&self) -> &Arc<ReceivedCounters> {
        &self.received
    }

    /// Whether a STUN message proves to come from the peer.
    pub(crate) fn proves(&self, from: Remote, datagram: &[u8], now: Instant) -> bool {
        self.ingress.proves(from, datagram, now)
    }

    /// Remembers a proven address. Yields the one that is forgotten for it, if there are too many.
    pub(crate) fn learn(&mut self, remote: Remote, local: Option<IpAddr>) -> Option<Remote> {
        self.paths.learn(remote, local)
    }

    /// The addresses from which the peer has proved itself.
    pub(crate) fn remotes(&self) -> impl Iterator<Item = Remote> {
        self.paths.remotes()
    }

    /// Whether the peer has connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.pending.is_none()
    }

    /// Whether viewers may join what it brings.
    pub(crate) fn is_ready(&self) -> bool {
        self.readiness == Readiness::Ready
    }

    /// Takes a datagram from a proven address. What it holds is in the lanes then; [`Publisher::ring`] tells of it.
    pub(crate) fn receive(
        &mut self,
        from: Remote,
        datagram: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Result<Instant, Ended> {
        self.heard = around.now;
        if let Some(unheard) = &mut self.unheard
            && is_media(datagram)
        {
            unheard.hear();
        }
        self.rivals.refuse();
        self.ingress.receive(from, datagram, around.now).map_err(failed)?;
        self.drain(around)
    }

    /// Does what is due, and what viewers wish. Says when to run again, or why the session is over.
    pub(crate) fn run(&mut self, around: &mut Surroundings<'_>) -> Result<Instant, Ended> {
        self.check_life(around.now)?;
        self.ingress.advance(around.now).map_err(failed)?;
        self.ring(around.now);
        self.drain(around)
    }

    /// Wakes the readers of all lanes in which there is something new that does not wait for more of its picture.
    pub(crate) fn ring(&mut self, now: Instant) {
        let window = self.window;
        self.sources.iter_mut().for_each(|source| source.ring(window, now));
        self.selectors.iter_mut().for_each(|selector| selector.ring(window, now));
    }

    fn check_life(&mut self, now: Instant) -> Result<(), Ended> {
        match self.readiness {
            Readiness::Connecting(until) if now >= until => {
                match self.unheard {
                    Some(_) => limits::ROUTE_ATTEMPT_MS.hit(),
                    None => limits::WEBRTC_FIRST_CHECK_MS.hit(),
                }
                return Err(Ended::NeverConnected);
            }
            // Its publisher may be silent for as long as it likes.
            Readiness::Silent(until) if now >= until && self.unheard.is_none() => {
                limits::WEBRTC_MEDIA_MS.hit();
                return Err(Ended::NoMedia);
            }
            Readiness::Partial(until) if now >= until => self.become_ready(),
            _ => {}
        }
        if self.is_connected() && now >= self.silence_ends() {
            match self.unheard {
                Some(_) => limits::ROUTE_SILENCE_MS.hit(),
                None => limits::WEBRTC_PUBLISHER_SILENCE_MS.hit(),
            }
            return Err(Ended::Silent);
        }
        if self.rivals.due(self.heard).is_some_and(|due| now >= due) && self.rivals.wait() {
            return Err(Ended::Replaced);
        }
        Ok(())
    }

    /// Another wants the name: it is told whether this publisher is gone, as soon as that is clear.
    pub(crate) fn challenge(&mut self, rival: oneshot::Sender<bool>, now: Instant) {
        self.rivals.add(rival, now);
    }

    fn silence_ends(&self) -> Instant {
        self.heard + self.silence
    }

    fn drain(&mut self, around: &mut Surroundings<'_>) -> Result<Instant, Ended> {
        loop {
            let next = {
                let Publisher { ingress, paths, notices, .. } = self;
                ingress.drain(
                    |remote, datagram| around.outbox.send(remote, paths.local(remote), datagram),
                    |notice| notices.push(notice),
                )
            };
            let next = next.map_err(failed)?;
            let mut notices = std::mem::take(&mut self.notices);
            let (mut closed, mut unheard) = (false, false);
            for notice in notices.drain(..) {
                match notice {
                    Notice::Connected => self.connect(around),
                    Notice::Closed => closed = true,
                    Notice::Packet(packet) => self.take(&packet, around),
                    Notice::Nacks { section, rid, requests } => self.take_nacks(section, rid.as_deref(), requests),
                    Notice::Report { ssrc, timestamp, captured, packets } => {
                        self.take_report(ssrc, timestamp, captured);
                        unheard |= self.is_unheard(ssrc, packets, around.now);
                    }
                    Notice::Counted { round_trip } => self.count(round_trip, around.now),
                }
            }
            self.notices = notices;
            if closed {
                return Err(Ended::PeerLeft);
            }
            if unheard {
                limits::ROUTE_SILENCE_MS.hit();
                return Err(Ended::Unheard);
            }
            if !self.say_wishes(around) && next > around.now {
                return Ok(self.deadline(next));
            }
            self.ingress.advance(around.now).map_err(failed)?;
        }
    }

    fn take_nacks(&mut self, section: usize, rid: Option<&str>, requests: u64) {
        let mut sources = self.sources.iter_mut();
        if let Some(source) = sources.find(|source| source.section == section && source.rid.as_deref() == rid) {
            source.set_nacks(requests);
        }
    }

    fn take_report(&mut self, ssrc: u32, timestamp: u32, captured: SystemTime) {
        let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == ssrc) else {
            return;
        };
        source.report(timestamp, captured);
        source::align(&mut self.sources);
    }

    /// Whether a server that works together with this one sends media that does not arrive.
    fn is_unheard(&mut self, ssrc: u32, packets: u32, now: Instant) -> bool {
        let silence = self.silence;
        self.unheard.as_mut().is_some_and(|unheard| unheard.is_lost(ssrc, packets, silence, now))
    }

    /// Takes stock, once a second.
    fn count(&mut self, round_trip: Option<Duration>, now: Instant) {
        let lost = self.sources.iter().map(Source::lost).sum();
        self.received.packets_lost.store(lost, Relaxed);
        if let Some(time) = round_trip {
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
            self.received.round_trip_us.store(micros, Relaxed);
        }
        self.flow.look(&self.received, now);
    }

    /// The peer has proved to be who the offer says.
    fn connect(&mut self, around: &mut Surroundings<'_>) {
        self.pending = None;
        around.counters.connected.add(1);
        if let Readiness::Connecting(_) = self.readiness {
            self.readiness = Readiness::Silent(around.now + limits::WEBRTC_MEDIA_MS.get_duration());
        }
    }

    fn deadline(&self, next: Instant) -> Instant {
        let readiness = match self.readiness {
            Readiness::Silent(_) if self.unheard.is_some() => None,
            Readiness::Connecting(until) | Readiness::Silent(until) | Readiness::Partial(until) => Some(until),
            Readiness::Ready => None,
        };
        let silence = self.is_connected().then(|| self.silence_ends());
        let wishes = self.sources.iter().filter_map(Source::due);
        let rivals = self.rivals.due(self.heard);
        let told = self.sources.iter().filter_map(|source| source.told_by(self.window));
        let told = told.chain(self.selectors.iter().filter_map(|selector| selector.told_by(self.window)));
        wishes
            .chain(told)
            .chain(readiness)
            .chain(silence)
            .chain(rivals)
            .chain(self.ceiling_due)
            .fold(next, Instant::min)
    }

    /// Begins ICE anew under other credentials.
    pub(crate) fn restart_ice(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        self.ingress.restart_ice(local, remote);
    }

    /// Tells the peer that the session is over, as far as it can be reached.
    pub(crate) fn say_farewell(&mut self, around: &mut Surroundings<'_>) {
        self.ingress.close();
        let Publisher { ingress, paths, .. } = self;
        let sent = ingress.drain(|remote, datagram| around.outbox.send(remote, paths.local(remote), datagram), |_| {});
        if let Err(error) = sent {
            tracing::debug!(%error, "a WebRTC publisher could not be said farewell to");
        }
    }

    /// Leaves the stream: ended at once if that was asked for, else left to whoever comes back in time.
    pub(crate) fn leave(self, ended: &Ended) {
        let Publisher { publication, sources, selectors, rivals, .. } = self;
        drop((sources, selectors));
        match ended {
            Ended::Deleted => publication.end("the publisher has ended it"),
            Ended::Stream(reason) => publication.end(reason),
            _ => drop(publication),
        }
        rivals.admit();
    }
}

fn failed(error: str0m::RtcError) -> Ended {
    Ended::Failed(error.to_string())
}
