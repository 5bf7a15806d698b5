//! Numbers that do not wrap.

use headwater_rtp::{SequenceExtender, TimestampExtender};
use rstest::rstest;

#[rstest]
#[case(&[0, 1, 2], &[0, 1, 2])]
#[case(&[65_534, 65_535, 0, 1], &[65_534, 65_535, 65_536, 65_537])]
#[case(&[0, 65_535, 1], &[0, -1, 1])]
#[case(&[10, 65_000, 20, 32_700], &[10, -536, 20, 32_700])]
#[case(&[65_535, 0, 65_535, 1], &[65_535, 65_536, 65_535, 65_537])]
fn sequence_numbers_follow_the_highest(#[case] wire: &[u16], #[case] expected: &[i64]) {
    let mut extender = SequenceExtender::default();
    let extended: Vec<i64> = wire.iter().map(|sequence| extender.extend(*sequence) as i64 - 65_536).collect();
    assert_eq!(extended, expected);
}

#[test]
fn sequence_numbers_of_hours_do_not_wrap() {
    let mut extender = SequenceExtender::default();
    let first = extender.extend(40_000);
    for index in 1..500_000u64 {
        assert_eq!(extender.extend((40_000 + index) as u16), first + index);
    }
}

#[rstest]
#[case(&[5, 3_005], &[5, 3_005])]
#[case(&[u32::MAX - 1, 2_998], &[4_294_967_294, 4_294_970_294])]
#[case(&[100, u32::MAX, 200], &[100, -1, 200])]
fn timestamps_go_both_ways(#[case] wire: &[u32], #[case] expected: &[i64]) {
    let mut extender = TimestampExtender::default();
    let extended: Vec<i64> = wire.iter().map(|timestamp| extender.extend(*timestamp)).collect();
    assert_eq!(extended, expected);
}
