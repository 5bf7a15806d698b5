//! Who has a seat in a shard: a viewer or a publisher.

use std::{net::IpAddr, time::Instant};

use headwater_media::StreamName;
use is::stun::StunMessage;

use crate::{
    egress::{Check, Remote},
    prefetch::prefetch,
    publisher::Publisher,
    sdp::IceCredentials,
    session::Ended,
    viewer::{Surroundings, Viewer},
};

/// A viewer or a publisher. What both can do is done here; the shard knows no difference.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all are viewers, and a pointer to each would cost more")]
pub(crate) enum Participant {
    Viewer(Viewer),
    Publisher(Box<Publisher>),
}

/// A STUN message that comes from the session's peer.
#[derive(Debug)]
pub(crate) enum Proof<'a> {
    Check(Check<'a>),
    /// It is looked at again by who takes it.
    Datagram(&'a [u8]),
}

/// Calls the same method of whichever it is.
macro_rules! either {
    ($self:expr, $one:ident => $call:expr) => {
        match $self {
            Participant::Viewer($one) => $call,
            Participant::Publisher($one) => $call,
        }
    };
}

impl Participant {
    /// What a STUN message is to this session, if it proves to come from its peer.
    pub(crate) fn prove<'a>(
        &self,
        from: Remote,
        message: &'a StunMessage<'a>,
        datagram: &'a [u8],
        now: Instant,
    ) -> Option<Proof<'a>> {
        match self {
            Participant::Viewer(viewer) => viewer.prove(message).map(Proof::Check),
            Participant::Publisher(publisher) => {
                publisher.proves(from, datagram, now).then_some(Proof::Datagram(datagram))
            }
        }
    }

    /// Takes a STUN message that has proved to come from the peer.
    pub(crate) fn receive_proof(
        &mut self,
        from: Remote,
        proof: &Proof<'_>,
        around: &mut Surroundings<'_>,
    ) -> Result<Instant, Ended> {
        match (self, proof) {
            (Participant::Viewer(viewer), Proof::Check(check)) => viewer.answer(from, check, around),
            (participant, Proof::Datagram(datagram)) => participant.receive(from, datagram, around),
            // No publisher takes a message for this.
            (Participant::Publisher(publisher), Proof::Check(_)) => publisher.run(around),
        }
    }

    /// Remembers a proven address. Yields the one that is forgotten for it, if there are too many.
    pub(crate) fn learn(&mut self, remote: Remote, local: Option<IpAddr>) -> Option<Remote> {
        either!(self, one => one.learn(remote, local))
    }

    /// The addresses from which the peer has proved itself.
    pub(crate) fn remotes(&self) -> Vec<Remote> {
        either!(self, one => one.remotes().collect())
    }

    /// Takes a datagram from a proven address.
    pub(crate) fn receive(
        &mut self,
        from: Remote,
        datagram: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Result<Instant, Ended> {
        either!(self, one => one.receive(from, datagram, around))
    }

    /// Does what is due. Says when to run again, or why the session is over.
    pub(crate) fn run(&mut self, around: &mut Surroundings<'_>) -> Result<Instant, Ended> {
        either!(self, one => one.run(around))
    }

    /// Sends what is new in the stream; does nothing, and yields `None`, where nothing is.
    pub(crate) fn deliver(&mut self, around: &mut Surroundings<'_>) -> Option<Result<Instant, Ended>> {
        match self {
            Participant::Viewer(viewer) => viewer.deliver(around),
            Participant::Publisher(_) => None,
        }
    }

    /// Its turn comes next: what it needs beside itself is fetched meanwhile.
    #[inline]
    pub(crate) fn prefetch(&self) {
        if let Participant::Viewer(viewer) = self {
            viewer.prefetch();
        }
    }

    /// Its count of what it was sent may be written with its turn.
    #[inline]
    pub(crate) fn prefetch_count(&self) {
        if let Participant::Viewer(viewer) = self {
            prefetch(&**viewer.subscription().viewer());
        }
    }

    /// The same for a datagram of its peer: first the session, and when that is there, what opens its reports.
    #[inline]
    pub(crate) fn prefetch_session(&self) {
        if let Participant::Viewer(viewer) = self {
            viewer.egress().prefetch_rest();
        }
    }

    #[inline]
    pub(crate) fn prefetch_opener(&self) {
        if let Participant::Viewer(viewer) = self {
            viewer.egress().prefetch_opener();
        }
    }

    /// Tells others of what it has brought.
    pub(crate) fn ring(&mut self, now: Instant) {
        if let Participant::Publisher(publisher) = self {
            publisher.ring(now);
        }
    }

    /// Whether it brings media.
    pub(crate) fn is_publisher(&self) -> bool {
        matches!(self, Participant::Publisher(_))
    }

    /// Whether the peer has connected.
    pub(crate) fn is_connected(&self) -> bool {
        either!(self, one => one.is_connected())
    }

    /// Whether viewers may join what it brings.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Participant::Viewer(_) => false,
            Participant::Publisher(publisher) => publisher.is_ready(),
        }
    }

    /// Begins ICE anew under other credentials.
    pub(crate) fn restart_ice(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        either!(self, one => one.restart_ice(local, remote));
    }

    /// Tells the peer that the session is over, as far as it can be reached.
    pub(crate) fn say_farewell(&mut self, around: &mut Surroundings<'_>) {
        either!(self, one => one.say_farewell(around));
    }

    /// Counts bytes sent to the peer, for those who ask about viewers.
    pub(crate) fn count_sent(&self, bytes: u64, has_media: bool) {
        let Participant::Viewer(viewer) = self else { return };
        let viewer = viewer.subscription().viewer();
        match has_media {
            true => viewer.count_sent(bytes),
            false => viewer.count_other_sent(bytes),
        }
    }

    /// The stream that it watches or brings.
    pub(crate) fn stream(&self) -> StreamName {
        match self {
            Participant::Viewer(viewer) => viewer.subscription().stream().name().clone(),
            Participant::Publisher(publisher) => publisher.publication().stream().name().clone(),
        }
    }

    /// The id of its session, as signalling, API and log have it.
    pub(crate) fn session(&self) -> String {
        match self {
            Participant::Viewer(viewer) => viewer.subscription().viewer().peer().session.clone(),
            Participant::Publisher(publisher) => publisher.publication().stream().source().session.clone(),
        }
    }

    /// Leaves the stream.
    pub(crate) fn leave(self, ended: &Ended) {
        match self {
            Participant::Viewer(viewer) => drop(viewer),
            Participant::Publisher(publisher) => publisher.leave(ended),
        }
    }

    #[cfg(test)]
    pub(crate) fn pretend_connected(&mut self) {
        if let Participant::Viewer(viewer) = self {
            viewer.pretend_connected();
        }
    }
}
