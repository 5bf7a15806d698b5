//! One viewer: a session's transport, fed from the cursors of its media.

mod flow;
mod outlet;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, time::Instant};

use headwater_graph::{Bell, Subscription};
use headwater_media::limits;
use headwater_net::Permit;

use crate::{
    egress::{Egress, EgressError, Notice, OutPacket, Path, Remote},
    sdp::IceCredentials,
    session::Ended,
    shard::Outbox,
    statistics::Counters,
};

use flow::CaptureClock;
pub(crate) use outlet::Outlet;
use outlet::Reading;

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
    /// Held until the peer has proved itself.
    pending: Option<Permit>,
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
    pub(crate) fn proves(&self, datagram: &[u8]) -> bool {
        self.egress.proves(datagram)
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
        let path = self.paths.iter().find(|path| path.remote == from).copied();
        let path = path.unwrap_or(Path { remote: from, local: None });
        let mut notices = Vec::new();
        let heard = self.egress.receive(path, datagram, around.now, around.outbox, &mut notices).map_err(failed)?;
        if heard {
            self.heard = around.now;
        }
        self.heed(&notices, around)?;
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
        }
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
        let outlet = self.outlets.get(stream);
        let recalled = outlet.and_then(|outlet| Some((outlet.recall(sequence)?, outlet.payload_type()?)));
        let again = recalled.as_ref().map(|((packet, timestamp), payload_type)| OutPacket {
            payload_type: *payload_type,
            sequence,
            timestamp: *timestamp,
            marker: packet.marker,
            payload: &packet.payload,
        });
        if self.egress.resend(stream, again.as_ref(), around.outbox) {
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
        self.egress.close(around.outbox);
    }

    /// The viewer's stay at its stream.
    pub(crate) fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

fn failed(error: EgressError) -> Ended {
    Ended::Failed(error.to_string())
}
