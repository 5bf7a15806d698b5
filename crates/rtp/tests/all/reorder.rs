//! The window that puts packets in order.

use headwater_media::{ClockRate, Packet, limits};
use headwater_rtp::Reorder;
use rstest::rstest;

fn packet(sequence: u64, timestamp: i64) -> Packet {
    Packet {
        sequence,
        timestamp,
        marker: false,
        random_access: false,
        orientation: Default::default(),
        payload: [1][..].into(),
    }
}

fn deliver(window: &mut Reorder, arrivals: &[(u64, i64)]) -> Vec<u64> {
    let mut out = Vec::new();
    for (sequence, time) in arrivals {
        window.push(&packet(*sequence, *time), |packet| out.push(packet.sequence));
    }
    out
}

#[rstest]
#[case::in_order(&[7, 8, 9], &[7, 8, 9])]
#[case::overtaken(&[7, 9, 10, 8, 11], &[7, 8, 9, 10, 11])]
#[case::twice(&[7, 7, 8, 10, 10, 9, 9], &[7, 8, 9, 10])]
#[case::older_than_the_first(&[7, 6, 8], &[7, 8])]
#[case::still_missing(&[7, 9, 10], &[7])]
fn packets_leave_in_order(#[case] arrivals: &[u64], #[case] expected: &[u64]) {
    let arrivals: Vec<_> = arrivals.iter().map(|sequence| (*sequence, 0)).collect();
    assert_eq!(deliver(&mut Reorder::new(ClockRate::VIDEO), &arrivals), expected);
}

#[test]
fn a_missing_packet_is_given_up_after_the_jitter_time() {
    let mut window = Reorder::new(ClockRate::VIDEO);
    let patience = ClockRate::VIDEO.ticks(limits::JITTER_MS.get_duration());
    assert_eq!(deliver(&mut window, &[(1, 0), (3, 10), (5, patience)]), [1]);
    assert_eq!(deliver(&mut window, &[(6, patience + 1)]), [3]);
    assert_eq!(deliver(&mut window, &[(2, 5), (4, 20)]), [4, 5, 6]);
    assert_eq!(window.dropped(), 1);
}

#[test]
fn a_missing_packet_is_given_up_when_too_many_are_held() {
    let mut window = Reorder::new(ClockRate::VIDEO);
    let held = limits::JITTER_PACKETS.get();
    let arrivals: Vec<_> = (2..2 + held).map(|sequence| (sequence, 0)).collect();
    assert_eq!(deliver(&mut window, &[(0, 0)]), [0]);
    assert_eq!(deliver(&mut window, &arrivals), []);
    assert_eq!(deliver(&mut window, &[(2 + held, 0)]), (2..=2 + held).collect::<Vec<_>>());
}

#[test]
fn a_source_that_counts_anew_is_followed() {
    let mut window = Reorder::new(ClockRate::VIDEO);
    assert_eq!(deliver(&mut window, &[(100_000, 0)]), [100_000]);
    let arrivals: Vec<_> = (0..80).map(|sequence| (sequence, 0)).collect();
    assert_eq!(deliver(&mut window, &arrivals), (64..80).collect::<Vec<_>>());
    window.reset();
    assert_eq!(deliver(&mut window, &[(3, 0), (4, 0)]), [3, 4]);
}
