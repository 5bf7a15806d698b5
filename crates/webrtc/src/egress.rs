//! The transport of one session: ICE, DTLS, SRTP and RTCP, by str0m in RTP mode.
//!
//! This is the narrow boundary behind which another implementation can take str0m's place: datagrams in, packets in,
//! datagrams out, and a time to run again. No socket, no clock, no stream.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_media::limits;
use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig, RtcError,
    change::DirectApi,
    config::{CryptoProvider, DtlsCert},
    crypto::Fingerprint,
    media::{MediaKind, Mid, Pt},
    net::{Protocol, Receive},
    rtp::{Extension, ExtensionMap, RtpWrite, Ssrc, StreamTx},
};

use crate::{
    rtc::{add_format, credentials, stand_in, stand_ins},
    sdp::{Format, IceCredentials, Role},
};

/// Sent packets kept for retransmission, and how long. str0m keeps some 430 bytes for each, the payload apart.
const RESEND_PACKETS: usize = 256;
const RESEND_TIME: Duration = Duration::from_secs(1);
/// The part of all bytes above which retransmissions stop: 1.25 times the media itself.
const RESEND_RATIO_MAX: f32 = 0.555;
/// The largest RTP payload: beyond it a datagram would not fit a path of 1,500 bytes.
const PAYLOAD_BYTES_MAX: usize = 1_400;

/// Time between two sender reports. A browser aligns sound with picture once it has one of each.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Over what a datagram travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Carrier {
    Udp,
    Tcp,
}

/// The other end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Remote {
    pub(crate) carrier: Carrier,
    pub(crate) address: SocketAddr,
}

/// What all sessions have in common: the certificate, made once, and the cryptography.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    certificate: DtlsCert,
    crypto: Arc<CryptoProvider>,
}

impl Common {
    /// Makes a certificate. `None` if the cryptographic library cannot.
    pub(crate) fn new() -> Option<Common> {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto.dtls_provider.generate_certificate()?;
        Some(Common { certificate, crypto })
    }

    /// What every session of str0m is built from.
    pub(crate) fn config(&self) -> RtcConfig {
        RtcConfig::new().set_crypto_provider(self.crypto.clone()).set_dtls_cert(self.certificate.clone())
    }
}

/// One medium that a session sends.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) is_video: bool,
    pub(crate) mid: String,
    pub(crate) formats: Vec<Format>,
}

/// What has been agreed on for one session.
#[derive(Clone, Debug)]
pub(crate) struct Agreed<'a> {
    pub(crate) local_ice: &'a IceCredentials,
    pub(crate) remote_ice: &'a IceCredentials,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) role: Role,
    pub(crate) mid_extension: Option<u8>,
    pub(crate) media: &'a [Outgoing],
    /// The port that the shard's sockets are bound to.
    pub(crate) port: u16,
}

/// The numbers of an outgoing stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources {
    pub(crate) main: u32,
    pub(crate) retransmissions: Option<u32>,
}

/// What the peer or the transport has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// ICE, DTLS and SRTP are up.
    Connected,
    /// The peer cannot decode this source without a random access point.
    KeyFrameWanted { source: u32 },
    /// The peer has closed the session.
    Closed,
}

/// One packet on its way out.
#[derive(Debug)]
pub(crate) struct OutPacket<'a> {
    pub(crate) payload_type: u8,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    /// When it was captured, for sender reports.
    pub(crate) captured: Instant,
    pub(crate) marker: bool,
    pub(crate) payload: &'a Arc<[u8]>,
}

/// The transport of one session.
#[derive(Debug)]
pub(crate) struct Egress {
    rtc: Rtc,
    port: u16,
    sources: Vec<(Mid, Sources)>,
    stand_ins: Vec<Candidate>,
}

impl Egress {
    /// A session that waits for its peer.
    pub(crate) fn new(common: &Common, agreed: &Agreed<'_>, now: Instant) -> Result<Egress, RtcError> {
        let mut config = common
            .config()
            .set_local_ice_credentials(credentials(agreed.local_ice))
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_stats_interval(None)
            .set_rtcp_report_interval_audio(REPORT_INTERVAL)
            .set_rtcp_report_interval_video(REPORT_INTERVAL)
            .clear_codecs();
        let mut extensions = ExtensionMap::empty();
        if let Some(number) = agreed.mid_extension {
            extensions.set(number, Extension::RtpMid);
        }
        config = config.set_extension_map(extensions);
        for format in agreed.media.iter().flat_map(|media| &media.formats) {
            add_format(&mut config, format);
        }
        let mut rtc = config.build(now);
        let mut api = rtc.direct_api();
        api.set_ice_controlling(false);
        api.set_remote_ice_credentials(credentials(agreed.remote_ice));
        api.set_remote_fingerprint(agreed.fingerprint.clone());
        let sources = agreed.media.iter().map(|media| declare(&mut api, media)).collect();
        api.start_dtls(agreed.role == Role::Active)?;
        let stand_ins = stand_ins(agreed.port);
        for candidate in &stand_ins {
            rtc.add_local_candidate(candidate.clone());
        }
        Ok(Egress { rtc, port: agreed.port, sources, stand_ins })
    }

    /// The fingerprint of this side's certificate.
    pub(crate) fn fingerprint(&mut self) -> Fingerprint {
        self.rtc.direct_api().local_dtls_fingerprint().clone()
    }

    /// The numbers of each outgoing stream, in the order they were agreed on.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Sources> {
        self.sources.iter().map(|(_, sources)| *sources)
    }

    /// Whether a STUN message proves to come from the peer: it carries a checksum under this session's password.
    pub(crate) fn proves(&self, from: Remote, datagram: &[u8], now: Instant) -> bool {
        self.receive_input(from, datagram).is_some_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// Takes a datagram from a proven address. What makes no sense is passed over.
    pub(crate) fn receive(&mut self, from: Remote, datagram: &[u8], now: Instant) -> Result<(), RtcError> {
        match self.receive_input(from, datagram) {
            Some(receive) => self.rtc.handle_input(Input::Receive(now, receive)),
            None => Ok(()),
        }
    }

    fn receive_input<'a>(&self, from: Remote, datagram: &'a [u8]) -> Option<Receive<'a>> {
        let protocol = match from.carrier {
            Carrier::Udp => Protocol::Udp,
            Carrier::Tcp => Protocol::Tcp,
        };
        let local = stand_in(from.address.is_ipv4(), self.port);
        Receive::new(protocol, from.address, local, datagram).ok()
    }

    /// Lets `fill` hand over packets of one source; they leave with the next [`Egress::drain`].
    pub(crate) fn write(&mut self, source: u32, fill: impl FnOnce(&mut Writer<'_>)) {
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_tx(&Ssrc::from(source)) {
            fill(&mut Writer(stream));
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Instant) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Timeout(now))
    }

    /// Yields what is to be sent and said, and then when to run again.
    pub(crate) fn drain(
        &mut self,
        mut send: impl FnMut(Remote, &[u8]),
        mut tell: impl FnMut(Notice),
    ) -> Result<Instant, RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => {
                    let carrier = match transmit.proto {
                        Protocol::Udp => Carrier::Udp,
                        _ => Carrier::Tcp,
                    };
                    send(Remote { carrier, address: transmit.destination }, &transmit.contents);
                }
                Output::Event(event) => {
                    if let Some(notice) = self.notice(&event) {
                        tell(notice);
                    }
                }
            }
        }
    }

    fn notice(&self, event: &Event) -> Option<Notice> {
        match event {
            Event::Connected => Some(Notice::Connected),
            Event::Closed => Some(Notice::Closed),
            Event::KeyframeRequest(request) => {
                let (_, sources) = self.sources.iter().find(|(mid, _)| *mid == request.mid)?;
                Some(Notice::KeyFrameWanted { source: sources.main })
            }
            _ => None,
        }
    }

    /// Begins ICE anew under other credentials. Media goes on over the old path until the peer has chosen a new one
    /// (RFC 8445 §9).
    pub(crate) fn restart_ice(&mut self, local: &IceCredentials, remote: &IceCredentials) {
        let mut api = self.rtc.direct_api();
        // Taking the local candidates away and adding them again is what forgets the old pairs.
        for candidate in &self.stand_ins {
            api.invalidate_candidate(candidate);
        }
        api.set_local_ice_credentials(credentials(local));
        api.set_remote_ice_credentials(credentials(remote));
        for candidate in &self.stand_ins {
            self.rtc.add_local_candidate(candidate.clone());
        }
    }

    /// Says farewell: RTCP BYE and DTLS close, sent by the next [`Egress::drain`].
    pub(crate) fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "a WebRTC session could not say farewell");
        }
    }
}

/// Takes the packets of one source.
pub(crate) struct Writer<'a>(&'a mut StreamTx);

impl Writer<'_> {
    /// Takes a packet. One that is too large for a datagram is counted and passed over.
    pub(crate) fn push(&mut self, packet: &OutPacket<'_>) {
        if packet.payload.len() > PAYLOAD_BYTES_MAX {
            limits::WEBRTC_DATAGRAM_BYTES.hit();
            return;
        }
        let write = RtpWrite::new(
            Pt::from(packet.payload_type),
            packet.sequence.into(),
            packet.timestamp,
            packet.captured,
            packet.payload.clone(),
        );
        self.0.write_rtp(write.marker(packet.marker).nackable(true));
    }
}

fn declare(api: &mut DirectApi<'_>, media: &Outgoing) -> (Mid, Sources) {
    let mid = Mid::from(media.mid.as_str());
    let kind = if media.is_video { MediaKind::Video } else { MediaKind::Audio };
    api.declare_media(mid, kind);
    let main = api.new_ssrc();
    let resends = media.formats.iter().any(|format| format.retransmission.is_some());
    let retransmissions =
        resends.then(|| std::iter::repeat_with(|| api.new_ssrc()).find(|ssrc| *ssrc != main).unwrap_or(main));
    let stream = api.declare_stream_tx(main, retransmissions, mid, None);
    let packets = if resends { RESEND_PACKETS } else { 0 };
    stream.set_rtx_cache(packets, RESEND_TIME, resends.then_some(RESEND_RATIO_MAX));
    (mid, Sources { main: *main, retransmissions: retransmissions.map(|ssrc| *ssrc) })
}
