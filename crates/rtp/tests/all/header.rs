//! RTP headers, honest and not (W7).

use headwater_rtp::Header;
use rstest::rstest;

/// Version 2, marker, payload type 96, sequence 258, timestamp 3, ssrc 4.
const FIXED: [u8; 12] = [0x80, 0xe0, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4];

fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = [&FIXED, rest].concat();
    packet[0] = first;
    packet
}

#[test]
fn every_field_is_read() {
    let bytes = packet(0xb1, &[0, 0, 0, 9, 0xbe, 0xde, 0, 2, 0x10, 7, 0, 0x21, 8, 9, 0, 0, 1, 2, 3, 0, 2]);
    let header = Header::parse(&bytes).unwrap();
    assert!(header.marker());
    assert_eq!((header.payload_type(), header.sequence(), header.timestamp(), header.ssrc()), (96, 258, 3, 4));
    assert_eq!(header.csrcs().collect::<Vec<_>>(), [9]);
    assert_eq!(header.extensions().collect::<Vec<_>>(), [(1, &[7][..]), (2, &[8, 9][..])]);
    assert_eq!(header.payload(), [1, 2, 3]);
}

#[test]
fn extensions_with_two_bytes_before_each_are_read() {
    let bytes = packet(0x90, &[0x10, 0x00, 0, 2, 5, 0, 6, 3, 1, 2, 3, 0, 42]);
    let header = Header::parse(&bytes).unwrap();
    assert_eq!(header.extensions().collect::<Vec<_>>(), [(5, &[][..]), (6, &[1, 2, 3][..])]);
    assert_eq!(header.payload(), [42]);
}

#[rstest]
#[case::too_short(&FIXED[..11])]
#[case::version_one(&packet(0x40, &[]))]
#[case::contributing_sources_beyond_the_packet(&packet(0x8f, &[0; 59]))]
#[case::extension_without_length(&packet(0x90, &[0xbe, 0xde, 0]))]
#[case::extension_beyond_the_packet(&packet(0x90, &[0xbe, 0xde, 0, 2, 1, 2, 3, 4]))]
#[case::padding_without_a_byte(&packet(0xa0, &[]))]
#[case::padding_of_zero(&packet(0xa0, &[1, 2, 0]))]
#[case::padding_beyond_the_payload(&packet(0xa0, &[1, 2, 4]))]
#[case::padding_into_the_extension(&packet(0xb0, &[0xbe, 0xde, 0, 1, 0, 0, 0, 0, 9]))]
fn lengths_beyond_the_packet_are_refused(#[case] bytes: &[u8]) {
    assert!(Header::parse(bytes).is_err());
}

#[test]
fn padding_may_be_all_there_is() {
    assert_eq!(Header::parse(&packet(0xa0, &[0, 0, 3])).unwrap().payload(), []);
}

#[test]
fn every_length_and_shape_is_harmless() {
    for length in 0..=1_500 {
        for first in [0x80, 0x90, 0xa0, 0xb0, 0x8f, 0xbf, 0xff, 0x00] {
            for fill in [0x00, 0xff, 0x10, 0xbe] {
                let mut bytes = vec![fill; length];
                if let Some(byte) = bytes.first_mut() {
                    *byte = first;
                }
                if let Ok(header) = Header::parse(&bytes) {
                    let extensions: usize = header.extensions().map(|(_, data)| data.len()).sum();
                    assert!(header.payload().len() + extensions + 4 * header.csrcs().count() <= length);
                }
            }
        }
    }
}
