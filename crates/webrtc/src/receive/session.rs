//! The parts of a receiver together.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use headwater_media::limits;

use crate::{
    Answer,
    call::random_text,
    egress::{Carrier, EgressError, Full, Handshake, Keys, Path, Remote, Said, rtcp},
    sdp::IceCredentials,
    srtp::MediaOpener,
};

use super::{
    Arrived, ReceiveError, ReceivedMedia, ReceiverCommon, ReceiverEnd, ReceiverState,
    inbound::Inbound,
    outbox::Outbox,
    reports::{self, REPORT_INTERVAL, Reports},
    terms::{self, Terms},
};

/// Time until one that has nothing to do is to be called all the same.
const IDLE: Duration = Duration::from_secs(3_600);

/// A session that only receives.
///
/// It offers; once the answer has been [accepted](Receiver::accept), it is given what comes from the network and told
/// of the time, and asked what it has to send after either.
#[derive(Debug)]
pub struct Receiver {
    state: ReceiverState,
    inbound: Inbound,
    outbox: Outbox,
    link: Option<Box<Link>>,
    begun: Begun,
}

/// What stays of the offer.
#[derive(Debug)]
struct Begun {
    common: ReceiverCommon,
    /// `None` once the answer has come.
    ice: Option<IceCredentials>,
    idle: Instant,
}

/// The way to the peer, and what protects it.
#[derive(Debug)]
struct Link {
    ice: Full,
    handshake: Handshake,
    /// `None` until the peer has connected.
    reports: Option<Reports>,
    reduced_size: bool,
    begun: Instant,
    /// When the peer last consented.
    heard: Instant,
}

impl Receiver {
    /// A session, and the offer by which it asks for sound and picture in every codec.
    ///
    /// The offer names no candidates: the peer learns this side's address from its checks (RFC 8445 §7.3.1.3).
    pub fn new(common: &ReceiverCommon, now: Instant) -> (Receiver, String) {
        Receiver::begin(common, None, now)
    }

    /// The same with a candidate in the offer, for peers that look for this side by themselves.
    pub fn with_local(common: &ReceiverCommon, local: SocketAddr, now: Instant) -> (Receiver, String) {
        Receiver::begin(common, Some(local), now)
    }

    fn begin(common: &ReceiverCommon, local: Option<SocketAddr>, now: Instant) -> (Receiver, String) {
        let ice = IceCredentials { fragment: random_text(12), password: random_text(32) };
        let offer = terms::offer(common, &ice, local);
        let receiver = Receiver {
            state: ReceiverState::New,
            inbound: Inbound::new(now),
            outbox: Outbox::default(),
            link: None,
            begun: Begun { common: common.clone(), ice: Some(ice), idle: now + IDLE },
        };
        (receiver, offer)
    }

    /// Takes the answer. From then on checks are sent to the candidates that it names.
    ///
    /// # Errors
    /// Where nothing can come of it, mostly by the peer's fault; the session may be given another answer then.
    pub fn accept(&mut self, answer: &str, now: Instant) -> Result<(), ReceiveError> {
        self.accept_answer(&Answer::parse(answer)?, now)
    }

    /// The same with an answer that has been read, so that candidates could be
    /// [left out](Answer::keep_candidates).
    ///
    /// # Errors
    /// As [`Receiver::accept`].
    pub fn accept_answer(&mut self, answer: &Answer, now: Instant) -> Result<(), ReceiveError> {
        let Begun { common, ice, .. } = &mut self.begun;
        let (ReceiverState::New, Some(own)) = (&self.state, &ice) else { return Err(ReceiveError::NotAwaited) };
        let terms = Terms::read(answer)?;
        let peer = &answer.description;
        let handshake = common.0.handshake(&peer.fingerprint.bytes, peer.role, now)?;
        self.link = Some(Box::new(Link {
            ice: Full::new(own, &peer.ice, &terms.candidates, now),
            handshake,
            reports: None,
            reduced_size: terms.reduced_size,
            begun: now,
            heard: now,
        }));
        self.inbound.agree(terms);
        *ice = None;
        self.state = ReceiverState::Connecting;
        self.advance(now);
        Ok(())
    }

    /// A datagram has come; packets of media are opened in place, and those that are new go to `take`.
    ///
    /// What makes no sense, or is not proved to be the peer's, is passed over. What follows from it is told by
    /// [`Receiver::state`], [`Receiver::next`] and [`Receiver::transmit`].
    #[inline]
    pub fn receive(
        &mut self,
        from: SocketAddr,
        datagram: &mut [u8],
        now: Instant,
        take: &mut impl FnMut(&Arrived<'_>),
    ) {
        match datagram {
            // RFC 5761 §4 tells RTCP from RTP.
            [128..=191, 192..=223, ..] => self.take_reports(datagram, now),
            [128..=191, ..] => {
                self.inbound.take(datagram, now, take);
            }
            _ => self.connect(from, datagram, now),
        }
    }

    /// STUN and DTLS.
    #[cold]
    fn connect(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        let Receiver { link, outbox, inbound, .. } = self;
        let Some(link) = link else { return };
        let address = SocketAddr::new(from.ip().to_canonical(), from.port());
        let from = Path { remote: Remote { carrier: Carrier::Udp, address }, local: None };
        let result = match datagram {
            [0..=3, ..] => {
                let send = |path: &Path, bytes: &[u8]| outbox.push(path.remote.address, bytes);
                if !link.ice.receive(from, datagram, now, send) {
                    return;
                }
                link.heard = now;
                for section in &mut inbound.sections {
                    section.media.round_trip = link.ice.round_trip();
                }
                Ok(())
            }
            // Somebody else may not end the handshake.
            [20..=63, ..] if link.ice.path() == Some(from) => link.handshake.receive(datagram, now),
            _ => return,
        };
        let result = result.and_then(|()| self.handshake(now));
        self.end_by(result);
    }

    /// Sends what DTLS has to send, if there is somewhere to send it to, and takes what it has to say.
    fn handshake(&mut self, now: Instant) -> Result<(), EgressError> {
        let Receiver { link: Some(link), outbox, .. } = self else { return Ok(()) };
        let Some(path) = link.ice.path() else { return Ok(()) };
        match link.handshake.poll(|datagram| outbox.push(path.remote.address, datagram))? {
            Some(Said::Connected(keys)) if link.reports.is_none() => self.take_keys(&keys, now)?,
            Some(Said::Closed) => self.end(ReceiverEnd::Peer),
            _ if link.handshake.is_connected() && link.reports.is_none() => return Err(EgressError::NoProfile),
            _ => {}
        }
        Ok(())
    }

    fn take_keys(&mut self, keys: &Keys, now: Instant) -> Result<(), EgressError> {
        let Some(link) = &mut self.link else { return Ok(()) };
        link.reports = Some(Reports::new(keys, now)?);
        self.inbound.opener = Some(MediaOpener::new(keys.profile, &keys.peer).ok_or(EgressError::Keys)?);
        self.state = ReceiverState::Connected;
        Ok(())
    }

    fn take_reports(&mut self, datagram: &[u8], now: Instant) {
        let Some(reports) = self.link.as_mut().and_then(|link| link.reports.as_mut()) else { return };
        if let Some(compound) = reports.opener.open(datagram, &mut reports.opened) {
            self.inbound.take_reports(compound, now);
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, now: Instant) {
        let Some(link) = &mut self.link else { return };
        let outbox = &mut self.outbox;
        link.ice.advance(now, |path, check| outbox.push(path.remote.address, check));
        if let Some(end) = link.is_over(now) {
            return self.end(end);
        }
        if link.ice.path().is_some() && link.handshake.due() <= now {
            let result = link.handshake.advance(now).and_then(|()| self.handshake(now));
            self.end_by(result);
        }
        self.say(now);
    }

    /// Sends reports and feedback that are due, in one datagram.
    fn say(&mut self, now: Instant) {
        let Receiver { link: Some(link), inbound, outbox, .. } = self else { return };
        let Link { ice, reports: Some(reports), reduced_size, .. } = &mut **link else { return };
        let Some(path) = ice.path() else { return };
        let is_report_due = reports.due <= now;
        if !is_report_due && inbound.due().is_none_or(|due| due > now) {
            return;
        }
        let own = reports.own;
        outbox.write(path.remote.address, |bytes| {
            let begin = bytes.len();
            if is_report_due {
                reports.due = now + REPORT_INTERVAL;
                reports::write_report(own, &inbound.report(now), bytes);
            } else if !*reduced_size {
                reports::write_report(own, &[], bytes);
            }
            if is_report_due || !*reduced_size {
                rtcp::write_names(&[own], &reports.cname, bytes);
            }
            inbound.sections.iter_mut().for_each(|section| section.ask(own, now, bytes));
            if inbound.arrivals.due().is_some_and(|due| due <= now) {
                inbound.arrivals.write(own, inbound.any_source(), bytes);
            }
            reports.seal(bytes, begin)
        });
    }

    /// When to call [`Receiver::advance`] at the latest. Each call of another method may change it.
    pub fn next(&self) -> Instant {
        let Some(link) = &self.link else { return self.begun.idle };
        let handshake = link.ice.path().map(|_| link.handshake.due());
        let reports = link.reports.as_ref().map(|reports| reports.due);
        let feedback = reports.and_then(|_| self.inbound.due());
        let all = [Some(link.ice.due()), Some(link.over()), handshake, reports, feedback];
        all.into_iter().flatten().min().unwrap_or(self.begun.idle)
    }

    /// Hands out what is to be sent, each datagram with where it goes.
    pub fn transmit(&mut self, send: &mut impl FnMut(SocketAddr, &[u8])) {
        if !self.outbox.is_empty() {
            self.outbox.drain(send);
        }
    }

    /// How far it is.
    pub fn state(&self) -> ReceiverState {
        self.state.clone()
    }

    /// Asks for a key frame of the picture: at once, but not soon after another request that has not been answered.
    pub fn request_key_frame(&mut self, now: Instant) {
        self.inbound.sections.iter_mut().for_each(|section| section.want_key_frame(now));
        self.say(now);
    }

    /// What has been received, by media section; empty before the answer. It stays after the end.
    pub fn media(&self) -> impl Iterator<Item = &ReceivedMedia> {
        self.inbound.sections.iter().map(|section| &section.media)
    }

    /// As if the peer had connected under these keys. For fuzzers and tests.
    pub(super) fn pretend_connected(&mut self, keys: &Keys, now: Instant) -> Result<(), EgressError> {
        if let Some(link) = &mut self.link {
            link.ice.pretend_found();
        }
        self.take_keys(keys, now)
    }

    /// The number that a packet with this much of it in its header is opened with. For fuzzers and tests.
    pub(super) fn number(&self, source: u32, sequence: u16) -> Option<u64> {
        self.inbound.number(self.inbound.known(source), sequence)
    }

    /// Ends the session, and says farewell (RTCP BYE and DTLS close) with the next [`Receiver::transmit`].
    pub fn close(&mut self, _now: Instant) {
        let Receiver { link, outbox, .. } = self;
        if let Some((link, path)) = link.as_mut().and_then(|link| link.ice.path().map(|path| (link, path))) {
            let to = path.remote.address;
            if let Some(reports) = &mut link.reports {
                outbox.write(to, |bytes| {
                    let begin = bytes.len();
                    rtcp::write_farewell(&[reports.own], bytes);
                    reports.seal(bytes, begin)
                });
            }
            link.handshake.close();
            if let Err(error) = link.handshake.poll(|datagram| outbox.push(to, datagram)) {
                tracing::debug!(%error, "a receiver could not say farewell");
            }
        }
        self.end(ReceiverEnd::Local);
    }

    fn end_by(&mut self, result: Result<(), EgressError>) {
        if let Err(error) = result {
            self.end(ReceiverEnd::Handshake(error.to_string()));
        }
    }

    /// The first reason counts.
    fn end(&mut self, reason: ReceiverEnd) {
        if !matches!(self.state, ReceiverState::Closed(_)) {
            self.state = ReceiverState::Closed(reason);
        }
        self.link = None;
        self.inbound.opener = None;
    }
}

impl Link {
    /// When it ends, if nothing is heard until then.
    fn over(&self) -> Instant {
        match self.reports {
            Some(_) => self.heard + limits::WEBRTC_CONSENT_MS.get_duration(),
            None => self.begun + limits::WEBRTC_FIRST_CHECK_MS.get_duration(),
        }
    }

    fn is_over(&self, now: Instant) -> Option<ReceiverEnd> {
        (self.over() <= now).then(|| match (&self.reports, self.ice.path()) {
            (Some(_), _) => ReceiverEnd::Silent,
            (None, Some(_)) => ReceiverEnd::Unfinished,
            (None, None) => ReceiverEnd::Unreachable,
        })
    }
}
