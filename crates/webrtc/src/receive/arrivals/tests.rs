//! What is written is read by the estimator's parser.

use super::*;
use crate::egress::estimate::feedback::{Report, Status};

/// Writes a message and reads it: the number of each packet that it tells of, and when it arrived, in milliseconds
/// since the session began; `None` where it has not.
fn told(arrivals: &mut Arrivals) -> Vec<(u16, Option<i64>)> {
    let mut bytes = vec![7; 3];
    arrivals.write(1, 2, &mut bytes);
    let message = bytes.split_off(3);
    if message.is_empty() {
        return Vec::new();
    }
    assert_eq!(message[..2], [message[0] & 0x20 | 0x8f, 205]);
    assert_eq!(message[4..12], [0, 0, 0, 1, 0, 0, 0, 2]);
    assert_eq!(usize::from(u16::from_be_bytes([message[2], message[3]])) * 4 + 4, message.len());
    let report = Report::parse(&message[4..]).unwrap();
    let padding = if message[0] & 0x20 == 0 { 0 } else { usize::from(message[message.len() - 1]) };
    assert_eq!(report.length() + 4 + padding, message.len());
    let mut all = Vec::new();
    for status in report.statuses() {
        match status {
            Status::Missing { first, count } => all.extend((0..count).map(|next| (first.wrapping_add(next), None))),
            Status::Arrived { number, micros } => {
                all.push((number, Some((i64::from(report.reference) * REFERENCE_MICROS + micros) / 1_000)));
            }
        }
    }
    all
}

fn at(epoch: Instant, ms: u64) -> Instant {
    epoch + Duration::from_millis(ms)
}

#[test]
fn packets_are_told_of_with_their_times_in_the_order_of_numbers() {
    let epoch = Instant::now();
    let mut arrivals = Arrivals::new(epoch);
    for (number, ms) in [(65_534, 1_000), (65_535, 1_004), (2, 1_010), (1, 1_500), (6, 1_400)] {
        arrivals.arrived(number, at(epoch, ms));
    }
    assert_eq!(arrivals.due(), Some(at(epoch, 1_100)));
    let expected = [
        (65_534, Some(1_000)),
        (65_535, Some(1_004)),
        (0, None),
        (1, Some(1_500)),
        (2, Some(1_010)),
        (3, None),
        (4, None),
        (5, None),
        (6, Some(1_400)),
    ];
    assert_eq!(told(&mut arrivals), expected);
    assert_eq!(arrivals.due(), None);
    assert!(told(&mut arrivals).is_empty());
    // What was told to be missing stays so; what is missing since is told.
    arrivals.arrived(3, at(epoch, 1_600));
    arrivals.arrived(8, at(epoch, 1_610));
    assert_eq!(told(&mut arrivals), [(7, None), (8, Some(1_610))]);
}

#[test]
fn whatever_comes_is_read_as_it_was_written() {
    let epoch = Instant::now();
    let (mut arrivals, mut seed) = (Arrivals::new(epoch), 1u64);
    let mut chance = |of: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % of
    };
    let (mut number, mut ms) = (0u64, 0u64);
    for round in 0..2_000 {
        let mut expected = Vec::new();
        let before = number;
        // Stretches without loss, with much loss, and with pauses.
        for _ in 0..chance(ARRIVALS_MAX as u64) {
            number += if round % 3 == 0 { 1 } else { 1 + chance(4) };
            ms += if chance(50) == 0 { chance(2_000) } else { chance(20) };
            arrivals.arrived(number as u16, at(epoch, ms));
            expected.push((number as u16, Some(ms as i64)));
        }
        let told = told(&mut arrivals);
        let arrived: Vec<_> = told.iter().copied().filter(|(_, at)| at.is_some()).collect();
        assert_eq!(arrived, expected, "round {round}");
        if !expected.is_empty() && before > 0 {
            assert_eq!(told.len() as u64, number - before, "no gap between one and the next");
        }
    }
}

#[test]
fn attack_numbers_that_jump_about_cost_no_more_than_a_message() {
    let epoch = Instant::now();
    let mut arrivals = Arrivals::new(epoch);
    for round in 0..1_000u64 {
        for jump in 0..500u64 {
            arrivals.arrived((round * 7_919 + jump * 31_337) as u16, at(epoch, round * 1_000_000));
        }
        assert!(arrivals.arrived.len() <= ARRIVALS_MAX);
        let mut bytes = Vec::new();
        arrivals.write(1, 2, &mut bytes);
        assert!(bytes.len() <= 500, "{}", bytes.len());
        assert!(bytes.is_empty() || Report::parse(&bytes[4..]).is_some());
    }
}
