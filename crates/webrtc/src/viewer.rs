//! One viewer: a session's transport, fed from the cursors of its media.

mod outlet;

use std::{net::IpAddr, time::Instant};

use headwater_graph::{Bell, Subscription};
use headwater_media::limits;
use headwater_net::Permit;

use crate::{
    egress::{Egress, Notice, Remote},
    sdp::IceCredentials,
    session::Ended,
    shard::Outbox,
    statistics::Counters,
};

pub(crate) use outlet::Outlet;
use outlet::{CaptureClock, Reading};

/// One viewer.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// Dropped before the subscription, so that nothing is read of a stream that has been left.
    outlets: Vec<Outlet>,
    egress: Egress,
    subscription: Subscription,
    bell: Bell,
    clock: CaptureClock,
    paths: Vec<Path>,
    heard: Instant,
    created: Instant,
    /// Held until the peer has proved itself.
    pending: Option<Permit>,
}

/// An address from which the peer has proved itself, and the local address that it used.
#[derive(Clone, Copy, Debug)]
struct Path {
    remote: Remote,
    local: Option<IpAddr>,
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
            pending: Some(pending),
        }
    }

    /// Whether a STUN message proves to come from the peer.
    pub(crate) fn proves(&self, from: Remote, datagram: &[u8], now: Instant) -> bool {
        self.egress.proves(from, datagram, now)
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
        Some(self.paths.remove(0).remote)
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
        self.heard = around.now;
        self.egress.receive(from, datagram, around.now).map_err(failed)?;
        self.drain(around)
    }

    /// Sends what is new and does what is due. Says when to run again, or why the session is over.
    pub(crate) fn run(&mut self, around: &mut Surroundings<'_>) -> Result<Instant, Ended> {
        self.check_life(around.now)?;
        self.read(around);
        self.drain(around)
    }

    /// Sends what is new; does nothing, and yields `None`, where nothing is.
    pub(crate) fn deliver(&mut self, around: &mut Surroundings<'_>) -> Option<Result<Instant, Ended>> {
        self.read(around).then(|| self.drain(around))
    }

    fn check_life(&self, now: Instant) -> Result<(), Ended> {
        if now < self.expiry() {
            return Ok(());
        }
        if self.pending.is_some() {
            limits::WEBRTC_FIRST_CHECK_MS.hit();
            return Err(Ended::NeverConnected);
        }
        limits::WEBRTC_CONSENT_MS.hit();
        Err(Ended::Silent)
    }

    fn expiry(&self) -> Instant {
        match self.pending {
            Some(_) => self.created + limits::WEBRTC_FIRST_CHECK_MS.get_duration(),
            None => self.heard + limits::WEBRTC_CONSENT_MS.get_duration(),
        }
    }

    /// Moves new packets into the transport. Says whether there were any.
    fn read(&mut self, around: &mut Surroundings<'_>) -> bool {
        if self.pending.is_some() || self.is_blocked(around) {
            return false;
        }
        let mut any = false;
        for outlet in &mut self.outlets {
            let reading = outlet.read(&mut self.egress, &mut self.clock, around.now, around.counters);
            match reading {
                Reading::Packets(count) => {
                    around.counters.packets.add(count);
                    any = true;
                }
                Reading::Nothing => {}
                Reading::Ended if self.subscription.has_ended().is_none() => {
                    any |= outlet.reopen(&self.subscription, &self.bell);
                }
                Reading::Ended => {}
            }
        }
        any
    }

    /// A viewer over TCP that does not take what it was sent is sent no more until it does.
    fn is_blocked(&self, around: &Surroundings<'_>) -> bool {
        self.paths.iter().any(|path| around.outbox.is_congested(path.remote))
    }

    fn drain(&mut self, around: &mut Surroundings<'_>) -> Result<Instant, Ended> {
        loop {
            self.egress.advance(around.now).map_err(failed)?;
            let (mut connected, mut closed) = (false, false);
            let next = {
                let Viewer { egress, paths, outlets, .. } = self;
                egress.drain(
                    |remote, datagram| {
                        count(outlets, datagram, around.counters);
                        let path = paths.iter().find(|path| path.remote == remote);
                        around.outbox.send(remote, path.and_then(|path| path.local), datagram);
                    },
                    |notice| match notice {
                        Notice::Connected => connected = true,
                        Notice::Closed => closed = true,
                        Notice::KeyFrameWanted { source } => {
                            around.counters.key_frames_wanted.add(1);
                            let of_source = |outlet: &&Outlet| outlet.sources().main == source;
                            if let Some(outlet) = outlets.iter().find(of_source) {
                                outlet.request_key_frame();
                            }
                        }
                    },
                )
            }
            .map_err(failed)?;
            if closed {
                return Err(Ended::PeerLeft);
            }
            if !connected {
                return Ok(self.deadline(next));
            }
            self.connect(around);
        }
    }

    /// The peer has proved to be who the offer says: media begins.
    fn connect(&mut self, around: &mut Surroundings<'_>) {
        self.pending = None;
        around.counters.connected.add(1);
        self.outlets.iter_mut().for_each(Outlet::start);
        self.read(around);
    }

    fn deadline(&self, next: Instant) -> Instant {
        let due = self.outlets.iter().filter_map(Outlet::due);
        due.chain([next, self.expiry()]).min().unwrap_or(next)
    }

    /// Whether the peer has connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.pending.is_none()
    }

    #[cfg(test)]
    pub(crate) fn pretend_connected(&mut self) {
        self.pending = None;
    }

    /// Begins ICE anew under other credentials.
    pub(crate) fn restart_ice(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        self.egress.restart_ice(local, remote);
    }

    /// Tells the peer that the session is over, as far as it can be reached.
    pub(crate) fn say_farewell(&mut self, around: &mut Surroundings<'_>) {
        self.egress.close();
        let Viewer { egress, paths, .. } = self;
        let sent = egress.drain(
            |remote, datagram| {
                let path = paths.iter().find(|path| path.remote == remote);
                around.outbox.send(remote, path.and_then(|path| path.local), datagram);
            },
            |_| {},
        );
        if let Err(error) = sent {
            tracing::debug!(%error, "a WebRTC session could not say farewell");
        }
    }

    /// The viewer's stay at its stream.
    pub(crate) fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

fn failed(error: str0m::RtcError) -> Ended {
    Ended::Failed(error.to_string())
}

/// Counts retransmissions by the source in a datagram's header (RFC 3550 §5.1, RFC 5761 §4).
fn count(outlets: &[Outlet], datagram: &[u8], counters: &Counters) {
    let (Some(first), Some(second)) = (datagram.first(), datagram.get(1)) else {
        return;
    };
    let is_media = first & 0xc0 == 0x80 && !(192..224).contains(second);
    let source = datagram.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let is_again = |outlet: &Outlet| outlet.sources().retransmissions == source;
    if is_media && source.is_some() && outlets.iter().any(is_again) {
        counters.packets_again.add(1);
    }
}
