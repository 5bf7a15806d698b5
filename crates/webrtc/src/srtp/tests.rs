//! The test vectors of the specifications, and each profile against itself.

use super::*;

fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const PROFILES: [Profile; 3] = [Profile::Aes128Gcm, Profile::Aes256Gcm, Profile::Aes128CounterSha1];

fn master(profile: Profile, seed: u8) -> Master {
    Master::new(&vec![seed; profile.key_bytes()], &vec![!seed; profile.salt_bytes()])
}

/// RFC 3711 appendix B.3.
#[test]
fn session_keys_are_those_of_the_specification() {
    let profile = Profile::Aes128CounterSha1;
    let master = Master::new(&bytes("E1F97A0D3E018BE0D64FA32C06DE4139"), &bytes("0EC675AD498AFEEBB6960B3AABE6"));
    let derive = |label, length| {
        let mut key = vec![0; length];
        keys::derive(profile, &master, label, &mut key).unwrap();
        key
    };
    assert_eq!(derive(keys::MEDIA.encryption, 16), bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derive(keys::MEDIA.salt, 14), bytes("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(derive(keys::MEDIA.authentication, 20), bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

/// RFC 3711 appendix B.2.
#[test]
fn the_key_stream_is_that_of_the_specification() {
    let key = keys::counter_mode(Profile::Aes128CounterSha1, &bytes("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
    let block: [u8; 16] = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
    let mut stream = [0; 48];
    keys::apply_counter_mode(&key, block, &mut stream).unwrap();
    let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(stream.to_vec(), bytes(expected));
}

/// RFC 7714 §16.1.1 and §16.2.1, where the session keys are given.
#[test]
fn gcm_seals_media_as_the_specification_does() {
    use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, LessSafeKey, UnboundKey};
    let packet = bytes(
        "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e6973 20646976697361 20696e207061727465732074726573",
    );
    let salt = *b"Quid pro quo";
    let cases = [
        (
            &AES_128_GCM,
            "000102030405060708090a0b0c0d0e0f",
            "8040f17b8041f8d35501a0b2 f24de3a3fb34de6cacba861c9d7e4bca be633bd50d294e6f42a5f47a51c7d19b \
             36de3adf8833899d7f27beb16a9152cf 765ee4390cce",
        ),
        (
            &AES_256_GCM,
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "8040f17b8041f8d35501a0b2 32b1de78a822fe12ef9f78fa332e33aa b18012389a58e2f3b50b2a0276ffae0f \
             1ba63799b87b7aa3db36dfffd6b0f9bb 7878d7a76c13",
        ),
    ];
    for (algorithm, key, expected) in cases {
        let key = LessSafeKey::new(UnboundKey::new(algorithm, &bytes(key)).unwrap());
        let cipher = Cipher::Gcm { key, salt };
        let (header, payload) = packet.split_at(12);
        let mut out = vec![0; packet.len() + 16];
        out[..12].copy_from_slice(header);
        assert!(cipher.seal_media(0x5501_a0b2, 0xf17b, (payload, None), &mut out));
        assert_eq!(out, bytes(expected));
        assert_eq!(cipher.open_media(0x5501_a0b2, 0xf17b, 12, &mut out).map(|opened| &*opened), Some(payload));
    }
}

/// RFC 7714 §17.1.
#[test]
fn gcm_seals_reports_as_the_specification_does() {
    use aws_lc_rs::aead::{AES_128_GCM, LessSafeKey, UnboundKey};
    let report = bytes(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef \
         deadbeef deadbeef",
    );
    let expected = bytes(
        "81c8000d4d617273 63e94885dcdab67ca727d7662f6b7e99 7ff5c0f76c06f32dc676a5f1730d6fda 4ce09b4686303ded \
         0bb9275b c84aa45896cf4d2fc5abf87245d9eade 800005d4",
    );
    let key = bytes("000102030405060708090a0b0c0d0e0f");
    let cipher =
        || Cipher::Gcm { key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap()), salt: *b"Quid pro quo" };
    let mut out = report.clone();
    out.resize(report.len() + 20, 0);
    assert!(cipher().seal_reports(0x5d4, &mut out));
    assert_eq!(out, expected);
    let mut opener = ReportOpener { cipher: cipher(), seen: ReplayWindow::default() };
    assert_eq!(opener.open(&expected, &mut Vec::new()), Some(&report[..]));
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

/// A packet is sealed differently in each cycle of sequence numbers, and for each source.
#[test]
fn no_two_packets_share_a_key_stream() {
    for profile in PROFILES {
        let sealer = Sealer::new(profile, &master(profile, 1)).unwrap();
        let mut seen = std::collections::HashSet::new();
        for source in [1, 2, u32::MAX] {
            for sequence in [0, 1, 2, 0xffff, 0x1_0000, 0x1_0001, 0xffff_ffff, 0x1_0000_0000] {
                let mut out = vec![0; 12 + 16 + sealer.media_overhead()];
                assert!(sealer.seal_media(source, sequence, &[0; 16], &mut out));
                assert!(seen.insert(out[12..28].to_vec()), "{profile:?} {source} {sequence}");
            }
        }
    }
}
