//! Who sends: the session, or str0m in its place.

use std::{collections::BTreeMap, time::Instant};

use headwater_media::Codec;
use str0m::{
    Event, IceCreds, Input, Output, Rtc,
    net::{Protocol, Receive},
    rtp::RtpWrite,
};

use super::{
    AGAIN_TYPE, PICTURE, PICTURE_TYPE, SOUND, SOUND_TYPE, Sent, client, clock_rate, credentials, mid, source_address,
    viewer_address,
};
use crate::{
    egress::{Agreed, Common, Egress, Notice, OutPacket, Outgoing, tests::path},
    sdp::{Format, IceCredentials, Role},
};

/// The numbers of a stream and of its retransmissions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) main: u32,
    pub(super) again: Option<u32>,
}

/// Who sends.
pub(in super::super) enum Source {
    Ours { egress: Box<Egress>, out: Vec<Vec<u8>>, notices: Vec<Notice> },
    Theirs { rtc: Box<Rtc>, due: Instant, out: Vec<Vec<u8>>, key_frames: usize },
}

impl Source {
    /// A session for this viewer, which is the client of the handshake or the server.
    pub(super) fn ours(viewer: &mut Rtc, now: Instant, viewer_is_client: bool) -> Source {
        let common = Common::new().unwrap();
        let local = IceCredentials { fragment: "here".into(), password: "password-of-here-that-is-long".into() };
        let mut api = viewer.direct_api();
        let remote = credentials(&api.local_ice_credentials());
        let fingerprint = api.local_dtls_fingerprint().clone();
        api.set_remote_ice_credentials(IceCreds { ufrag: local.fragment.clone(), pass: local.password.clone() });
        api.set_remote_fingerprint(common.fingerprint());
        api.set_ice_controlling(true);
        api.start_dtls(viewer_is_client).unwrap();
        let outgoing = |stream: usize, format: Format| Outgoing {
            mid: mid(stream).to_string(),
            formats: vec![format],
            transport_extension: Some(3),
            orientation_extension: None,
            sources: None,
        };
        let media = [
            outgoing(PICTURE, format(Codec::H264, PICTURE_TYPE, Some(AGAIN_TYPE))),
            outgoing(SOUND, format(Codec::Opus, SOUND_TYPE, None)),
        ];
        let agreed = Agreed {
            local_ice: &local,
            remote_ice: &remote,
            fingerprint: &fingerprint,
            role: if viewer_is_client { Role::Passive } else { Role::Active },
            mid_extension: Some(4),
            media: &media,
            cname: "name",
            candidates: None,
        };
        let egress = Box::new(Egress::new(&common, &agreed, now).unwrap());
        Source::Ours { egress, out: Vec::new(), notices: Vec::new() }
    }

    /// str0m as an ICE-lite server for this viewer.
    pub(super) fn theirs(viewer: &mut Rtc, now: Instant) -> Source {
        let mut rtc = client(now, true, source_address(), viewer_address());
        let (mut here, mut there) = (rtc.direct_api(), viewer.direct_api());
        here.set_remote_ice_credentials(there.local_ice_credentials());
        there.set_remote_ice_credentials(here.local_ice_credentials());
        here.set_remote_fingerprint(there.local_dtls_fingerprint().clone());
        there.set_remote_fingerprint(here.local_dtls_fingerprint().clone());
        here.set_ice_controlling(false);
        there.set_ice_controlling(true);
        here.start_dtls(false).unwrap();
        there.start_dtls(true).unwrap();
        here.declare_stream_tx(1_000.into(), Some(1_001.into()), mid(PICTURE), None);
        here.declare_stream_tx(2_000.into(), None, mid(SOUND), None);
        Source::Theirs { rtc: Box::new(rtc), due: now, out: Vec::new(), key_frames: 0 }
    }

    pub(super) fn numbers(&mut self) -> [Numbers; 2] {
        match self {
            Source::Ours { egress, .. } => {
                let mut streams = egress.sources().map(|of| Numbers { main: of.main, again: of.retransmissions });
                [streams.next().unwrap(), streams.next().unwrap()]
            }
            Source::Theirs { .. } => {
                [Numbers { main: 1_000, again: Some(1_001) }, Numbers { main: 2_000, again: None }]
            }
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        match self {
            Source::Ours { notices, .. } => notices.contains(&Notice::Connected),
            Source::Theirs { rtc, .. } => rtc.is_connected(),
        }
    }

    /// How often a picture that stands for itself has been asked for.
    pub(in super::super) fn key_frames_wanted(&self) -> usize {
        match self {
            Source::Ours { notices, .. } => {
                notices.iter().filter(|notice| **notice == Notice::KeyFrameWanted { stream: PICTURE }).count()
            }
            Source::Theirs { key_frames, .. } => *key_frames,
        }
    }

    /// Has our packets numbered among all of the transport, as for a viewer with a choice of sizes.
    pub(in super::super) fn estimate(&mut self, now: Instant) {
        if let Source::Ours { egress, .. } = self {
            egress.estimator(now).expect("packets can be numbered");
        }
    }

    pub(super) fn send(&mut self, stream: usize, sequence: u64, packet: &Sent, now: Instant) {
        let Sent { timestamp, marker, ref payload } = *packet;
        match self {
            Source::Ours { egress, out, .. } => {
                egress.write(stream, now, out, |writer| {
                    assert!(writer.push(&out_packet(stream, sequence, packet)));
                    writer.captured(timestamp, clock_rate(stream), now);
                });
                egress.finish(now, out);
            }
            Source::Theirs { rtc, .. } => {
                let payload_type = if stream == PICTURE { PICTURE_TYPE } else { SOUND_TYPE };
                let write = RtpWrite::new(payload_type.into(), sequence.into(), timestamp, now, payload.clone());
                let mut api = rtc.direct_api();
                let stream_tx = api.stream_tx_by_mid(mid(stream), None).unwrap();
                stream_tx.write_rtp(write.marker(marker).nackable(stream == PICTURE));
                self.run(now);
            }
        }
    }

    /// What has been sent since it was last looked at.
    pub(super) fn take(&mut self) -> Vec<Vec<u8>> {
        let (Source::Ours { out, .. } | Source::Theirs { out, .. }) = self;
        std::mem::take(out)
    }

    /// Takes a datagram of the viewer; what it misses is among `sent`.
    pub(super) fn receive(&mut self, datagram: &[u8], sent: &BTreeMap<(usize, u64), Sent>, now: Instant) {
        match self {
            Source::Ours { egress, out, .. } => {
                let mut told = Vec::new();
                egress.receive(path(), datagram, now, out, &mut told).unwrap();
                self.heed(told, sent, now);
            }
            Source::Theirs { rtc, .. } => {
                let received = Receive::new(Protocol::Udp, viewer_address(), source_address(), datagram).unwrap();
                rtc.handle_input(Input::Receive(now, received)).unwrap();
                self.drain();
            }
        }
    }

    pub(super) fn advance(&mut self, sent: &BTreeMap<(usize, u64), Sent>, now: Instant) {
        match self {
            Source::Ours { egress, out, .. } => {
                if egress.deadline().is_some_and(|due| due <= now) {
                    let mut told = Vec::new();
                    egress.advance(now, out, &mut told).unwrap();
                    assert!(egress.deadline().is_none_or(|due| due > now), "it is not called again at once");
                    self.heed(told, sent, now);
                }
            }
            Source::Theirs { due, .. } if *due <= now => self.run(now),
            Source::Theirs { .. } => {}
        }
    }

    /// Sends again what is missed.
    fn heed(&mut self, told: Vec<Notice>, sent: &BTreeMap<(usize, u64), Sent>, now: Instant) {
        let Source::Ours { egress, out, notices } = self else { return };
        for notice in &told {
            if let Notice::Lost { stream, sequence } = *notice {
                let packet = sent.get(&(stream, sequence)).expect("it has been sent");
                assert!(egress.resend(stream, Some(&out_packet(stream, sequence, packet)), now, out));
            }
        }
        notices.extend(told);
    }

    fn run(&mut self, now: Instant) {
        if let Source::Theirs { rtc, .. } = self {
            rtc.handle_input(Input::Timeout(now)).unwrap();
            self.drain();
        }
    }

    fn drain(&mut self) {
        let Source::Theirs { rtc, due, out, key_frames } = self else { return };
        loop {
            match rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    *due = at;
                    return;
                }
                Output::Transmit(transmit) => out.push(transmit.contents.to_vec()),
                Output::Event(Event::KeyframeRequest(_)) => *key_frames += 1,
                Output::Event(_) => {}
            }
        }
    }
}

fn format(codec: Codec, payload_type: u8, retransmission: Option<u8>) -> Format {
    Format { codec, payload_type, retransmission, map: String::new(), parameters: None, feedback: Vec::new() }
}

fn out_packet<'a>(stream: usize, sequence: u64, packet: &'a Sent) -> OutPacket<'a> {
    OutPacket {
        payload_type: if stream == PICTURE { PICTURE_TYPE } else { SOUND_TYPE },
        sequence,
        timestamp: packet.timestamp,
        marker: packet.marker,
        orientation: Default::default(),
        payload: &packet.payload,
        patch: None,
    }
}
