//! The parts of a session together.

mod reports;
mod way;

use std::time::{Duration, Instant};

use headwater_net::WallClock;
use is::stun::StunMessage;
use smallvec::SmallVec;

use crate::{
    prefetch::prefetch,
    sdp::IceCredentials,
    srtp::{Master, Profile, ReportOpener, Sealer},
};

use self::{reports::REPORT_SLACK, way::Ice};
use super::{
    Agreed, Common, EgressError, Notice, OutPacket, Path, Sink, Sources, Writer,
    dtls::{Handshake, Keys, Said},
    echo::Echoes,
    estimate::Estimator,
    ice::Check,
    rtcp,
    stream::Stream,
};

/// What a network is taken to carry before anything is known of it, and the bounds of what is believed of it, in bits
/// per second.
const RATE_FIRST: u64 = 1_000_000;
const RATE_MIN: u64 = 30_000;
const RATE_MAX: u64 = 100_000_000;

/// The transport of one viewer.
#[derive(Debug)]
pub(crate) struct Egress {
    path: Option<Path>,
    /// `None` until the peer has connected.
    sealer: Option<Sealer>,
    streams: SmallVec<[Stream; 2]>,
    /// `None` until something has been sent.
    report_at: Option<Instant>,
    /// While the viewer has renditions to choose from.
    estimator: Option<Box<Estimator>>,
    rest: Box<Rest>,
}

/// What is seldom needed.
#[derive(Debug)]
struct Rest {
    ice: Ice,
    handshake: Handshake,
    opener: Option<ReportOpener>,
    opened: Vec<u8>,
    reports: u32,
    /// The packets that the latest report has counted.
    counted: u32,
    report_slack: Duration,
    /// Reports are sent as often whether there is media or not.
    is_steady: bool,
    cname: String,
    clock: WallClock,
    round_trip: Option<Duration>,
    echoes: Echoes,
}

impl Egress {
    /// Has the processor fetch what sending media needs beside the session itself.
    #[inline]
    pub(crate) fn prefetch(&self) {
        if let Some(sealer) = &self.sealer {
            sealer.prefetch();
        }
    }

    /// Has the processor fetch what the peer's datagrams need.
    #[inline]
    pub(crate) fn prefetch_rest(&self) {
        prefetch(&*self.rest);
    }

    /// Has the processor fetch what the peer's reports are opened with, once the rest is there.
    #[inline]
    pub(crate) fn prefetch_opener(&self) {
        if let Some(opener) = &self.rest.opener {
            opener.prefetch();
        }
    }

    /// A session that waits for its peer.
    pub(crate) fn new(common: &Common, agreed: &Agreed<'_>, now: Instant) -> Result<Egress, EgressError> {
        let handshake = Handshake::new(&common.dtls, &agreed.fingerprint.bytes, agreed.role, now)?;
        let mut streams: SmallVec<[Stream; 2]> = SmallVec::new();
        for media in agreed.media {
            let stream = Stream::declare(media, agreed.mid_extension, &streams);
            streams.push(stream);
        }
        Ok(Egress {
            path: None,
            sealer: None,
            streams,
            report_at: None,
            estimator: None,
            rest: Box::new(Rest {
                ice: Ice::new(agreed, now),
                handshake,
                opener: None,
                opened: Vec::new(),
                reports: 0,
                counted: 0,
                report_slack: REPORT_SLACK,
                is_steady: agreed.candidates.is_some(),
                cname: agreed.cname.to_owned(),
                clock: common.clock,
                round_trip: None,
                echoes: Echoes::default(),
            }),
        })
    }

    /// The numbers of each outgoing stream, in the order they were agreed on.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Sources> {
        self.streams.iter().enumerate().map(|(index, stream)| stream.sources(index))
    }

    /// Where media goes; `None` until the peer has proved an address.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_ref()
    }

    /// The message as a check by the peer, if it is one: it carries a checksum under this session's password.
    pub(crate) fn prove<'a>(&self, message: &'a StunMessage<'a>) -> Option<Check<'a>> {
        self.rest.ice.prove(message)
    }

    /// Answers a check by the peer. Says whether it proves that the peer is still there.
    pub(crate) fn answer(
        &mut self,
        from: Path,
        check: &Check<'_>,
        out: &mut impl Sink,
        notices: &mut Vec<Notice>,
    ) -> Result<bool, EgressError> {
        let is_heard = self.rest.ice.answer(from, check, out);
        self.take_path(is_heard, out, notices)
    }

    /// Goes on by the way that has been found. Says what it is told.
    fn take_path(
        &mut self,
        is_heard: bool,
        out: &mut impl Sink,
        notices: &mut Vec<Notice>,
    ) -> Result<bool, EgressError> {
        if is_heard {
            self.path = self.rest.ice.path();
            // Who has connected has nothing more to say for being found.
            if self.sealer.is_none() {
                self.handshake(out, notices)?;
            }
        }
        Ok(is_heard)
    }

    /// Takes a datagram from a proven address. What makes no sense is passed over. Says whether it proves that the
    /// peer is still there.
    pub(crate) fn receive(
        &mut self,
        from: Path,
        datagram: &[u8],
        now: Instant,
        out: &mut impl Sink,
        notices: &mut Vec<Notice>,
    ) -> Result<bool, EgressError> {
        match datagram {
            [0..=3, ..] => {
                let is_heard = self.rest.ice.receive(from, datagram, now, out);
                self.take_path(is_heard, out, notices)
            }
            [20..=63, ..] if self.rest.ice.takes_from(&from) => {
                self.rest.handshake.receive(datagram, now)?;
                self.handshake(out, notices)?;
                Ok(false)
            }
            // RFC 5761 §4 tells RTCP from RTP.
            [128..=191, 192..=223, ..] => Ok(self.take_reports(datagram, now, notices)),
            _ => Ok(false),
        }
    }

    /// Sends what DTLS has to send, if there is somewhere to send it to, and takes what it has to say.
    fn handshake(&mut self, out: &mut impl Sink, notices: &mut Vec<Notice>) -> Result<(), EgressError> {
        let Some(path) = self.path else {
            return Ok(());
        };
        match self.rest.handshake.poll(|datagram| send_copy(out, &path, datagram))? {
            Some(Said::Connected(keys)) if self.sealer.is_none() => {
                self.take_keys(&keys)?;
                notices.push(Notice::Connected);
            }
            Some(Said::Closed) => notices.push(Notice::Closed),
            _ if self.rest.handshake.is_connected() && self.sealer.is_none() => return Err(EgressError::NoProfile),
            _ => {}
        }
        Ok(())
    }

    fn take_keys(&mut self, keys: &Keys) -> Result<(), EgressError> {
        self.rest.opener = Some(ReportOpener::new(keys.profile, &keys.peer).ok_or(EgressError::Keys)?);
        self.sealer = Some(Sealer::new(keys.profile, &keys.own).ok_or(EgressError::Keys)?);
        Ok(())
    }

    /// As if the peer had connected by this path, under keys that are no secret. For benches.
    pub(crate) fn pretend_connected(&mut self, path: Path) -> Result<(), EgressError> {
        let profile = Profile::Aes128Gcm;
        let (peer, own) = Master::split(profile, &[0x5a; 64]).ok_or(EgressError::Keys)?;
        self.path = Some(path);
        self.take_keys(&Keys { profile, own, peer })
    }

    /// Lets `fill` hand over packets of one stream. Does nothing until the peer has connected.
    #[inline]
    pub(crate) fn write<S: Sink>(
        &mut self,
        index: usize,
        now: Instant,
        out: &mut S,
        fill: impl FnOnce(&mut Writer<'_, S>),
    ) {
        if let (Some(stream), Some(sealer), Some(path)) = (self.streams.get_mut(index), &self.sealer, &self.path) {
            fill(&mut Writer { stream, sealer, path, out, estimator: self.estimator.as_deref_mut(), now });
        }
    }

    /// Answers a [`Notice::Lost`]: sends the packet again, if there is one. Says whether it has.
    pub(crate) fn resend(
        &mut self,
        index: usize,
        packet: Option<&OutPacket<'_>>,
        now: Instant,
        out: &mut impl Sink,
    ) -> bool {
        self.send_again(index, packet, false, now, out) > 0
    }

    /// Sends a packet again to find out what the network carries. Says how many bytes it was on the wire; 0 where it
    /// was not sent.
    pub(crate) fn probe(&mut self, index: usize, packet: &OutPacket<'_>, now: Instant, out: &mut impl Sink) -> usize {
        self.send_again(index, Some(packet), true, now, out)
    }

    fn send_again(
        &mut self,
        index: usize,
        packet: Option<&OutPacket<'_>>,
        probe: bool,
        now: Instant,
        out: &mut impl Sink,
    ) -> usize {
        let (Some(stream), Some(sealer), Some(path)) = (self.streams.get_mut(index), &self.sealer, &self.path) else {
            return 0;
        };
        let estimator = self.estimator.as_deref_mut().map(|estimator| (estimator, now));
        stream.send_again(packet, probe, estimator, sealer, path, out)
    }

    /// What is known of the network, once somebody wants to know: from then on packets are numbered, where the peer
    /// tells what has become of them. `None` where a peer does not.
    pub(crate) fn estimator(&mut self, now: Instant) -> Option<&mut Estimator> {
        if self.estimator.is_none() && self.streams.iter().any(Stream::is_numbered) {
            self.estimator = Some(Box::new(Estimator::new(RATE_FIRST, RATE_MIN, RATE_MAX, now)));
        }
        self.estimator.as_deref_mut()
    }

    /// Nobody wants to know any more what the network carries.
    pub(crate) fn forget_estimate(&mut self) {
        self.estimator = None;
    }

    /// The number that a stream's newest packet has.
    pub(crate) fn latest(&self, index: usize) -> Option<u64> {
        self.streams.get(index).filter(|stream| stream.has_begun()).map(Stream::latest)
    }

    /// Lets time pass.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        out: &mut impl Sink,
        notices: &mut Vec<Notice>,
    ) -> Result<(), EgressError> {
        self.rest.ice.advance(now, out);
        if self.path.is_some() && self.rest.handshake.due() <= now {
            self.rest.handshake.advance(now)?;
            self.handshake(out, notices)?;
        }
        while let Some(echo) = self.rest.echoes.next(now) {
            let resend = self.streams.get_mut(echo.stream).and_then(Stream::paid_resend);
            if resend.is_some_and(|resend| resend.allows_echo()) {
                notices.push(Notice::Lost { stream: echo.stream, sequence: echo.sequence });
            }
        }
        if self.report_at.is_some_and(|at| at + self.rest.report_slack <= now) {
            self.report(now, out);
        }
        Ok(())
    }

    /// When to call [`Egress::advance`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let handshake = self.path.map(|_| self.rest.handshake.due());
        let report = self.report_at.map(|at| at + self.rest.report_slack);
        handshake.into_iter().chain(report).chain(self.rest.ice.due()).chain(self.rest.echoes.due()).min()
    }

    /// Whether this side has begun the session, and asks the peer for its consent.
    pub(crate) fn asks_for_consent(&self) -> bool {
        self.rest.ice.asks()
    }

    /// Begins ICE anew under other credentials. Media goes on over the old path until the peer has chosen a new one
    /// (RFC 8445 §9).
    pub(crate) fn restart_ice(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        self.rest.ice.restart(local, remote);
    }

    /// Says farewell: RTCP BYE and DTLS close.
    pub(crate) fn close(&mut self, out: &mut impl Sink) {
        let Some(path) = self.path else {
            return;
        };
        if let Some(sealer) = &mut self.sealer {
            let sources: SmallVec<[u32; 4]> = self.streams.iter().map(|stream| stream.source).collect();
            let mut compound = Vec::new();
            rtcp::write_farewell(&sources, &mut compound);
            reports::send(sealer, &path, &compound, out);
        }
        self.rest.handshake.close();
        if let Err(error) = self.rest.handshake.poll(|datagram| send_copy(out, &path, datagram)) {
            tracing::debug!(%error, "a WebRTC session could not say farewell");
        }
    }
}

fn send_copy(out: &mut impl Sink, path: &Path, datagram: &[u8]) {
    out.write(path, datagram.len(), |to| {
        to.copy_from_slice(datagram);
        true
    });
}
