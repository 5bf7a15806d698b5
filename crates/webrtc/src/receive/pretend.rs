//! Receivers that have connected to nobody, and any bytes for them: what fuzzers and tests need.

use std::{
    net::SocketAddr,
    sync::{LazyLock, OnceLock},
    time::{Duration, Instant},
};

use headwater_media::limits;

use crate::{
    Answer,
    egress::Keys,
    framing::Unframer,
    srtp::{Master, Profile, Sealer},
};

use super::{Receiver, ReceiverCommon, ReceiverState, header::Header};

/// An answer that agrees on every kind of codec.
const ANSWER: &str = include_str!("answer.sdp");

/// The peer of a receiver that has connected to nobody: it seals what the receiver opens.
#[derive(Debug)]
pub(super) struct Pretended(Sealer);

impl Pretended {
    /// As if `receiver` had connected, under keys that are no secret. `None` where the library refuses them.
    pub(super) fn connect(receiver: &mut Receiver, now: Instant) -> Option<Pretended> {
        let profile = Profile::Aes128Gcm;
        let (own, peer) = Master::split(profile, &[0x5a; 64])?;
        let sealer = Sealer::new(profile, &peer)?;
        receiver.pretend_connected(&Keys { profile, own, peer }, now).ok()?;
        Some(Pretended(sealer))
    }

    /// Seals a media packet, under the number by which the receiver opens it. `None` if it has no whole header.
    pub(super) fn media(&self, receiver: &Receiver, packet: &[u8]) -> Option<Vec<u8>> {
        let header = Header::read(packet, 0)?;
        let number = receiver.number(header.source, header.sequence)?;
        let (_, payload) = packet.split_at_checked(header.length)?;
        let mut datagram = packet.to_vec();
        datagram.resize(packet.len() + self.0.media_overhead(), 0);
        self.0.seal_media(header.source, number, payload, &mut datagram).then_some(datagram)
    }

    /// Seals a compound packet of reports.
    fn reports(&mut self, compound: &[u8]) -> Option<Vec<u8>> {
        let mut datagram = compound.to_vec();
        datagram.resize(compound.len() + self.0.report_overhead(), 0);
        self.0.seal_reports(&mut datagram).then_some(datagram)
    }
}

fn begin(answer: &Answer, now: Instant) -> Option<Receiver> {
    static COMMON: OnceLock<Option<ReceiverCommon>> = OnceLock::new();
    let common = COMMON.get_or_init(|| ReceiverCommon::new().ok()).as_ref()?;
    let (mut receiver, _) = Receiver::new(common, now);
    receiver.accept_answer(answer, now).ok()?;
    Some(receiver)
}

/// Any text as the answer to a receiver's offer.
pub(crate) fn answer(text: &str) {
    let Ok(answer) = Answer::parse(text) else { return };
    if let Some(mut receiver) = begin(&answer, Instant::now()) {
        let mut bytes = 0;
        receiver.transmit(&mut |_, datagram| bytes += datagram.len());
        assert!(bytes <= 2_000, "one check at a time");
    }
}

/// Datagrams for a receiver that has connected, each behind its length in two bytes. The first byte of each says what
/// it is: as it is, a media packet or reports that are to be sealed, or time that passes.
pub(crate) fn datagrams(data: &[u8]) {
    let mut now = Instant::now();
    static READ: LazyLock<Option<Answer>> = LazyLock::new(|| Answer::parse(ANSWER).ok());
    let Some(mut receiver) = READ.as_ref().and_then(|answer| begin(answer, now)) else { return };
    let Some(mut peer) = Pretended::connect(&mut receiver, now) else { return };
    let from: SocketAddr = ([127, 0, 0, 1], 8_189).into();
    let mut unframer = Unframer::default();
    unframer.push(data);
    let (mut given, mut taken) = (0u64, 0u64);
    while let Ok(Some(frame)) = unframer.next() {
        let Some((kind, frame)) = frame.split_first() else { continue };
        let datagram = match kind % 4 {
            0 => Some(frame.to_vec()),
            1 => peer.media(&receiver, frame),
            2 => peer.reports(frame),
            _ => {
                now += Duration::from_millis(frame.first().copied().unwrap_or(1).into());
                None
            }
        };
        if let Some(mut datagram) = datagram {
            given += 1;
            receiver.receive(from, &mut datagram, now, &mut |_| taken += 1);
        }
        if receiver.next() <= now {
            receiver.advance(now);
        }
        let mut sent = 0;
        receiver.transmit(&mut |_, datagram| {
            assert!(datagram.len() <= limits::WEBRTC_DATAGRAM_BYTES.get_usize(), "it fits a datagram");
            sent += 1;
        });
        assert!(sent <= 8, "{sent} datagrams at once");
    }
    assert!(taken <= given, "nothing is handed on twice");
    let counted: u64 = receiver.media().map(|media| media.packets).sum();
    assert!(counted >= taken, "what is handed on is counted");
    assert_ne!(receiver.state(), ReceiverState::New);
}
