//! NAL units behind lengths and start codes.

use bytes::Bytes;
use headwater_codec::nal::{AnnexB, Nals, from_annexb, to_annexb, widen_lengths};

use crate::fixtures::{BASELINE, HEVC, HIGH_B, hex};

#[test]
fn start_codes_of_three_and_four_bytes_are_found() {
    let cases: [(&str, &[&str]); 7] = [
        ("", &[]),
        ("0102", &[]),
        ("000001", &[]),
        ("00000165", &["65"]),
        ("0000000165000001060000000109", &["65", "06", "09"]),
        ("ff00000165880000", &["6588"]),
        ("000001000001 67", &["67"]),
    ];
    for (stream, expected) in cases {
        let stream = hex(stream);
        let expected: Vec<Bytes> = expected.iter().map(|nal| hex(nal)).collect();
        assert_eq!(AnnexB::new(&stream).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn both_forms_hold_the_same_units() {
    for stream in [BASELINE, HIGH_B, HEVC] {
        let frame = from_annexb(stream);
        let nals: Vec<&[u8]> = Nals::new(&frame).map(Result::unwrap).collect();
        assert_eq!(nals, AnnexB::new(stream).collect::<Vec<_>>());
        let mut again = Vec::new();
        to_annexb(&frame, &mut again).unwrap();
        assert_eq!(from_annexb(&again), frame);
    }
}

#[test]
fn lengths_of_all_sizes_become_four_bytes() {
    let expected = hex("00000002 6588 00000001 09");
    for (size, frame) in
        [(1, "026588 0109"), (2, "00026588 000109"), (3, "0000026588 00000109"), (4, "000000026588 0000000109")]
    {
        assert_eq!(widen_lengths(hex(frame), size).unwrap(), expected);
    }
    assert!(widen_lengths(hex("056588"), 1).is_err());
    assert!(widen_lengths(hex("0565"), 5).is_err());
}

#[test]
fn a_length_beyond_the_frame_is_told() {
    let frame = hex("00000001 09 00000009 6588");
    let nals: Vec<_> = Nals::new(&frame).collect();
    assert!(nals[0].is_ok() && nals[1].is_err() && nals.len() == 2);
    let huge = hex("7fffffff 65");
    assert!(Nals::new(&huge).next().unwrap().is_err());
}
