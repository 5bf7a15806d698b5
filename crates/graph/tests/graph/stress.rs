//! The lock-free parts under real threads.

use std::{thread, time::Duration};

use headwater_graph::{Bell, Join, LaneOptions, Next, lane};
use headwater_media::{Codec, Frame};

use crate::support::{frame, video};

/// Readers of all tempers beside a writer: each sees items in order, each gap is announced with its exact size.
#[test]
fn readers_on_other_threads_see_every_item_in_order_or_are_told_the_gap() {
    const ITEMS: i64 = 200_000;
    let (mut writer, lane) = lane::<Frame>(LaneOptions { window_bytes: 64_000, window: Duration::from_secs(3_600) });
    writer.set_parameters(video(Codec::H264));
    let readers: Vec<_> = (0..4)
        .map(|temper| {
            let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
            thread::spawn(move || read_to_the_end(&mut cursor, temper))
        })
        .collect();
    for number in 0..ITEMS {
        writer.push(frame(number, number % 30 == 0));
        if number % 8 == 0 {
            writer.ring();
        }
    }
    writer.end();
    for reader in readers {
        let (seen, lost) = reader.join().unwrap();
        assert!(seen > 0);
        assert!(seen + lost <= ITEMS as u64 && seen + lost > ITEMS as u64 - 60, "{seen} seen, {lost} lost");
    }
}

fn read_to_the_end(cursor: &mut headwater_graph::Cursor<Frame>, temper: u64) -> (u64, u64) {
    let (mut seen, mut lost, mut expected) = (0u64, 0u64, None::<i64>);
    loop {
        match cursor.next() {
            Next::Item(item) => {
                let number = item.dts / 3_000;
                match expected {
                    Some(expected) => assert_eq!(number, expected),
                    None => lost += number as u64,
                }
                assert_eq!(item.data[0], number as u8);
                expected = Some(number + 1);
                seen += 1;
                if temper > 0 && seen.is_multiple_of(temper * 500) {
                    thread::sleep(Duration::from_micros(300 * temper));
                }
            }
            Next::Lost { items } => {
                lost += items;
                expected = expected.map(|number| number + items as i64);
            }
            Next::Empty => thread::yield_now(),
            Next::Ended => return (seen, lost),
            Next::Parameters(_) | Next::Discontinuity => {}
        }
    }
}

/// Readers that come and go while the lane is written: nothing is left behind.
#[test]
fn readers_that_come_and_go_leave_nothing_behind() {
    let (mut writer, lane) = lane::<Frame>(LaneOptions::default());
    writer.set_parameters(video(Codec::H264));
    let churn: Vec<_> = (0..3)
        .map(|_| {
            let lane = lane.clone();
            thread::spawn(move || {
                for round in 0..2_000 {
                    let bell = Bell::new();
                    let join = if round % 2 == 0 { Join::NewestGroup } else { Join::Live };
                    let mut cursor = lane.cursor(&bell, join);
                    while !matches!(cursor.next(), Next::Empty) {}
                }
            })
        })
        .collect();
    for number in 0..50_000 {
        writer.push(frame(number, number % 30 == 0));
        writer.ring();
    }
    churn.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(lane.readers(), 0);
    assert_eq!(writer.demand().readers(), 0);
}
