//! What the estimate is made from.

use std::time::Instant;

use super::super::{
    Estimator,
    delivered::Delivered,
    groups::{Groups, Variation},
    history::History,
};

#[test]
fn packets_that_leave_within_five_milliseconds_are_one_group() {
    let mut groups = Groups::default();
    let frame = |groups: &mut Groups, sent: i64, arrival: i64| {
        let told: Vec<Variation> =
            (0..4).filter_map(|packet| groups.push(sent + packet * 1_000, arrival + packet * 7_000)).collect();
        told
    };
    assert_eq!(frame(&mut groups, 0, 50_000), []);
    assert_eq!(frame(&mut groups, 33_000, 90_000), []);
    let variation = Variation { sent: 33_000, arrival: 40_000, at: 111_000 };
    assert_eq!(frame(&mut groups, 66_000, 130_000), [variation]);
    assert_eq!(groups.push(40_000, 140_000), None, "one that comes late is of no group");
    assert_eq!(groups.push(100_000, 9_000_000), None, "nothing can be said across a jump");
    assert_eq!(groups.push(133_000, 9_033_000), None);
}

#[test]
fn a_number_is_known_from_its_sending_until_it_is_forgotten() {
    let mut history = History::new();
    for packet in 0..70_000 {
        assert_eq!(history.push(1_000, packet * 1_000, 0), packet as u16);
    }
    let (now, next) = (70_000_000, 70_000u32 as u16);
    assert_eq!(history.arrived(next, now), None, "never sent");
    assert_eq!(history.arrived(next.wrapping_add(2_000), now), None, "nor this");
    assert_eq!(history.arrived(next.wrapping_sub(1_025), now), None, "forgotten");
    let newest = history.arrived(next.wrapping_sub(1), now).unwrap();
    assert_eq!((newest.sent, newest.bytes, newest.was_lost), (69_999_000, 1_000, false));
    assert_eq!(history.arrived(next.wrapping_sub(1), now), None, "told again");
    let mut lost = 0;
    history.missing(next.wrapping_sub(3_000), u16::MAX, now, |_| lost += 1);
    assert_eq!(lost, 1_023, "all that is remembered and did not arrive");
    history.missing(next.wrapping_sub(10), 10, now, |_| lost += 1);
    assert_eq!(lost, 1_023, "each once");
    assert!(history.arrived(next.wrapping_sub(5), now).unwrap().was_lost, "it came late");
}

#[test]
fn probes_are_delivered_too_but_are_no_media() {
    let mut delivered = Delivered::default();
    for packet in 0..400 {
        delivered.push(500, packet % 2 == 0, packet * 5_000);
    }
    let near = |rate: Option<f64>, expected: f64| assert!((rate.unwrap() / expected - 1.0).abs() < 0.1, "{rate:?}");
    near(delivered.short(), 800_000.0);
    near(delivered.long(), 400_000.0);
    delivered.push(500, false, -90_000_000);
    assert_eq!(delivered.short(), None, "the clock was set back");
}

#[test]
fn the_reference_time_goes_on_over_its_wrap_both_ways() {
    let mut estimator = Estimator::new(300_000, 30_000, 8_000_000, Instant::now());
    assert_eq!(estimator.extend(0xff_fff0), 0xff_fff0);
    for (last, told, extended) in [
        (0xff_fff0, 0x10, 0x100_0010),
        (0x100_0010, 0xff_fff0, 0xff_fff0),
        (0x300_0010, 0x20, 0x300_0020),
        (5, 0xff_ffff, -1),
        ((1 << 40) - 1, 0x10, 0x10),
    ] {
        estimator.reference = Some(last);
        assert_eq!(estimator.extend(told), extended);
    }
}
