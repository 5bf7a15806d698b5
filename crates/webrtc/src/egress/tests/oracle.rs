//! str0m as the viewer, the session or str0m as the source, and a network between them, on a clock that the test moves.

mod network;
mod source;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use headwater_media::ClockRate;
use str0m::{
    Candidate, Event, IceCreds, Input, Output, Rtc,
    media::{KeyframeRequestKind, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::{RawPacket, Ssrc, rtcp::Rtcp},
};

pub(super) use network::{Conditions, Network, chance};
use source::Numbers;
pub(super) use source::Source;

use crate::egress::tests::path;

pub(super) const PICTURE: usize = 0;
pub(super) const SOUND: usize = 1;
/// What str0m calls H.264 in its constrained baseline profile, its retransmission, and Opus.
const PICTURE_TYPE: u8 = 108;
const AGAIN_TYPE: u8 = 109;
const SOUND_TYPE: u8 = 111;

/// A packet that was put in, or that has come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Arc<[u8]>,
}

/// What the viewer has seen and said. Sequence numbers are extended.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By stream and number: when it came, whether it was asked for, and what it was.
    pub(super) packets: BTreeMap<(usize, u64), (Instant, Sent)>,
    /// Numbers of the picture that it asked for, and when.
    pub(super) asked: Vec<(u16, Instant)>,
    /// What sender reports said: the stream, the time, and the same on the stream's clock.
    pub(super) reports: Vec<(usize, SystemTime, u32)>,
}

pub(super) struct Scene {
    pub(super) now: Instant,
    pub(super) network: Network,
    pub(super) source: Source,
    pub(super) seen: Seen,
    /// What was put in.
    pub(super) sent: BTreeMap<(usize, u64), Sent>,
    viewer: Rtc,
    due: Instant,
    numbers: [Numbers; 2],
}

fn viewer_address() -> std::net::SocketAddr {
    path().remote.address
}

fn source_address() -> std::net::SocketAddr {
    ([192, 0, 2, 9], 8_189).into()
}

fn mid(stream: usize) -> Mid {
    Mid::from(if stream == PICTURE { "0" } else { "1" })
}

/// A client of str0m for both media, at an address, that knows the other.
fn client(now: Instant, is_lite: bool, own: std::net::SocketAddr, other: std::net::SocketAddr) -> Rtc {
    let config = Rtc::builder().set_rtp_mode(true).enable_raw_packets(true).set_ice_lite(is_lite);
    // Of sound it would report every five seconds, which is as long as a test.
    let mut rtc = config.set_rtcp_report_interval_audio(Duration::from_secs(1)).build(now);
    rtc.add_local_candidate(Candidate::host(own, "udp").unwrap());
    rtc.add_remote_candidate(Candidate::host(other, "udp").unwrap());
    let mut api = rtc.direct_api();
    api.declare_media(mid(PICTURE), MediaKind::Video);
    api.declare_media(mid(SOUND), MediaKind::Audio);
    rtc
}

impl Scene {
    /// The session and the viewer, connected.
    pub(super) fn ours(now: Instant, seed: u64, conditions: Conditions, viewer_is_client: bool) -> Scene {
        let mut viewer = client(now, false, viewer_address(), source_address());
        let source = Source::ours(&mut viewer, now, viewer_is_client);
        Scene::connect(source, viewer, now, Network::new(seed, conditions))
    }

    /// str0m and the viewer, connected.
    pub(super) fn theirs(now: Instant, seed: u64, conditions: Conditions) -> Scene {
        let mut viewer = client(now, false, viewer_address(), source_address());
        let source = Source::theirs(&mut viewer, now);
        Scene::connect(source, viewer, now, Network::new(seed, conditions))
    }

    fn connect(mut source: Source, mut viewer: Rtc, now: Instant, mut network: Network) -> Scene {
        let numbers = source.numbers();
        for (stream, Numbers { main, again }) in numbers.iter().enumerate() {
            let again = again.map(Ssrc::from);
            let mut api = viewer.direct_api();
            api.expect_stream_rx((*main).into(), again, mid(stream), None).suppress_nack(again.is_none());
        }
        // Nothing but the media of the test is lost, or it would be luck when it begins.
        let conditions = network.conditions;
        network.conditions = Conditions { lost: 0, doubled: 0, ..conditions };
        let (seen, sent) = (Seen::default(), BTreeMap::new());
        let mut scene = Scene { now, network, source, seen, sent, viewer, due: now, numbers };
        scene.run(1_000);
        assert!(scene.viewer.is_connected() && scene.source.is_connected());
        scene.network.conditions = conditions;
        scene
    }

    /// Puts a packet in.
    pub(super) fn send(&mut self, stream: usize, sequence: u64, packet: Sent) {
        self.source.send(stream, sequence, &packet, self.now);
        self.sent.insert((stream, sequence), packet);
    }

    /// Has the viewer ask for a picture that stands for itself.
    pub(super) fn want_key_frame(&mut self) {
        let mut api = self.viewer.direct_api();
        api.stream_rx_by_mid(mid(PICTURE), None).unwrap().request_keyframe(KeyframeRequestKind::Pli);
        self.due = self.now;
    }

    /// Lets milliseconds pass.
    pub(super) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.step();
            self.now += Duration::from_millis(1);
        }
    }

    /// Lets everything happen that is due.
    pub(super) fn step(&mut self) {
        let now = self.now;
        for datagram in self.source.take() {
            let place = self.place(&datagram);
            self.network.post_media(place, datagram, now);
        }
        while let Some(datagram) = self.network.to_viewer.arrives(now) {
            let Ok(received) = Receive::new(Protocol::Udp, source_address(), viewer_address(), &datagram) else {
                panic!("the source has sent what is no datagram of WebRTC")
            };
            self.viewer.handle_input(Input::Receive(now, received)).unwrap();
            self.drain();
        }
        if self.due <= now {
            self.viewer.handle_input(Input::Timeout(now)).unwrap();
            self.drain();
        }
        while let Some(datagram) = self.network.to_source.arrives(now) {
            self.source.receive(&datagram, &self.sent, now);
        }
        self.source.advance(&self.sent, now);
    }

    fn drain(&mut self) {
        loop {
            match self.viewer.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.due = at;
                    return;
                }
                Output::Transmit(transmit) => self.network.post_back(transmit.contents.to_vec(), self.now),
                Output::Event(event) => self.take(event),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::RtpPacket(packet) => {
                let stream = self.stream(*packet.header.ssrc);
                let expected = if stream == PICTURE { PICTURE_TYPE } else { SOUND_TYPE };
                assert_eq!(*packet.header.payload_type, expected);
                let (timestamp, marker) = (packet.header.timestamp, packet.header.marker);
                let sent = Sent { timestamp, marker, payload: packet.payload };
                let before = self.seen.packets.insert((stream, *packet.seq_no), (self.now, sent));
                assert!(before.is_none(), "a packet is handed on twice");
            }
            Event::RawPacket(packet) => self.look_into(*packet),
            _ => {}
        }
    }

    fn look_into(&mut self, packet: RawPacket) {
        match packet {
            RawPacket::RtcpTx(Rtcp::Nack(nack)) => {
                assert_eq!(self.stream(*nack.ssrc), PICTURE);
                for entry in nack.reports.iter() {
                    let more = (0..16u16).filter(|bit| entry.blp & (1 << bit) != 0).map(|bit| bit + 1);
                    let numbers = std::iter::once(0).chain(more).map(|behind| entry.pid.wrapping_add(behind));
                    self.seen.asked.extend(numbers.map(|number| (number, self.now)));
                }
            }
            RawPacket::RtcpRx(Rtcp::SenderReport(report)) => {
                let info = report.sender_info;
                self.seen.reports.push((self.stream(*info.ssrc), info.ntp_time, info.rtp_time.numer() as u32));
            }
            _ => {}
        }
    }

    fn stream(&self, source: u32) -> usize {
        self.numbers.iter().position(|numbers| numbers.main == source).expect("one of the two streams")
    }

    /// Which packet of a stream it is; `None` where it is none that was put in, but one sent again, or a report.
    fn place(&self, datagram: &[u8]) -> Option<(usize, u16)> {
        let [128..=191, second, high, low, _, _, _, _, s0, s1, s2, s3, ..] = *datagram else { return None };
        let source = u32::from_be_bytes([s0, s1, s2, s3]);
        let stream = self.numbers.iter().position(|numbers| numbers.main == source)?;
        (!(192..=223).contains(&second)).then_some((stream, u16::from_be_bytes([high, low])))
    }

    /// How many packets of the picture have left again.
    pub(super) fn again(&self) -> u64 {
        self.network.again
    }
}

/// The clock of a stream.
pub(super) fn clock_rate(stream: usize) -> ClockRate {
    if stream == PICTURE { ClockRate::VIDEO } else { ClockRate::OPUS }
}

fn credentials(of: &IceCreds) -> crate::sdp::IceCredentials {
    crate::sdp::IceCredentials { fragment: of.ufrag.clone(), password: of.pass.clone() }
}
