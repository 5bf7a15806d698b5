//! A second copy of what is sent again, where a line loses a little.

use std::time::{Duration, Instant};

use super::*;

/// A viewer asks for one of so many packets; yields how often a thousandth of a second later, and ten later, something
/// was sent again, for each.
fn copies(every: u64) -> Vec<(usize, usize)> {
    let start = Instant::now();
    let (mut egress, mut peer) = connect(Role::Passive, start);
    let mut copies = Vec::new();
    for number in 1..=3_000_u64 {
        let now = start + Duration::from_millis(number * 4);
        send(&mut egress, 0, number..number + 1, now);
        if number % every != 0 {
            continue;
        }
        let asked = peer.reports(&feedback(&egress, 205, 1, 0, &[(number as u32 & 0xffff) << 16]));
        let lost = |notices: Vec<Notice>| {
            let expected = Notice::Lost { stream: 0, sequence: number };
            notices.into_iter().filter(|notice| *notice == expected).count()
        };
        let first = lost(take(&mut egress, &asked, now));
        let mut second = 0;
        for ms in 1..30 {
            let (now, mut notices) = (now + Duration::from_millis(ms), Vec::new());
            if egress.deadline().is_some_and(|at| at <= now) {
                egress.advance(now, &mut Vec::new(), &mut notices).unwrap();
                second += lost(notices);
                assert!(second == 0 || ms >= 10, "after {ms} ms");
            }
        }
        copies.push((first, second));
    }
    copies
}

#[test]
fn what_is_lost_on_a_line_that_loses_a_little_is_sent_again_twice() {
    let settled = |every| copies(every).split_off(1_100 / every as usize);
    assert!(settled(50).iter().all(|copies| *copies == (1, 1)), "{:?}", settled(50));
    assert!(settled(1_000).iter().all(|copies| *copies == (1, 0)), "hardly anything is lost");
    assert!(settled(8).iter().all(|(_, second)| *second == 0), "the line is too thin");
}
