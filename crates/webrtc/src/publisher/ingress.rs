//! The transport of one publisher: ICE, DTLS, SRTP and RTCP, by str0m in RTP mode.
//!
//! Datagrams in; packets, reports and datagrams out, and a time to run again. No socket, no clock, no stream.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use headwater_media::{Orientation, Ticks};
use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcError,
    bwe::Bitrate,
    change::DirectApi,
    crypto::Fingerprint,
    media::{KeyframeRequestKind, MediaKind, Mid, Rid},
    net::{Protocol, Receive},
    rtp::{Extension, ExtensionMap, ExtensionSerializer, ExtensionValues, RtpPacket, Ssrc},
};

use crate::{
    dtls,
    egress::{Carrier, Common, Remote},
    rtc::{add_format, credentials, stand_in, stand_ins},
    sdp::{IceCredentials, Role, extension},
};

use super::{
    agreed::{Agreed, Section},
    strangers::{Strangers, Verdict},
};

/// Time between two receiver reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two looks at what was asked of the peer.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two checks of the way to a peer that this side has called. It answers each, so that silence says soon
/// that the way is broken.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Checks without an answer after which the way is given up: later than the session itself is.
const CHECKS_MAX: usize = 40;

/// A media packet that has come in, lost ones that came again included.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    /// Extended, so that it does not wrap.
    pub(crate) sequence: u64,
    /// Extended, so that it does not wrap.
    pub(crate) timestamp: Ticks,
    pub(crate) marker: bool,
    /// −dBov, where the peer says it (RFC 6464).
    pub(crate) audio_level: Option<u8>,
    /// When it was captured by the peer's clock, where the peer says it: now and then.
    pub(crate) captured: Option<SystemTime>,
    /// How its picture is to be turned, where it says so.
    pub(crate) orientation: Option<Orientation>,
    pub(crate) payload: Arc<[u8]>,
}

impl From<RtpPacket> for Incoming {
    fn from(packet: RtpPacket) -> Incoming {
        Incoming {
            ssrc: *packet.header.ssrc,
            payload_type: *packet.header.payload_type,
            sequence: *packet.seq_no,
            timestamp: Ticks::try_from(packet.time.numer()).unwrap_or(Ticks::MAX),
            marker: packet.header.marker,
            audio_level: packet.header.ext_vals.audio_level.map(i8::unsigned_abs),
            captured: packet.header.ext_vals.abs_capture_time.map(|time| time.capture_time),
            orientation: packet.header.ext_vals.user_values.get().copied(),
            payload: packet.payload,
        }
    }
}

/// Reads how a picture is to be turned. str0m's own reader passes over the bits for flip and camera.
#[derive(Debug)]
struct ReadOrientation;

impl ExtensionSerializer for ReadOrientation {
    fn write_to(&self, _: &mut [u8], _: &ExtensionValues) -> usize {
        // This session only receives.
        0
    }

    fn parse_value(&self, bytes: &[u8], values: &mut ExtensionValues) -> bool {
        let read = bytes.first().map(|byte| Orientation::read(*byte));
        read.is_some_and(|orientation| {
            values.user_values.set(orientation);
            true
        })
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }
}

/// What the peer or the transport has to say.
#[derive(Debug)]
pub(crate) enum Notice {
    /// ICE, DTLS and SRTP are up.
    Connected,
    /// The peer has closed the session.
    Closed,
    /// A packet has come.
    Packet(Incoming),
    /// A sender report: this timestamp of this source was captured at that time of the peer's clock.
    /// It has sent so many packets of it, modulo 2^32.
    Report { ssrc: u32, timestamp: u32, captured: SystemTime, packets: u32 },
    /// A second has passed. A check took so long to the peer and back, where any was answered.
    Counted { round_trip: Option<Duration> },
    /// How often the peer was asked so far for packets of a rendition that did not come.
    Nacks { section: usize, rid: Option<String>, requests: u64 },
}

/// What a media section holds.
#[derive(Debug)]
struct Place {
    mid: Mid,
    /// Which of the sections agreed on.
    section: usize,
    /// The rendition, where it holds one alone of several.
    label: Option<String>,
}

/// The transport of one publisher.
#[derive(Debug)]
pub(crate) struct Ingress {
    rtc: Rtc,
    port: u16,
    places: Vec<Place>,
    strangers: Strangers,
    stand_ins: Vec<Candidate>,
    /// The call whose socket it uses, if this side has begun it.
    call: Option<u32>,
}

impl Ingress {
    /// A session that waits for its peer.
    pub(crate) fn new(common: &Common, agreed: &Agreed<'_>, now: Instant) -> Result<Ingress, RtcError> {
        let mut extensions = ExtensionMap::empty();
        for (number, uri) in agreed.sections.iter().flat_map(|section| &section.extensions) {
            if let Some(extension) = known(uri) {
                extensions.set(*number, extension);
            }
        }
        let mut config = common
            .config()
            .set_crypto_provider(dtls::provider(agreed.role == Role::Active))
            .set_local_ice_credentials(credentials(agreed.local_ice))
            .set_ice_lite(agreed.call.is_none())
            .set_rtp_mode(true)
            .set_stats_interval(Some(COUNT_INTERVAL))
            .set_rtcp_report_interval_audio(REPORT_INTERVAL)
            .set_rtcp_report_interval_video(REPORT_INTERVAL)
            .set_extension_map(extensions)
            .clear_codecs();
        let mut numbers = HashSet::new();
        for format in agreed.sections.iter().flat_map(|section| &section.formats) {
            if numbers.insert(format.payload_type) {
                add_format(&mut config, format);
            }
        }
        if agreed.call.is_some() {
            config.set_max_stun_rto(CHECK_INTERVAL);
            config.set_max_stun_retransmits(CHECKS_MAX);
        }
        let mut rtc = config.build(now);
        let mut api = rtc.direct_api();
        // Who offers controls, unless it is lite and the other is not (RFC 8445 §6.1.1).
        api.set_ice_controlling(agreed.call.is_some());
        api.set_remote_ice_credentials(credentials(agreed.remote_ice));
        api.set_remote_fingerprint(agreed.fingerprint.clone());
        let with_index = agreed.sections.iter().enumerate();
        let places = with_index.flat_map(|(index, section)| declare(&mut api, index, section)).collect();
        let all = || agreed.sections.iter().flat_map(|section| &section.extensions);
        if all().any(|(_, uri)| *uri == extension::TRANSPORT_SEQUENCE) {
            api.enable_twcc_feedback();
        }
        api.start_dtls(agreed.role == Role::Active)?;
        let stand_ins = stand_ins(agreed.port);
        for candidate in &stand_ins {
            rtc.add_local_candidate(candidate.clone());
        }
        let candidates = agreed.call.map_or(&[][..], |call| call.candidates);
        for candidate in candidates.iter().filter_map(|address| Candidate::host(*address, Protocol::Udp).ok()) {
            rtc.add_remote_candidate(candidate);
        }
        let call = agreed.call.map(|call| call.number);
        Ok(Ingress { rtc, port: agreed.port, places, strangers: Strangers::new(agreed.sections), stand_ins, call })
    }

    /// Whether this side has begun the session, and so checks the way to the peer.
    pub(crate) fn is_call(&self) -> bool {
        self.call.is_some()
    }

    /// The fingerprint of this side's certificate.
    pub(crate) fn fingerprint(&mut self) -> Fingerprint {
        self.rtc.direct_api().local_dtls_fingerprint().clone()
    }

    /// Whether a STUN message proves to come from the peer: it carries a checksum under this session's password.
    pub(crate) fn proves(&self, from: Remote, datagram: &[u8], now: Instant) -> bool {
        self.receive_input(from, datagram).is_some_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// Takes a datagram from a proven address; what it holds comes out of the next [`Ingress::drain`]. What makes no
    /// sense is passed over.
    pub(crate) fn receive(&mut self, from: Remote, datagram: &[u8], now: Instant) -> Result<(), RtcError> {
        match self.strangers.look_at(datagram) {
            Verdict::Known => {}
            Verdict::TooMany => return Ok(()),
            Verdict::New { ssrc, section, is_again } => self.expect(ssrc, section, is_again),
        }
        match self.receive_input(from, datagram) {
            Some(receive) => self.rtc.handle_input(Input::Receive(now, receive)),
            None => Ok(()),
        }
    }

    /// Expects a source that says nothing of itself but its payload type.
    fn expect(&mut self, ssrc: u32, section: usize, is_again: bool) {
        let Some(mid) = self.places.iter().find(|place| place.section == section).map(|place| place.mid) else {
            return;
        };
        let mut api = self.rtc.direct_api();
        let main = match is_again {
            false => Ssrc::from(ssrc),
            true => match api.stream_rx_by_mid(mid, None) {
                Some(stream) => stream.ssrc(),
                None => return,
            },
        };
        api.expect_stream_rx(main, is_again.then_some(Ssrc::from(ssrc)), mid, None);
    }

    fn receive_input<'a>(&self, from: Remote, datagram: &'a [u8]) -> Option<Receive<'a>> {
        let protocol = match from.carrier {
            Carrier::Udp | Carrier::Call(_) => Protocol::Udp,
            Carrier::Tcp => Protocol::Tcp,
        };
        let local = stand_in(from.address.is_ipv4(), self.port);
        Receive::new(protocol, from.address, local, datagram).ok()
    }

    /// The section and the rendition that a source belongs to.
    pub(crate) fn place_of(&mut self, ssrc: u32) -> Option<(usize, Option<String>)> {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&Ssrc::from(ssrc))?;
        let (mid, rid) = (stream.mid(), stream.rid());
        let place = self.places.iter().find(|place| place.mid == mid)?;
        Some(place.of(rid))
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
                    let carrier = match (self.call, transmit.proto) {
                        (Some(call), _) => Carrier::Call(call),
                        (None, Protocol::Udp) => Carrier::Udp,
                        (None, _) => Carrier::Tcp,
                    };
                    send(Remote { carrier, address: transmit.destination }, &transmit.contents);
                }
                Output::Event(event) => match event {
                    Event::Connected => tell(Notice::Connected),
                    Event::Closed => tell(Notice::Closed),
                    Event::RtpPacket(packet) => tell(Notice::Packet(packet.into())),
                    Event::SenderFeedback(feedback) => tell(Notice::Report {
                        ssrc: *feedback.sender_info.ssrc,
                        // RTP counts in 32 bits; what is more was added by the reader.
                        timestamp: feedback.sender_info.rtp_time.numer() as u32,
                        captured: feedback.sender_info.ntp_time,
                        packets: feedback.sender_info.sender_packet_count,
                    }),
                    Event::PeerStats(counted) => {
                        let pair = counted.selected_candidate_pair;
                        tell(Notice::Counted { round_trip: pair.and_then(|pair| pair.current_round_trip_time) });
                    }
                    Event::MediaIngressStats(counted) => {
                        if let Some(place) = self.places.iter().find(|place| place.mid == counted.mid) {
                            let (section, rid) = place.of(counted.rid);
                            tell(Notice::Nacks { section, rid, requests: counted.nacks });
                        }
                    }
                    _ => {}
                },
            }
        }
    }

    /// Asks for a key frame, in the way that was agreed on. Says whether there is one.
    pub(crate) fn request_key_frame(&mut self, ssrc: u32, section: &Section) -> bool {
        let agreed = |word: &str| section.formats.iter().any(|format| format.feedback.contains(&word));
        let kind = match (agreed("nack pli"), agreed("ccm fir")) {
            (true, _) => KeyframeRequestKind::Pli,
            (false, true) => KeyframeRequestKind::Fir,
            (false, false) => return false,
        };
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&Ssrc::from(ssrc));
        stream.map(|stream| stream.request_keyframe(kind)).is_some()
    }

    /// Tells the peer the most bits in a second that it should send.
    pub(crate) fn request_bitrate(&mut self, ssrc: u32, bits: u64) {
        if let Some(stream) = self.rtc.direct_api().stream_rx(&Ssrc::from(ssrc)) {
            stream.request_remb(Bitrate::from(bits));
        }
    }

    /// Begins ICE anew under other credentials (RFC 8445 §9).
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

    /// Says farewell, sent by the next [`Ingress::drain`].
    pub(crate) fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "a WebRTC publisher could not be said farewell to");
        }
    }
}

fn known(uri: &str) -> Option<Extension> {
    Some(match uri {
        extension::MID => Extension::RtpMid,
        extension::RID => Extension::RtpStreamId,
        extension::REPAIRED_RID => Extension::RepairedRtpStreamId,
        extension::TRANSPORT_SEQUENCE => Extension::TransportSequenceNumber,
        extension::AUDIO_LEVEL => Extension::AudioLevel,
        extension::CAPTURE_TIME => Extension::AbsoluteCaptureTime,
        extension::ORIENTATION => Extension::with_serializer(uri, ReadOrientation),
        _ => return None,
    })
}

impl Place {
    /// The section and the rendition of a source whose packets say this of themselves.
    fn of(&self, rid: Option<Rid>) -> (usize, Option<String>) {
        (self.section, self.label.clone().or_else(|| rid.map(|rid| rid.to_string())))
    }
}

fn declare(api: &mut DirectApi<'_>, index: usize, section: &Section) -> Vec<Place> {
    let kind = if section.is_video { MediaKind::Video } else { MediaKind::Audio };
    let mut places = Vec::new();
    for part in &section.parts {
        let mid = Mid::from(part.mid.as_str());
        let media = api.declare_media(mid, kind);
        // Renditions of one section are told apart by their names in the packets, whatever their numbers are.
        let rids = if part.label.is_some() { &[][..] } else { &section.rids };
        for rid in rids {
            media.expect_rid_rx(Rid::from(rid.as_str()));
        }
        for source in part.sources.iter().filter(|_| rids.is_empty()) {
            let again = source.retransmissions.map(Ssrc::from);
            let stream = api.expect_stream_rx(Ssrc::from(source.main), again, mid, None);
            stream.suppress_nack(!section.resends());
        }
        places.push(Place { mid, section: index, label: part.label.clone() });
    }
    places
}
