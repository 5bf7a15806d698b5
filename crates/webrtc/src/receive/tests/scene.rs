//! A receiver, the server's own sender, and a network between them, on a clock that the test moves.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use headwater_media::ClockRate;
use str0m::crypto::Fingerprint;

use super::super::*;
use crate::{
    Offer,
    egress::{Agreed, Carrier, Egress, Notice, OutPacket, Outgoing, Path, Remote},
    sdp::{self, Format, IceCredentials, Role},
};

pub(super) const SOUND: usize = 0;
pub(super) const PICTURE: usize = 1;
/// Packets of a picture, and pictures of a group.
pub(super) const PICTURE_PACKETS: u64 = 7;
pub(super) const GROUP: u64 = 60;

pub(super) fn server_address() -> SocketAddr {
    ([192, 0, 2, 1], 8_189).into()
}

fn receiver_path() -> Path {
    Path { remote: Remote { carrier: Carrier::Udp, address: ([192, 0, 2, 9], 5_000).into() }, local: None }
}

/// The payload of a packet: of a picture, with the head of a NAL unit before it.
pub(super) fn payload(stream: usize, sequence: u64) -> Vec<u8> {
    let mut payload = vec![sequence as u8; if stream == SOUND { 80 } else { 1_000 }];
    if stream == PICTURE {
        let is_key = sequence.is_multiple_of(GROUP * PICTURE_PACKETS);
        payload[0] = if is_key { 0x65 } else { 0x41 };
    }
    payload[1..9].copy_from_slice(&sequence.to_be_bytes());
    payload
}

fn timestamp(stream: usize, sequence: u64) -> u32 {
    let ticks = if stream == SOUND { sequence * 960 } else { sequence / PICTURE_PACKETS * 3_000 };
    (ticks as u32).wrapping_sub(14_000_000)
}

/// An answer to the offer in the words of any server.
pub(super) fn write_answer(offer: &Offer, ice: &IceCredentials, fingerprint: &Fingerprint, setup: &str) -> String {
    let digits: Vec<String> = fingerprint.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let mut answer = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n".to_owned();
    for (mid, section) in offer.media.iter().enumerate() {
        let format = &sdp::choose(section, None)[0];
        let number = format.payload_type;
        let numbers = format.retransmission.map_or(number.to_string(), |again| format!("{number} {again}"));
        answer += &format!(
            "m={} 9 UDP/TLS/RTP/SAVPF {numbers}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=ice-ufrag:{}\r\n\
             a=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=sendonly\r\na=rtcp-mux\r\n\
             a=rtcp-rsize\r\na=extmap:1 {}\r\na=extmap:2 {}\r\na=rtpmap:{number} {}\r\n\
             a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host\r\n",
            section.name,
            ice.fragment,
            ice.password,
            digits.join(":"),
            sdp::extension::MID,
            sdp::extension::TRANSPORT_SEQUENCE,
            format.map,
        );
        if let Some(parameters) = &format.parameters {
            answer += &format!("a=fmtp:{number} {parameters}\r\n");
        }
        if let Some(again) = format.retransmission {
            for kind in &format.feedback {
                answer += &format!("a=rtcp-fb:{number} {kind}\r\n");
            }
            answer += &format!("a=rtpmap:{again} rtx/90000\r\na=fmtp:{again} apt={number}\r\n");
        }
    }
    answer
}

/// What a receiver has handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) kind: TrackKind,
    pub(super) sequence: u64,
    pub(super) timestamp: u64,
    pub(super) is_retransmission: bool,
}

/// What the network does to datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    /// Of a thousand.
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) delay_ms: u64,
    /// Up to so much more, so that datagrams overtake each other.
    pub(super) jitter_ms: u64,
}

pub(super) struct Scene {
    pub(super) now: Instant,
    pub(super) network: Network,
    pub(super) receiver: Receiver,
    pub(super) server: Egress,
    pub(super) formats: Vec<Format>,
    pub(super) notices: Vec<Notice>,
    pub(super) taken: Vec<Taken>,
    /// Whether the server sends again what is asked for.
    pub(super) resends: bool,
    sent: Vec<Vec<u8>>,
    ways: [BTreeMap<(Instant, u64), Vec<u8>>; 2],
    counter: u64,
    seed: u64,
}

const TO_RECEIVER: usize = 0;
const TO_SERVER: usize = 1;

impl Scene {
    /// Both sides before the first check; `role` is the server's in the handshake.
    pub(super) fn new(role: Role, seed: u64, change: impl FnOnce(String) -> String) -> Scene {
        let now = Instant::now();
        let (mut receiver, offer) = Receiver::new(&ReceiverCommon::new().unwrap(), now);
        let offer = Offer::parse(&offer).unwrap();
        let common = Common::new().unwrap();
        let ice = IceCredentials { fragment: "there".into(), password: "password-of-there-that-is-long".into() };
        let setup = if role == Role::Passive { "passive" } else { "active" };
        let answer = change(write_answer(&offer, &ice, &common.fingerprint(), setup));
        let formats: Vec<Format> = offer.media.iter().map(|section| sdp::choose(section, None).remove(0)).collect();
        let outgoing = |(mid, format): (usize, &Format)| Outgoing {
            mid: mid.to_string(),
            formats: vec![format.clone()],
            transport_extension: Some(2),
            orientation_extension: None,
            sources: None,
        };
        let media: Vec<Outgoing> = formats.iter().enumerate().map(outgoing).collect();
        let agreed = Agreed {
            local_ice: &ice,
            remote_ice: &offer.ice,
            fingerprint: &offer.fingerprint,
            role,
            mid_extension: Some(1),
            media: &media,
            cname: "there",
            candidates: None,
        };
        let server = Egress::new(&common, &agreed, now).unwrap();
        receiver.accept(&answer, now).unwrap();
        Scene {
            now,
            network: Network { lost: 0, doubled: 0, delay_ms: 10, jitter_ms: 0 },
            receiver,
            server,
            formats,
            notices: Vec::new(),
            taken: Vec::new(),
            resends: true,
            sent: Vec::new(),
            ways: Default::default(),
            counter: 0,
            seed,
        }
    }

    pub(super) fn connected(seed: u64) -> Scene {
        let mut scene = Scene::new(Role::Passive, seed, |answer| answer);
        scene.connect();
        scene
    }

    pub(super) fn connect(&mut self) {
        self.run(200);
        assert_eq!(self.receiver.state(), ReceiverState::Connected);
        assert!(self.notices.contains(&Notice::Connected));
    }

    pub(super) fn chance(&mut self, of: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % of
    }

    /// The server sends a packet.
    pub(super) fn send(&mut self, stream: usize, sequence: u64) {
        let payload = payload(stream, sequence);
        let packet = packet(&self.formats, stream, sequence, &payload);
        let now = self.now;
        self.server.write(stream, now, &mut self.sent, |writer| {
            writer.push(&packet);
            writer.captured(packet.timestamp, ClockRate::VIDEO, now);
        });
        self.server.finish(now, &mut self.sent);
    }

    /// What the server has sent since it was last looked at, in place of being on its way.
    pub(super) fn intercept(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sent)
    }

    /// Gives the receiver a datagram, past the network.
    pub(super) fn give(&mut self, from: SocketAddr, datagram: &[u8]) -> usize {
        let before = self.taken.len();
        let taken = &mut self.taken;
        self.receiver.receive(from, &mut datagram.to_vec(), self.now, &mut |arrived| {
            let stream = if arrived.kind == TrackKind::Audio { SOUND } else { PICTURE };
            assert_eq!(arrived.payload, payload(stream, arrived.sequence), "{stream} {}", arrived.sequence);
            assert_eq!(arrived.timestamp as u32, timestamp(stream, arrived.sequence));
            taken.push(Taken {
                kind: arrived.kind,
                sequence: arrived.sequence,
                timestamp: arrived.timestamp,
                is_retransmission: arrived.is_retransmission,
            });
        });
        self.taken.len() - before
    }

    /// Lets milliseconds pass.
    pub(super) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now += Duration::from_millis(1);
            self.step();
        }
    }

    fn step(&mut self) {
        while let Some(datagram) = self.arrives(TO_RECEIVER) {
            self.give(server_address(), &datagram);
        }
        if self.receiver.next() <= self.now {
            self.receiver.advance(self.now);
            assert!(self.receiver.next() > self.now, "it is not called again at once");
        }
        let mut out = Vec::new();
        self.receiver.transmit(&mut |to, datagram| {
            assert_eq!(to, server_address());
            assert!(datagram.len() <= 1_500);
            out.push(datagram.to_vec());
        });
        out.into_iter().for_each(|datagram| self.post(TO_SERVER, datagram));
        while let Some(datagram) = self.arrives(TO_SERVER) {
            self.hand_over(&datagram);
        }
        if self.server.deadline().is_some_and(|due| due <= self.now) {
            self.server.advance(self.now, &mut self.sent, &mut self.notices).unwrap();
        }
        self.intercept().into_iter().for_each(|datagram| self.post(TO_RECEIVER, datagram));
    }

    /// Gives the server a datagram, past the network.
    pub(super) fn hand_over(&mut self, datagram: &[u8]) {
        let mut notices = Vec::new();
        let result = self.server.receive(receiver_path(), datagram, self.now, &mut self.sent, &mut notices);
        result.unwrap();
        notices.iter().for_each(|notice| self.heed(*notice));
        self.notices.extend(notices);
    }

    fn heed(&mut self, notice: Notice) {
        let Notice::Lost { stream, sequence } = notice else { return };
        if self.resends {
            let payload = payload(stream, sequence);
            let packet = packet(&self.formats, stream, sequence, &payload);
            self.server.resend(stream, Some(&packet), self.now, &mut self.sent);
        }
    }

    fn post(&mut self, way: usize, datagram: Vec<u8>) {
        let Network { lost, doubled, delay_ms, jitter_ms } = self.network;
        if self.chance(1_000) < lost {
            return;
        }
        let copies = 1 + usize::from(self.chance(1_000) < doubled);
        for _ in 0..copies {
            let delay = delay_ms + self.chance(jitter_ms + 1);
            self.counter += 1;
            self.ways[way].insert((self.now + Duration::from_millis(delay), self.counter), datagram.clone());
        }
    }

    fn arrives(&mut self, way: usize) -> Option<Vec<u8>> {
        let first = self.ways[way].first_entry().filter(|first| first.key().0 <= self.now)?;
        Some(first.remove())
    }

    pub(super) fn media(&self, kind: TrackKind) -> &ReceivedMedia {
        self.receiver.media().find(|media| media.kind == kind).unwrap()
    }

    /// The numbers that were taken of a kind, in their order.
    pub(super) fn numbers(&self, kind: TrackKind) -> Vec<u64> {
        let mut numbers: Vec<u64> =
            self.taken.iter().filter(|taken| taken.kind == kind).map(|taken| taken.sequence).collect();
        numbers.sort_unstable();
        numbers
    }
}

fn packet<'a>(formats: &[Format], stream: usize, sequence: u64, payload: &'a [u8]) -> OutPacket<'a> {
    OutPacket {
        payload_type: formats[stream].payload_type,
        sequence,
        timestamp: timestamp(stream, sequence),
        marker: sequence % PICTURE_PACKETS == PICTURE_PACKETS - 1,
        orientation: Default::default(),
        payload,
        patch: None,
    }
}
