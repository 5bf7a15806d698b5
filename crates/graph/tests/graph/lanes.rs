//! What a cursor yields, in every situation that a reader can be in.

use std::time::Duration;

use headwater_graph::{Bell, Join, Lag, Lane, LaneOptions, LaneWriter, Next, lane};
use headwater_media::{Codec, Frame, TrackParameters};

use crate::support::{drain, frame, video};

fn new_lane() -> (LaneWriter<Frame>, Lane<Frame>) {
    let (mut writer, lane) = lane(LaneOptions { window_bytes: 1 << 20, window: Duration::from_secs(10) });
    writer.set_parameters(video(Codec::H264));
    (writer, lane)
}

/// Pushes frames `from..to`, with a group of `group` frames.
fn push(writer: &mut LaneWriter<Frame>, from: i64, to: i64, group: i64) {
    for number in from..to {
        writer.push(frame(number, number % group == 0));
    }
    writer.ring();
}

#[test]
fn late_joiner_starts_at_the_newest_group_and_is_told_the_parameters_first() {
    let (mut writer, lane) = new_lane();
    push(&mut writer, 0, 25, 10);
    let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
    assert_eq!(drain(&mut cursor), ["H264", "20", "21", "22", "23", "24"]);
    push(&mut writer, 25, 27, 10);
    assert_eq!(drain(&mut cursor), ["25", "26"]);
}

#[test]
fn live_joiner_waits_for_the_next_group() {
    let (mut writer, lane) = new_lane();
    push(&mut writer, 0, 15, 10);
    let mut cursor = lane.cursor(&Bell::new(), Join::Live);
    assert_eq!(drain(&mut cursor), Vec::<String>::new());
    push(&mut writer, 15, 22, 10);
    assert_eq!(drain(&mut cursor), ["H264", "20", "21"]);
}

#[test]
fn joiner_of_an_empty_lane_gets_the_first_group() {
    let (mut writer, lane) = new_lane();
    let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
    writer.push(frame(1, false));
    assert_eq!(drain(&mut cursor), Vec::<String>::new());
    writer.push(frame(2, true));
    assert_eq!(drain(&mut cursor), ["H264", "2"]);
}

#[test]
fn joiner_at_a_time_starts_at_the_first_group_from_then_on() {
    let (mut writer, lane) = new_lane();
    push(&mut writer, 0, 300, 1);
    let mut cursor = lane.cursor(&Bell::new(), Join::At(295 * 3_000 - 1));
    assert_eq!(drain(&mut cursor), ["H264", "295", "296", "297", "298", "299"]);
    let mut early = lane.cursor(&Bell::new(), Join::At(-5));
    assert_eq!(drain(&mut early).len(), 301);
    let mut later = lane.cursor(&Bell::new(), Join::At(301 * 3_000));
    assert_eq!(drain(&mut later), ["H264"]);
    push(&mut writer, 300, 303, 1);
    assert_eq!(drain(&mut later), ["301", "302"]);
}

#[test]
fn parameters_and_breaks_come_in_their_place() {
    let (mut writer, lane) = new_lane();
    let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
    writer.push(frame(0, true));
    assert_eq!(drain(&mut cursor), ["H264", "0"]);
    writer.set_parameters(video(Codec::H264));
    writer.push(frame(1, false));
    writer.discontinuity();
    writer.set_parameters(video(Codec::H265));
    writer.push(frame(2, true));
    assert_eq!(drain(&mut cursor), ["1", "break", "H265", "2"]);
    let mut late = lane.cursor(&Bell::new(), Join::NewestGroup);
    assert_eq!(drain(&mut late), ["H265", "2"]);
}

#[test]
fn reader_that_falls_out_of_the_window_is_told_what_it_lost_and_goes_on_at_the_newest_group() {
    let (mut writer, lane) = new_lane();
    push(&mut writer, 0, 1, 10);
    let mut slow = lane.cursor(&Bell::new(), Join::NewestGroup);
    assert_eq!(drain(&mut slow), ["H264", "0"]);
    push(&mut writer, 1, 1_005, 10);
    let seen = drain(&mut slow);
    let own_segment: Vec<i64> = seen.iter().map_while(|text| text.parse().ok()).collect();
    let last = *own_segment.last().unwrap();
    assert_eq!(own_segment, (1..=last).collect::<Vec<_>>());
    assert_eq!(
        seen[own_segment.len()..],
        [format!("lost {}", 999 - last), "1000".into(), "1001".into(), "1002".into(), "1003".into(), "1004".into()]
    );
}

#[test]
fn window_is_bounded_in_time() {
    let (mut writer, lane) = lane(LaneOptions { window_bytes: u64::MAX, window: Duration::from_secs(10) });
    writer.set_parameters(video(Codec::H264));
    push(&mut writer, 0, 3_000, 1);
    let mut oldest = lane.cursor(&Bell::new(), Join::At(0));
    let kept = drain(&mut oldest).len() as i64 - 1;
    assert!((300..300 + 3 * 64).contains(&kept), "kept {kept} frames of 1/30 s");
}

#[test]
fn window_is_bounded_in_bytes_even_by_large_items() {
    let bound = 160_000;
    let (mut writer, lane) = lane(LaneOptions { window_bytes: bound, window: Duration::from_secs(3_600) });
    writer.set_parameters(video(Codec::H264));
    for number in 0..1_000 {
        writer.push(Frame { data: vec![0; 5_000].into(), ..frame(number, true) });
    }
    let mut oldest = lane.cursor(&Bell::new(), Join::At(0));
    let kept = (drain(&mut oldest).len() - 1) * 5_000;
    assert!(kept as u64 <= bound + bound / 8 && kept as u64 >= bound / 2, "kept {kept} bytes");
}

#[test]
fn window_is_bounded_against_a_flood_of_tiny_items_and_of_changes() {
    let (mut writer, lane) = lane(LaneOptions { window_bytes: 1 << 20, window: Duration::from_secs(10) });
    let config = bytes::Bytes::from(vec![0; 10_000]);
    for number in 0..20_000u64 {
        let codec = if number % 2 == 0 { Codec::H264 } else { Codec::H265 };
        writer.set_parameters(TrackParameters { config: config.clone(), ..video(codec) });
        writer.push(Frame { dts: 0, pts: 0, random_access: true, data: Default::default() });
    }
    let mut oldest = lane.cursor(&Bell::new(), Join::At(0));
    let kept = drain(&mut oldest).len() / 2;
    assert!(kept * 10_000 < 3 << 20, "kept {kept} changes of 10,000 bytes");
}

#[test]
fn stalled_reader_keeps_no_more_than_its_own_segment_alive() {
    let (mut writer, lane) = new_lane();
    let data = bytes::Bytes::from(vec![7; 50]);
    let shared = |number: i64| Frame { data: data.clone(), ..frame(number, true) };
    writer.push(shared(0));
    let stalled = lane.cursor(&Bell::new(), Join::NewestGroup);
    for number in 1..100_000 {
        writer.push(shared(number));
    }
    drop((writer, lane));
    drop(stalled);
    assert!(data.is_unique(), "every item is freed with the last reader");
}

#[test]
fn lag_counts_what_is_not_read_yet() {
    let (mut writer, lane) = new_lane();
    push(&mut writer, 0, 1, 10);
    let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
    assert_eq!(drain(&mut cursor), ["H264", "0"]);
    assert_eq!(cursor.lag(), Lag::default());
    push(&mut writer, 1, 6, 10);
    assert_eq!(cursor.next_ticks(), Some(3_000));
    assert_eq!(cursor.lag(), Lag { items: 5, bytes: 500, ticks: 12_000 });
}

#[test]
fn asking_for_the_end_reads_nothing_that_was_written_since_the_lane_was_found_empty() {
    let (mut writer, lane) = new_lane();
    let mut cursor = lane.cursor(&Bell::new(), Join::Live);
    assert_eq!(cursor.next_ticks(), None);
    push(&mut writer, 0, 2, 10);
    assert!(!cursor.has_ended());
    assert_eq!(drain(&mut cursor), ["H264", "0", "1"]);
    push(&mut writer, 2, 3, 10);
    writer.end();
    assert!(!cursor.has_ended(), "there is something to read");
    assert_eq!(drain(&mut cursor), ["2", "end"]);
    assert!(cursor.has_ended());
}

#[test]
fn slow_reader_skips_to_the_newest_group_or_waits_for_the_next() {
    let (mut writer, lane) = new_lane();
    push(&mut writer, 0, 2, 10);
    let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
    assert_eq!(drain(&mut cursor), ["H264", "0", "1"]);
    push(&mut writer, 2, 25, 10);
    assert_eq!(cursor.skip_to_newest_group(), 18);
    assert_eq!(drain(&mut cursor), ["20", "21", "22", "23", "24"]);
    push(&mut writer, 25, 29, 10);
    assert_eq!(cursor.skip_to_newest_group(), 4);
    assert_eq!(drain(&mut cursor), Vec::<String>::new());
    push(&mut writer, 29, 32, 10);
    assert_eq!(drain(&mut cursor), ["30", "31"]);
}

#[test]
fn readers_see_everything_before_the_end() {
    let (mut writer, lane) = new_lane();
    let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
    push(&mut writer, 0, 130, 200);
    writer.end();
    let seen = drain(&mut cursor);
    assert_eq!(seen.len(), 1 + 130 + 1);
    assert_eq!(seen.last().unwrap(), "end");
    assert_eq!(drain(&mut lane.cursor(&Bell::new(), Join::Live)), ["end"]);
}

#[test]
fn thousand_cursors_of_one_task_wake_it_once_a_burst() {
    let (mut writer, lane) = new_lane();
    let bell = Bell::new();
    let mut cursors: Vec<_> = (0..1_000).map(|_| lane.cursor(&bell, Join::NewestGroup)).collect();
    let waker = std::sync::Arc::new(CountingWaker::default());
    let context_waker = std::task::Waker::from(waker.clone());
    let mut context = std::task::Context::from_waker(&context_waker);
    for burst in 0..5 {
        assert!(bell.poll_rung(&mut context).is_pending());
        push(&mut writer, burst * 7, burst * 7 + 7, 7);
        writer.ring();
        assert_eq!(waker.0.load(std::sync::atomic::Ordering::SeqCst), burst as usize + 1);
        assert!(bell.poll_rung(&mut context).is_ready());
        assert!(cursors.iter_mut().all(|cursor| drain(cursor).len() >= 7));
    }
    assert_eq!(lane.readers(), 1_000);
    cursors.clear();
    assert_eq!(lane.readers(), 0);
    push(&mut writer, 100, 101, 1);
    assert!(!bell.take(), "nobody is rung who has left");
}

#[derive(Default)]
struct CountingWaker(std::sync::atomic::AtomicUsize);

impl std::task::Wake for CountingWaker {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn key_frame_requests_of_all_readers_become_one() {
    let (writer, lane) = new_lane();
    let (source, viewer) = (Bell::new(), Bell::new());
    writer.demand().set_bell(&source);
    let cursors: Vec<_> = (0..100).map(|_| lane.cursor(&viewer, Join::Live)).collect();
    assert!(source.take(), "the source hears of its first reader");
    assert_eq!(writer.demand().readers(), 100);
    cursors.iter().for_each(|cursor| cursor.demand().request_key_frame());
    assert!(source.take());
    assert!(writer.demand().take_key_frame_request());
    assert!(!writer.demand().take_key_frame_request());
}

#[test]
fn a_reader_that_finds_no_group_to_start_at_asks_for_one_once() {
    let (mut writer, lane) = new_lane();
    let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
    for _ in 0..3 {
        assert!(matches!(cursor.next(), Next::Empty));
    }
    assert!(writer.demand().take_key_frame_request());
    assert!(matches!(cursor.next(), Next::Empty));
    assert!(!writer.demand().take_key_frame_request(), "it has asked already");
    push(&mut writer, 0, 10, 100);
    assert_eq!(drain(&mut cursor).len(), 11);
    let mut late = lane.cursor(&Bell::new(), Join::NewestGroup);
    assert_eq!(drain(&mut late).len(), 11);
    assert!(!writer.demand().take_key_frame_request(), "there is a group to start at");
    cursor.skip_to_newest_group();
    assert!(writer.demand().take_key_frame_request(), "what it has skipped to does not exist yet");
}

#[test]
fn a_fork_goes_on_where_the_reader_stands_and_is_woken_by_its_own_bell() {
    let (mut writer, lane) = new_lane();
    push(&mut writer, 0, 70, 100);
    let mut cursor = lane.cursor(&Bell::new(), Join::NewestGroup);
    assert_eq!(drain(&mut cursor).len(), 71);
    let bell = Bell::new();
    let mut fork = cursor.fork(&bell);
    assert_eq!((lane.readers(), bell.take()), (2, false));
    writer.set_parameters(video(Codec::H265));
    push(&mut writer, 70, 72, 100);
    assert!(bell.take());
    assert_eq!(drain(&mut fork), ["H265", "70", "71"]);
    assert_eq!(drain(&mut cursor), ["H265", "70", "71"]);
    drop(fork);
    assert_eq!(lane.readers(), 1);
}

#[test]
fn readers_compare_by_the_item_that_comes_next() {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let (mut writer, lane) = new_lane();
    push(&mut writer, 0, 64, 100);
    let mut here = lane.cursor(&Bell::new(), Join::NewestGroup);
    let mut there = lane.cursor(&Bell::new(), Join::NewestGroup);
    assert_eq!(here.compare(&there), None, "neither has begun");
    drain(&mut here);
    assert_eq!((here.compare(&there), there.compare(&here)), (None, None));
    for _ in 0..3 {
        there.next();
    }
    assert_eq!((here.compare(&there), there.compare(&here)), (Some(Greater), Some(Less)));
    drain(&mut there);
    // One waits at the end of a row of slots, the other at the beginning of the next.
    push(&mut writer, 64, 65, 100);
    here.next_ticks();
    assert_eq!(here.compare(&there), Some(Equal));
    let (mut writer, other) = new_lane();
    push(&mut writer, 0, 64, 100);
    let mut elsewhere = other.cursor(&Bell::new(), Join::NewestGroup);
    drain(&mut elsewhere);
    assert_eq!(here.compare(&elsewhere), None);
}
