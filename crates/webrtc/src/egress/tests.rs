//! A session and its peer, wired in memory on a clock that the test moves.
//!
//! That others understand the session is shown by the tests with whole clients.

mod attacks;
mod differential;
mod echo;
mod nonces;
mod oracle;
mod peer;
mod stun;
mod wraps;

use std::time::{Duration, Instant};

use headwater_media::{ClockRate, Codec};

use super::*;
use peer::Peer;

pub(crate) fn path() -> Path {
    Path { remote: Remote { carrier: Carrier::Udp, address: ([192, 0, 2, 1], 5_000).into() }, local: None }
}

fn credentials(name: &str) -> IceCredentials {
    IceCredentials { fragment: name.into(), password: format!("password-of-{name}-that-is-long") }
}

fn format(payload_type: u8, retransmission: Option<u8>) -> Format {
    let map = "H264/90000".into();
    Format { codec: Codec::H264, payload_type, retransmission, map, parameters: None, feedback: Vec::new() }
}

/// A session with one stream that can be sent again, and one that cannot.
fn session(common: &Common, fingerprint: Vec<u8>, role: Role, now: Instant) -> Egress {
    let media = [
        Outgoing {
            mid: "0".into(),
            formats: vec![format(96, Some(97))],
            transport_extension: Some(3),
            orientation_extension: Some(5),
            sources: None,
        },
        Outgoing {
            mid: "1".into(),
            formats: vec![format(111, None)],
            transport_extension: None,
            orientation_extension: None,
            sources: None,
        },
    ];
    let agreed = Agreed {
        local_ice: &credentials("here"),
        remote_ice: &credentials("there"),
        fingerprint: &Fingerprint { hash_func: "sha-256".into(), bytes: fingerprint },
        role,
        mid_extension: Some(4),
        media: &media,
        cname: "name",
        candidates: None,
    };
    Egress::new(common, &agreed, now).unwrap()
}

/// Lets both talk until neither has anything to say.
fn converse(egress: &mut Egress, peer: &mut Peer, now: Instant) -> Result<Vec<Notice>, EgressError> {
    let (mut sent, mut notices) = (Vec::new(), Vec::new());
    egress.receive(path(), &peer.check(), now, &mut sent, &mut notices)?;
    loop {
        for datagram in sent.drain(..).filter(|datagram: &Vec<u8>| matches!(datagram.first(), Some(20..=63))) {
            peer.dtls.handle_packet(&datagram).unwrap();
        }
        let said = peer.poll();
        if said.is_empty() {
            return Ok(notices);
        }
        for datagram in said {
            egress.receive(path(), &datagram, now, &mut sent, &mut notices)?;
        }
    }
}

/// A session that has connected with its peer.
pub(crate) fn connected(now: Instant) -> Egress {
    connect(Role::Passive, now).0
}

fn connect(role: Role, now: Instant) -> (Egress, Peer) {
    let (mut peer, fingerprint) = Peer::new(role == Role::Passive, now);
    let mut egress = session(&Common::new().unwrap(), fingerprint, role, now);
    let notices = converse(&mut egress, &mut peer, now).unwrap();
    assert_eq!(notices, [Notice::Connected]);
    assert!(peer.sealer.is_some());
    (egress, peer)
}

fn send(egress: &mut Egress, stream: usize, sequences: std::ops::Range<u64>, now: Instant) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    egress.write(stream, now, &mut sent, |writer| {
        for sequence in sequences {
            let payload_type = if stream == 0 { 96 } else { 111 };
            let payload = &[7; 1_000];
            let orientation = Orientation::default();
            let (timestamp, marker, patch) = (5, true, None);
            writer.push(&OutPacket { payload_type, sequence, timestamp, marker, orientation, payload, patch });
        }
        writer.captured(5, ClockRate::VIDEO, now);
    });
    sent
}

fn take(egress: &mut Egress, datagram: &[u8], now: Instant) -> Vec<Notice> {
    let mut notices = Vec::new();
    egress.receive(path(), datagram, now, &mut Vec::new(), &mut notices).unwrap();
    notices
}

/// Feedback of this kind and form for a stream.
fn feedback(egress: &Egress, kind: u8, form: u8, stream: usize, entries: &[u32]) -> Vec<u8> {
    let source = egress.sources().nth(stream).unwrap().main;
    let mut packet = vec![0x80 | form, kind, 0, 2 + entries.len() as u8];
    for word in [9, source].iter().chain(entries) {
        packet.extend_from_slice(&word.to_be_bytes());
    }
    packet
}

#[test]
fn both_roles_of_the_handshake_lead_to_sealed_media() {
    for role in [Role::Passive, Role::Active] {
        let now = Instant::now();
        let (mut egress, _) = connect(role, now);
        let sent = send(&mut egress, 0, 100..107, now);
        let sizes: Vec<usize> = sent.iter().map(Vec::len).collect();
        assert_eq!(sizes, [12 + 8 + 1_000 + 16; 7], "equal, so that they leave in one call");
        assert!(sent.iter().all(|datagram| !datagram.windows(20).any(|window| window == [7; 20])), "sealed");
    }
}

#[test]
fn attack_w3_a_certificate_that_the_offer_does_not_name_gets_no_keys() {
    let now = Instant::now();
    for role in [Role::Passive, Role::Active] {
        let (mut peer, mut fingerprint) = Peer::new(role == Role::Passive, now);
        fingerprint[31] ^= 1;
        let mut egress = session(&Common::new().unwrap(), fingerprint, role, now);
        assert!(matches!(converse(&mut egress, &mut peer, now), Err(EgressError::Fingerprint)));
        assert!(send(&mut egress, 0, 1..5, now).is_empty());
    }
}

#[test]
fn attack_w9_nothing_is_sent_before_a_check_has_proved_the_path() {
    let now = Instant::now();
    for role in [Role::Passive, Role::Active] {
        let (mut peer, fingerprint) = Peer::new(true, now);
        let mut egress = session(&Common::new().unwrap(), fingerprint, role, now);
        let (mut sent, mut notices) = (Vec::new(), Vec::new());
        for hello in peer.poll() {
            let _ = egress.receive(path(), &hello, now, &mut sent, &mut notices);
        }
        let _ = egress.advance(now + Duration::from_secs(5), &mut sent, &mut notices);
        egress.close(&mut sent);
        assert!(sent.is_empty() && notices.is_empty());
        assert_eq!(egress.deadline(), None, "and it has nothing to wake for");
    }
}

#[test]
fn attack_w4_dtls_garbage_after_the_handshake_changes_nothing() {
    let now = Instant::now();
    let (mut egress, mut peer) = connect(Role::Passive, now);
    for kind in 20..=63 {
        for length in [1, 13, 14, 40, 200, 1_400] {
            for epoch in [0, 1, 2] {
                let mut record = vec![0xff; length];
                for (byte, value) in record.iter_mut().zip([kind, 254, 253, 0, epoch]) {
                    *byte = value;
                }
                assert!(take(&mut egress, &record, now).is_empty(), "{kind} {length} {epoch}");
            }
        }
    }
    peer.dtls.close().unwrap();
    let farewell = peer.poll();
    assert_eq!(take(&mut egress, &farewell[0], now), [Notice::Closed]);
}

#[test]
fn attack_w6_reports_that_are_replayed_or_forged_are_not_heeded() {
    let now = Instant::now();
    let (mut egress, mut peer) = connect(Role::Passive, now);
    let request = feedback(&egress, 206, 1, 0, &[]);
    let sealed = peer.reports(&request);
    assert_eq!(take(&mut egress, &sealed, now), [Notice::KeyFrameWanted { stream: 0 }]);
    for _ in 0..10 {
        assert!(take(&mut egress, &sealed, now).is_empty(), "a replay");
    }
    assert!(take(&mut egress, &request, now).is_empty(), "without a seal");
    let mut forged = peer.reports(&request);
    forged[9] ^= 1;
    assert!(take(&mut egress, &forged, now).is_empty());
    let mut sent = Vec::new();
    let heard = egress.receive(path(), &forged, now, &mut sent, &mut Vec::new()).unwrap();
    assert!(!heard, "nor does it prove that the peer is there");
}

#[test]
fn what_was_sent_may_be_asked_for_again_and_nothing_else() {
    let now = Instant::now();
    let (mut egress, mut peer) = connect(Role::Passive, now);
    send(&mut egress, 0, 65_530..65_545, now);
    send(&mut egress, 1, 1..10, now);
    let cases: [(usize, u32, &[u64]); 4] = [
        (0, 65_533 << 16 | 0b101, &[65_533, 65_534, 65_536]),
        (0, 3 << 16, &[65_539]),
        // It has not been sent yet.
        (0, 500 << 16, &[]),
        // Sound is not sent again.
        (1, 5 << 16, &[]),
    ];
    for (stream, entry, expected) in cases {
        let sealed = peer.reports(&feedback(&egress, 205, 1, stream, &[entry]));
        let wanted = take(&mut egress, &sealed, now);
        let expected: Vec<Notice> =
            expected.iter().map(|sequence| Notice::Lost { stream, sequence: *sequence }).collect();
        assert_eq!(wanted, expected, "{entry:x}");
    }
}

#[test]
fn a_packet_is_sent_once_and_late_ones_within_bounds() {
    let now = Instant::now();
    let (mut egress, _) = connect(Role::Passive, now);
    assert_eq!(send(&mut egress, 0, 100..110, now).len(), 10);
    assert_eq!(send(&mut egress, 0, 105..115, now).len(), 5);
    assert_eq!(send(&mut egress, 0, 0..100, now).len(), 100, "late ones are taken, once");
    assert_eq!(send(&mut egress, 0, 0..100, now).len(), 0);
}

#[test]
fn packets_name_their_media_section_until_the_peer_knows_the_source() {
    let now = Instant::now();
    let (mut egress, mut peer) = connect(Role::Passive, now);
    let long = send(&mut egress, 0, 1..2, now)[0].len();
    let source = egress.sources().next().unwrap().main;
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    report.extend_from_slice(&source.to_be_bytes());
    report.resize(32, 0);
    let sealed = peer.reports(&report);
    take(&mut egress, &sealed, now);
    assert_eq!(send(&mut egress, 0, 2..3, now)[0].len(), long - 8);
    assert_eq!(send(&mut egress, 1, 2..3, now)[0].len(), long, "of the other it has said nothing");
}

#[test]
fn reports_travel_with_media_and_by_themselves_where_there_is_none() {
    let start = Instant::now();
    let (mut egress, _) = connect(Role::Passive, start);
    let mut reports = Vec::new();
    egress.finish(start, &mut reports);
    assert!(reports.is_empty(), "there is nothing to report yet");
    let mut due = 0;
    for ms in 0..10_000 {
        let now = start + Duration::from_millis(ms);
        if ms % 20 == 0 && ms < 5_000 {
            send(&mut egress, 0, ms..ms + 1, now);
            egress.finish(now, &mut reports);
        } else if egress.deadline().is_some_and(|at| at <= now) {
            due += 1;
            egress.advance(now, &mut reports, &mut Vec::new()).unwrap();
        }
    }
    assert!((8..=14).contains(&reports.len()), "{}", reports.len());
    assert_eq!(due, 2, "by themselves");
    assert!(reports.iter().all(|report| report.len() < 100), "shorter than media");
}

#[test]
fn where_nothing_is_sent_reports_are_few_unless_they_are_a_sign_of_life() {
    let reported = |is_steady: bool| {
        let start = Instant::now();
        let (mut egress, _) = connect(Role::Passive, start);
        if is_steady {
            egress.report_steadily();
        }
        send(&mut egress, 0, 0..1, start);
        let mut times = Vec::new();
        for ms in 0..60_000 {
            let (now, mut reports) = (start + Duration::from_millis(ms), Vec::new());
            if ms == 0 || egress.deadline().is_some_and(|at| at <= now) {
                egress.finish(now, &mut reports);
                egress.advance(now, &mut reports, &mut Vec::new()).unwrap();
            }
            times.extend(reports.iter().map(|_| ms));
        }
        let (now, mut reports) = (start + Duration::from_secs(60), Vec::new());
        send(&mut egress, 0, 1..2, now);
        egress.finish(now, &mut reports);
        assert!(is_steady || reports.len() == 1, "after a silence, the first packet is reported on at once");
        times.retain(|ms| *ms > 3_000);
        times
    };
    let (few, steady) = (reported(false), reported(true));
    assert!(few.windows(2).all(|pair| pair[1] - pair[0] == 5_000), "{few:?}");
    assert!((10..=12).contains(&few.len()), "{few:?}");
    assert!(steady.windows(2).all(|pair| pair[1] - pair[0] <= 1_250), "{steady:?}");
}
