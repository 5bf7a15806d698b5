use std::time::Instant;

use headwater_media::TrackKind;

use super::*;

#[test]
fn what_agents_hand_over_adds_up_and_is_handed_over_once() {
    let board = Board::new();
    let start = Instant::now();
    for _ in 0..2 {
        board.ask(false);
        board.join(Duration::from_millis(20));
        let mut seen = Seen::new(start, None);
        seen.of_packet(TrackKind::Video, true, 100, start + Duration::from_millis(40));
        seen.counts.lost += 1;
        seen.latencies.push(3_000);
        for _ in 0..2 {
            board.take(&mut seen, Way::default());
        }
    }
    board.leave(true, Ok(()));
    board.leave(true, Err(Failure::new(Reason::Silent, "nothing comes")));
    board.ask(false);
    board.leave(false, Err(Failure::new(Reason::Silent, "something else")));
    let task =
        crate::Plan::from_json(r#"{"name":"x","task":[{"what":"play","target":"http://h/s/whep?a","count":2}]}"#);
    let row = board.read(|tally| tally.row(&task.unwrap().tasks[0], Duration::from_secs(2)));
    assert_eq!((row.asked, row.joined, row.live, row.live_max, row.left, row.failed), (3, 2, 0, 2, 1, 2));
    assert_eq!((row.packets, row.bytes, row.lost, row.loss), (2, 200, 2, 0.5));
    assert_eq!(row.bitrate, 800.0);
    assert_eq!(row.failures.len(), 1);
    assert_eq!((row.failures[0].count, row.failures[0].example.as_str()), (2, "nothing comes"));
    let latency = row.latency_ms.unwrap();
    assert_eq!(latency.count, 2);
    assert!((latency.p99 - 3.0).abs() < 0.01, "{latency:?}");
    assert_eq!(row.first_picture_ms.unwrap().count, 2);
    assert_eq!(row.target, "http://h/s/whep");
    assert_eq!(board.read(|tally| tally.arriving()), 0);
}

#[test]
fn times_beyond_the_histogram_count_as_its_end() {
    let mut spread = Spread::default();
    assert_eq!(spread.read(), None);
    spread.add(Duration::from_secs(1_000));
    spread.add(Duration::ZERO);
    let read = spread.read().unwrap();
    assert!(read.count == 2 && read.max >= 59_000.0 && read.max <= 61_000.0, "{read:?}");
    let mut sum = Spread::default();
    for _ in 0..3 {
        sum.add_all(&spread);
    }
    sum.add_all(&Spread::default());
    assert_eq!(sum.read().unwrap().count, 6);
}
