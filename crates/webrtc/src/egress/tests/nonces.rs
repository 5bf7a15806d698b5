//! No packet number is given to the cipher twice.
//!
//! Seen from outside: the ciphertext of zeros is the key stream, and two packets under one key, source and number have
//! the same. So the front of it stands for all three.

use std::{collections::HashSet, ops::Range};

use super::*;
use crate::{
    egress::estimate::Estimator,
    srtp::{Master, Profile, ReportOpener},
};

/// All that is looked at, over all sessions.
const PACKETS: usize = 1 << 20;
const SESSIONS: usize = 4;
/// Payload of a packet, all of it zeros.
const PAYLOAD_BYTES: usize = 40;
/// The two bytes that a retransmission has before its payload are no zeros, so both are looked at behind them.
const LOOKED_AT: Range<usize> = 2..18;

/// Looks at what leaves, and keeps nothing of it but what it is sealed with.
#[derive(Default)]
struct Witness {
    streams: HashSet<u128>,
    /// Sessions, and numbers of reports.
    reports: HashSet<(usize, u32)>,
    session: usize,
    media: usize,
    datagram: Vec<u8>,
    latest_report: Vec<u8>,
}

impl Sink for Witness {
    fn write(&mut self, _path: &Path, length: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        self.datagram.clear();
        self.datagram.resize(length, 0);
        if !write(&mut self.datagram) {
            return false;
        }
        match self.datagram[..] {
            [128..=191, 192..=223, ..] => self.look_at_report(),
            [128..=191, ..] => self.look_at_media(),
            _ => {}
        }
        true
    }
}

impl Witness {
    fn look_at_media(&mut self) {
        let extension = match self.datagram[0] & 0x10 {
            0 => 0,
            _ => 4 + 4 * usize::from(u16::from_be_bytes([self.datagram[14], self.datagram[15]])),
        };
        let front: [u8; 16] = self.datagram[12 + extension..][LOOKED_AT].try_into().unwrap();
        assert!(self.streams.insert(u128::from_be_bytes(front)), "a key stream is used again");
        self.media += 1;
    }

    fn look_at_report(&mut self) {
        let word = u32::from_be_bytes(*self.datagram.last_chunk().unwrap());
        assert!(word >> 31 == 1, "it says that it is encrypted");
        assert!(self.reports.insert((self.session, word & 0x7fff_ffff)), "a number is used again");
        self.latest_report.clone_from(&self.datagram);
    }
}

/// A packet of zeros.
fn zeros(stream: usize, sequence: u64) -> OutPacket<'static> {
    OutPacket {
        payload_type: if stream == 0 { 96 } else { 111 },
        sequence,
        timestamp: sequence as u32,
        marker: false,
        orientation: Orientation::default(),
        payload: &[0; PAYLOAD_BYTES],
        patch: None,
    }
}

/// Sends as a server does that means no good to its cipher: runs that overlap and go back, each packet again that may
/// be asked for, and probes without end.
fn send(egress: &mut Egress, witness: &mut Witness, first: [u64; 2], packets: usize, start: Instant) {
    let before = witness.media;
    let mut next = first;
    let mut turn = 0u64;
    while witness.media - before < packets {
        turn += 1;
        let now = start + Duration::from_millis(turn);
        for stream in [0, 1] {
            // A run in order, then one that begins within it, and now and then one from long ago.
            let back = if turn.is_multiple_of(50) { 1_000 } else { 5 };
            for from in [next[stream], next[stream].saturating_sub(back)] {
                egress.write(stream, now, witness, |writer| {
                    for sequence in from..from + 20 {
                        writer.push(&zeros(stream, sequence));
                    }
                    writer.captured(next[stream] as u32, ClockRate::VIDEO, now);
                });
            }
            next[stream] += 20;
        }
        for sequence in [next[0] - 1, next[0] - 1, next[0].saturating_sub(100), next[0] - 20] {
            egress.resend(0, Some(&zeros(0, sequence)), now, witness);
            egress.probe(0, &zeros(0, sequence), now, witness);
        }
        egress.finish(now, witness);
    }
}

/// Over a million packets: two streams and retransmissions, over the wraps of 16 bits and of 32, and up to the last
/// number that there is; in four sessions with a handshake each, in both roles.
#[test]
fn no_sequence_number_is_sealed_twice() {
    let now = Instant::now();
    let mut witness = Witness::default();
    let last = (1u64 << 48) - 50_000;
    let firsts = [[65_000, 1], [(1 << 32) - 20_000, 65_535], [last, (1 << 17) - 3], [0, last]];
    for (session, first) in firsts.into_iter().enumerate() {
        let role = if session % 2 == 0 { Role::Passive } else { Role::Active };
        let (mut egress, _) = connect(role, now);
        if session >= 2 {
            let _: &mut Estimator = egress.estimator(now).unwrap();
        }
        witness.session = session;
        send(&mut egress, &mut witness, first, PACKETS / SESSIONS, now);
    }
    assert!(witness.media >= PACKETS && witness.streams.len() == witness.media);
    let reports: Vec<usize> =
        (0..SESSIONS).map(|session| witness.reports.iter().filter(|(of, _)| *of == session).count()).collect();
    for (session, count) in reports.into_iter().enumerate() {
        assert!(count >= 5, "{count} reports");
        let numbers = 1..=count as u32;
        assert!(numbers.into_iter().all(|number| witness.reports.contains(&(session, number))), "one by one");
    }
}

/// The number that a report shows is the one that it is sealed with.
#[test]
fn reports_are_sealed_with_the_number_that_they_show() {
    let now = Instant::now();
    let (mut egress, _) = connect(Role::Passive, now);
    egress.pretend_connected(path()).unwrap();
    let profile = Profile::Aes128Gcm;
    let (_, own) = Master::split(profile, &[0x5a; 64]).unwrap();
    let mut opener = ReportOpener::new(profile, &own).unwrap();
    let mut witness = Witness::default();
    egress.write(0, now, &mut witness, |writer| {
        writer.push(&zeros(0, 1));
        writer.captured(1, ClockRate::VIDEO, now);
    });
    for second in 1..=100 {
        egress.finish(now + Duration::from_secs(second), &mut witness);
        let report = witness.latest_report.clone();
        assert_eq!(report.last_chunk(), Some(&(1 << 31 | second as u32).to_be_bytes()));
        assert!(opener.open(&report, &mut Vec::new()).is_some());
        assert!(opener.open(&report, &mut Vec::new()).is_none(), "a replay");
    }
}
