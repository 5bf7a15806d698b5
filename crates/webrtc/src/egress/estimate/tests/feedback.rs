//! The parser of transport-wide feedback.

use super::super::feedback::{Report, Status};
use super::write_feedback;

/// A report of so many packets from 65,534 on, with a reference time of 1.
fn body(count: u16, chunks: &[u16], deltas: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe];
    body.extend_from_slice(&count.to_be_bytes());
    body.extend_from_slice(&[0, 0, 1, 9]);
    chunks.iter().for_each(|chunk| body.extend_from_slice(&chunk.to_be_bytes()));
    body.extend_from_slice(deltas);
    body
}

fn read(body: &[u8]) -> Option<Vec<Status>> {
    Some(Report::parse(body)?.statuses().collect())
}

fn arrived(number: u16, steps: i64) -> Status {
    Status::Arrived { number, micros: steps * 250 }
}

fn missing(first: u16, count: u16) -> Status {
    Status::Missing { first, count }
}

#[test]
fn every_kind_of_chunk_is_read_over_the_wrap_of_numbers() {
    let run_small = body(3, &[0x2003], &[4, 0, 255]);
    assert_eq!(read(&run_small), Some(vec![arrived(0xfffe, 4), arrived(0xffff, 4), arrived(0, 259)]));
    let run_large = body(2, &[0x4002], &[0xff, 0xff, 0x7f, 0xff]);
    assert_eq!(read(&run_large), Some(vec![arrived(0xfffe, -1), arrived(0xffff, 32_766)]));
    let run_missing = body(4, &[0x0003, 0x2001], &[7]);
    assert_eq!(read(&run_missing), Some(vec![missing(0xfffe, 3), arrived(1, 7)]));
    let one_bit = body(14, &[0b1010_0000_0000_0001], &[1, 2]);
    let mut told = vec![arrived(0xfffe, 1)];
    told.extend((0xffff..0x1_000b).map(|number: u32| missing(number as u16, 1)));
    told.push(arrived(11, 3));
    assert_eq!(read(&one_bit), Some(told));
    let two_bit = body(7, &[0b11_01_10_00_00_00_01_00 | 1], &[5, 0xff, 0xfb, 1, 2]);
    let told = vec![
        arrived(0xfffe, 5),
        arrived(0xffff, 0),
        missing(0, 1),
        missing(1, 1),
        missing(2, 1),
        arrived(3, 1),
        arrived(4, 3),
    ];
    assert_eq!(read(&two_bit), Some(told));
}

#[test]
fn a_report_may_be_padded_and_its_last_chunk_longer_than_its_packets() {
    let told = Some(vec![arrived(0xfffe, 1), missing(0xffff, 1)]);
    assert_eq!(read(&body(2, &[0b1010_0000_0000_0000], &[1])), told);
    assert_eq!(read(&body(2, &[0b1010_1111_1111_1111], &[1])), told, "it tells of no more packets than there are");
    assert_eq!(read(&body(2, &[0b1011_0000_0000_0000], &[1])), None, "but what it tells of has to be there");
    assert_eq!(read(&body(2, &[0b1010_0000_0000_0000], &[1, 0, 0])), told);
    assert_eq!(read(&body(2, &[0x2000, 0b1010_0000_0000_0000], &[1])), told, "a run of none");
    assert_eq!(read(&body(1, &[0x3fff], &[1])), Some(vec![arrived(0xfffe, 1)]), "a run of more than there are");
}

#[test]
fn what_means_nothing_is_refused() {
    assert_eq!(read(&body(0, &[0x2001], &[1])), None, "of no packet");
    assert_eq!(read(&body(1, &[0x6001], &[1, 1, 1])), None, "a run of the unknown");
    assert_eq!(read(&body(3, &[0b11_01_11_00_00_00_00_00], &[1, 1, 1, 1])), None, "a vector with the unknown");
    assert_eq!(read(&body(15, &[0b1000_0000_0000_0000], &[])), None, "too few chunks");
}

#[test]
fn a_report_cut_anywhere_is_refused_as_a_whole() {
    let arrivals: Vec<Option<i64>> =
        (0..60).map(|number| (number % 5 != 0).then_some(64_000 + number * 21_000 % 170_000)).collect();
    let whole = write_feedback(0xfff0, &arrivals);
    let told: Vec<Status> = read(&whole).unwrap();
    assert_eq!(told.len(), 60);
    let length = Report::parse(&whole).unwrap().length();
    assert!(whole.len() - length < 4);
    for cut in 0..length {
        assert_eq!(read(&whole[..cut]), None, "{cut}");
    }
}

#[test]
fn attack_w14_the_absence_of_65_thousand_packets_is_told_in_a_few_words() {
    let told = read(&body(u16::MAX, &[0x1fff; 9], &[])).unwrap();
    assert_eq!(told.len(), 9);
    let total: u32 =
        told.iter().map(|status| if let Status::Missing { count, .. } = status { u32::from(*count) } else { 0 }).sum();
    assert_eq!(total, 65_535);
}

#[test]
fn attack_w14_any_count_chunk_and_length_does_no_harm() {
    for count in [1, 2, 7, 8, 14, 15, 8_191, 8_192, u16::MAX] {
        for chunk in [
            0u16, 0x1fff, 0x2000, 0x2001, 0x3fff, 0x4001, 0x5fff, 0x7fff, 0x8000, 0xbfff, 0xc000, 0xd555, 0xeaaa,
            0xffff,
        ] {
            for length in 0..200 {
                let mut body = body(count, &[chunk; 100], &[]);
                body.truncate(length);
                if let Some(told) = read(&body) {
                    let arrived = told.iter().filter(|status| matches!(status, Status::Arrived { .. })).count();
                    assert!(arrived <= body.len(), "each needs a delta");
                }
            }
        }
    }
}
