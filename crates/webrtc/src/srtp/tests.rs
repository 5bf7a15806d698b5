//! Each profile against itself, and against the test vectors of the specifications.

mod vectors;

use super::*;

const PROFILES: [Profile; 3] = [Profile::Aes128Gcm, Profile::Aes256Gcm, Profile::Aes128CounterSha1];

fn master(profile: Profile, seed: u8) -> Master {
    Master::new(&vec![seed; profile.key_bytes()], &vec![!seed; profile.salt_bytes()])
}

fn sealed_reports(sealer: &mut Sealer, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
    out.extend_from_slice(body);
    out.resize(out.len() + sealer.report_overhead(), 0);
    assert!(sealer.seal_reports(&mut out));
    out
}

#[test]
fn reports_are_opened_once_and_only_as_they_were_sealed() {
    for profile in PROFILES {
        let mut sealer = Sealer::new(profile, &master(profile, 1)).unwrap();
        let mut opener = ReportOpener::new(profile, &master(profile, 1)).unwrap();
        let mut into = Vec::new();
        for length in [0, 4, 100, 1_000] {
            let body = vec![length as u8; length];
            let sealed = sealed_reports(&mut sealer, &body);
            for (position, bit) in (0..sealed.len()).zip((0..8).cycle()) {
                let mut forged = sealed.clone();
                forged[position] ^= 1 << bit;
                assert!(opener.open(&forged, &mut into).is_none(), "{profile:?} byte {position}");
            }
            for short in 0..sealed.len() {
                assert!(opener.open(&sealed[..short], &mut into).is_none());
            }
            assert_eq!(&opener.open(&sealed, &mut into).unwrap()[8..], body);
            assert!(opener.open(&sealed, &mut into).is_none(), "a replay");
        }
        let mut stranger = ReportOpener::new(profile, &master(profile, 2)).unwrap();
        assert!(stranger.open(&sealed_reports(&mut sealer, &[1, 2, 3, 4]), &mut into).is_none());
    }
}

#[test]
fn media_is_opened_only_as_it_was_sealed() {
    let (source, sequence) = (7, 0x1_fffe);
    for profile in PROFILES {
        let sealer = Sealer::new(profile, &master(profile, 1)).unwrap();
        let opener = MediaOpener::new(profile, &master(profile, 1)).unwrap();
        for (header, payload) in [(12, vec![]), (12, vec![3; 1]), (20, vec![3; 1_000])] {
            let mut sealed = vec![0x80; header + payload.len() + sealer.media_overhead()];
            assert!(sealer.seal_media(source, sequence, &payload, &mut sealed));
            let open = |mut datagram: Vec<u8>, source, sequence, header| {
                opener.open(source, sequence, header, &mut datagram).map(|opened| opened.to_vec())
            };
            assert_eq!(open(sealed.clone(), source, sequence, header), Some(payload));
            for position in 0..sealed.len() {
                let mut forged = sealed.clone();
                forged[position] ^= 1 << (position % 8);
                assert_eq!(open(forged, source, sequence, header), None, "{profile:?} byte {position}");
            }
            for short in 0..sealed.len() {
                assert_eq!(open(sealed[..short].to_vec(), source, sequence, header), None, "{profile:?} {short}");
            }
            assert_eq!(open(sealed.clone(), source, sequence + 0x1_0000, header), None, "in another cycle");
            assert_eq!(open(sealed.clone(), source, sequence, sealed.len() + 1), None, "{profile:?}");
        }
    }
}

#[test]
fn a_patched_payload_is_sealed_as_one_that_reads_so_by_itself() {
    for profile in PROFILES {
        let sealer = Sealer::new(profile, &master(profile, 1)).unwrap();
        let seal = |payload: &[u8], patch| {
            let mut sealed = vec![0x80; 12 + payload.len() + sealer.media_overhead()];
            assert!(sealer.seal_patched(7, 0x1_fffe, (payload, patch), &mut sealed));
            sealed
        };
        let patch = Patch::new(2, &[9, 9, 9]);
        assert_eq!(seal(&[1; 1_000], patch), seal(&[&[1, 1, 9, 9, 9][..], &[1; 995]].concat(), None));
        assert_eq!(seal(&[1; 3], patch), seal(&[1; 3], None), "it reaches beyond the end");
    }
}

#[test]
fn what_is_too_short_is_not_sealed() {
    for profile in PROFILES {
        let mut sealer = Sealer::new(profile, &master(profile, 1)).unwrap();
        for length in 0..24 {
            assert!(!sealer.seal_media(1, 1, &[0; 24], &mut vec![0; length]));
        }
        for length in 0..8 + sealer.report_overhead() {
            assert!(!sealer.seal_reports(&mut vec![0; length]), "{profile:?} {length}");
        }
    }
}

/// A packet is sealed differently in each cycle of sequence numbers, for each source and in each session; and reports
/// otherwise than media.
#[test]
fn no_two_packets_share_a_key_stream() {
    for profile in PROFILES {
        let mut seen = std::collections::HashSet::new();
        for session in [1, 2] {
            let mut sealer = Sealer::new(profile, &master(profile, session)).unwrap();
            for source in [1, 2, u32::MAX] {
                let near = |middle: u64| middle.saturating_sub(300)..middle + 300;
                let sequences = [0, 1 << 16, 1 << 17, 1 << 31, 1 << 32, (1 << 48) - 300].map(near);
                for sequence in sequences.into_iter().flatten() {
                    let mut out = vec![0; 12 + 16 + sealer.media_overhead()];
                    assert!(sealer.seal_media(source, sequence, &[0; 16], &mut out));
                    assert!(seen.insert(out[12..28].to_vec()), "{profile:?} {session} {source} {sequence}");
                }
            }
            for _ in 0..1_000 {
                let sealed = sealed_reports(&mut sealer, &[0; 16]);
                assert!(seen.insert(sealed[8..24].to_vec()), "{profile:?} {session}");
            }
        }
        assert_eq!(seen.len(), 2 * (3 * (5 * 600 + 300) + 1_000));
    }
}

/// The numbers of reports count on from 1, and each says that the report is encrypted (RFC 3711 §3.4).
#[test]
fn reports_are_numbered_one_by_one_until_no_number_is_left() {
    for profile in PROFILES {
        let mut sealer = Sealer::new(profile, &master(profile, 1)).unwrap();
        let word = |sealed: &[u8]| {
            let behind = if profile == Profile::Aes128CounterSha1 { 10 } else { 0 };
            sealed[..sealed.len() - behind].last_chunk::<4>().map(|word| u32::from_be_bytes(*word))
        };
        for index in 1..=1_000 {
            assert_eq!(word(&sealed_reports(&mut sealer, &[0; 16])), Some(ENCRYPTED | index));
        }
        sealer.report_index = ENCRYPTED - 2;
        assert_eq!(word(&sealed_reports(&mut sealer, &[0; 16])), Some(u32::MAX));
        for _ in 0..3 {
            assert!(!sealer.seal_reports(&mut [0; 100]), "{profile:?}: the next would be one that was used");
        }
    }
}

/// Beyond it the cipher would be given numbers again that it has been given (RFC 3711 §9.2).
#[test]
fn no_packet_is_sealed_beyond_the_last_number() {
    for profile in PROFILES {
        let sealer = Sealer::new(profile, &master(profile, 1)).unwrap();
        let mut out = vec![0; 12 + 16 + sealer.media_overhead()];
        assert!(sealer.seal_media(1, (1 << 48) - 1, &[0; 16], &mut out));
        for sequence in [1 << 48, (1 << 48) + 1, u64::MAX] {
            out.fill(0);
            assert!(!sealer.seal_media(1, sequence, &[0; 16], &mut out), "{profile:?} {sequence}");
            assert!(!sealer.seal_patched(1, sequence, (&[0; 16], Patch::new(0, &[1])), &mut out));
            assert_eq!(out, vec![0; out.len()], "nothing is written");
        }
    }
}
