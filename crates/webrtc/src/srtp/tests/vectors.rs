//! The test vectors of the specifications.

use super::*;

/// Bytes of the hexadecimal digits of a text; what stands between them is left out.
fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
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
    // The specification gives 94 bytes here, as other ciphers take longer keys.
    let authentication = "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE E049646C43D9327AD175578EF7227098 \
                          6371C10C9A369AC2F94A8C5FBCDDDC25 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2";
    assert_eq!(derive(keys::MEDIA.authentication, 94), bytes(authentication));
}

/// RFC 3711 appendix B.2: the first three blocks of a key stream, and three before and behind a carry of its counter.
#[test]
fn the_key_stream_is_that_of_the_specification() {
    let key = keys::counter_mode(Profile::Aes128CounterSha1, &bytes("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
    let cases = [
        (
            "F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000",
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0",
        ),
        (
            "F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF",
            "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44",
        ),
    ];
    for (block, expected) in cases {
        let block: [u8; 16] = bytes(block).try_into().unwrap();
        let mut stream = [0; 48];
        keys::apply_counter_mode(&key, block, &mut stream).unwrap();
        assert_eq!(stream.to_vec(), bytes(expected));
    }
}

/// What RFC 7714 §16 and §17 give for one cipher: media and reports, encrypted, and authenticated only.
struct Gcm {
    key: &'static str,
    media: &'static str,
    media_tag: &'static str,
    reports: &'static str,
    reports_tag: &'static str,
}

/// RFC 7714 §16.1 and §16.2, §17.1 with §17.3, §17.2 with §17.4; all session keys and the salt are given there.
const GCM: [Gcm; 2] = [
    Gcm {
        key: "000102030405060708090a0b0c0d0e0f",
        media: "8040f17b8041f8d35501a0b2 f24de3a3fb34de6cacba861c9d7e4bca be633bd50d294e6f42a5f47a51c7d19b \
                36de3adf8833899d7f27beb16a9152cf 765ee4390cce",
        media_tag: "22493f82d2bce397e9d79e3b19aa4216",
        reports: "81c8000d4d617273 63e94885dcdab67ca727d7662f6b7e99 7ff5c0f76c06f32dc676a5f1730d6fda 4ce09b4686303ded \
                  0bb9275b c84aa45896cf4d2fc5abf87245d9eade 800005d4",
        reports_tag: "841dd9683dd78ec92ae58790125f62b3",
    },
    Gcm {
        key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        media: "8040f17b8041f8d35501a0b2 32b1de78a822fe12ef9f78fa332e33aa b18012389a58e2f3b50b2a0276ffae0f \
                1ba63799b87b7aa3db36dfffd6b0f9bb 7878d7a76c13",
        media_tag: "a866d5910f887463067ceefec45215d4",
        reports: "81c8000d4d617273 d50ae4d1f5ce5d304ba297e47d470c28 2c3ece5dbffe0a50a2eaa5c1110555be 8415f658c61de047 \
                  6f1b6fad 1d1eb30c4446839f57ff6f6cb26ac3be 800005d4",
        reports_tag: "91db4afbfeee5a978fab4393ed2615fe",
    },
];
const MEDIA: &str =
    "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e6973 20646976697361 20696e207061727465732074726573";
const REPORTS: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef \
                       deadbeef deadbeef deadbeef";

impl Gcm {
    fn cipher(&self) -> Cipher {
        Cipher::Gcm { key: gcm::Key::new(&bytes(self.key)).unwrap(), salt: *b"Quid pro quo" }
    }
}

#[test]
fn gcm_seals_media_as_the_specification_does() {
    let packet = bytes(MEDIA);
    let (header, payload) = packet.split_at(12);
    for gcm in &GCM {
        let cipher = gcm.cipher();
        let mut out = vec![0; packet.len() + 16];
        out[..12].copy_from_slice(header);
        assert!(cipher.seal_media(0x5501_a0b2, 0xf17b, (payload, None), &mut out));
        assert_eq!(out, bytes(gcm.media));
        assert_eq!(cipher.open_media(0x5501_a0b2, 0xf17b, 12, &mut out).map(|opened| &*opened), Some(payload));
        // Where nothing is encrypted all of it stands where a header does.
        let mut out = [packet.clone(), vec![0; 16]].concat();
        assert!(cipher.seal_media(0x5501_a0b2, 0xf17b, (&[], None), &mut out));
        assert_eq!(out, [packet.clone(), bytes(gcm.media_tag)].concat());
        let opened = cipher.open_media(0x5501_a0b2, 0xf17b, packet.len(), &mut out);
        assert_eq!(opened.map(|opened| &*opened), Some(&[][..]));
    }
}

#[test]
fn gcm_seals_reports_as_the_specification_does() {
    let report = bytes(REPORTS);
    for gcm in &GCM {
        let mut out = report.clone();
        out.resize(report.len() + 20, 0);
        assert!(gcm.cipher().seal_reports(0x5d4, &mut out));
        assert_eq!(out, bytes(gcm.reports));
        let mut opener = ReportOpener { cipher: gcm.cipher(), seen: ReplayWindow::default() };
        assert_eq!(opener.open(&out, &mut Vec::new()), Some(&report[..]));
    }
}

/// RFC 3711 §3.4 has a bit for reports that are not encrypted. No profile here agrees on such, so those of the
/// specification are not taken although their tags are right.
#[test]
fn reports_that_are_authentic_and_not_encrypted_are_not_taken() {
    let report = bytes(REPORTS);
    for gcm in &GCM {
        let (tag, word) = (bytes(gcm.reports_tag), bytes("000005d4"));
        // Tag and vector belong together: the whole report and its number are authenticated.
        let Cipher::Gcm { key, .. } = gcm.cipher() else { panic!("it is a GCM cipher") };
        let nonce: gcm::Nonce = bytes("517524055203726f207170bb").try_into().unwrap();
        let aad = [report.clone(), word.clone()].concat();
        assert!(key.open_in_place(&nonce, &aad, &mut tag.clone()).is_some());

        let mut opener = ReportOpener { cipher: gcm.cipher(), seen: ReplayWindow::default() };
        assert_eq!(opener.open(&[report.clone(), tag, word].concat(), &mut Vec::new()), None);
        assert!(opener.open(&bytes(gcm.reports), &mut Vec::new()).is_some(), "and its number is free still");
    }
}
