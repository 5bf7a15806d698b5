use super::*;

fn options() -> WindowOptions {
    WindowOptions {
        segment: Duration::from_secs(2),
        part: Some(Duration::from_millis(200)),
        keep: Duration::from_secs(8),
        bytes_max: 1 << 20,
    }
}

fn part(is_independent: bool) -> Part {
    Part { duration: Duration::from_millis(200), is_independent, frames: 6, data: Bytes::from_static(&[7; 100]) }
}

fn begin(is_discontinuous: bool) -> Begin {
    let init = Some(Arc::new(Init { key: 5, data: Bytes::from_static(b"init"), parameters: Vec::new() }));
    Begin { init, is_discontinuous, time: SystemTime::UNIX_EPOCH }
}

/// A window with so many whole segments of ten parts, from number 100 on.
fn filled(options: WindowOptions, segments: usize) -> Window {
    let mut window = Window::new(options, Numbers { sequence: 100, discontinuity: 3 });
    for _ in 0..segments {
        fill(&mut window, false);
    }
    window
}

fn fill(window: &mut Window, is_discontinuous: bool) {
    window.begin(begin(is_discontinuous));
    (0..10).for_each(|index| window.push(part(index == 0)));
    window.close();
}

fn listed(window: &Window) -> Vec<u64> {
    window.segments().map(|segment| segment.sequence).collect()
}

#[test]
fn media_older_than_the_window_leaves_the_playlist_first_and_memory_later() {
    let window = filled(options(), 9);
    assert_eq!(listed(&window), [105, 106, 107, 108]);
    let held: Vec<u64> = window.held.iter().map(|segment| segment.sequence).collect();
    assert_eq!(held, [102, 103, 104], "three target durations");
    assert_eq!(window.bytes(), 7 * 1_000);
    let oldest = window.held.front().unwrap();
    assert_eq!(window.segment(102, oldest.key).unwrap().len(), 10);
    assert_eq!(window.segment(102, oldest.key ^ 1), None, "another key");
}

#[test]
fn memory_is_bounded_by_bytes_whatever_the_time_says() {
    let window = filled(WindowOptions { bytes_max: 2_500, ..options() }, 9);
    assert_eq!(listed(&window), [107, 108]);
    assert!(window.bytes() <= 2_500, "{}", window.bytes());
}

#[test]
fn what_is_paused_announces_nothing_and_is_back_with_the_next_part() {
    let mut window = filled(options(), 3);
    window.begin(begin(false));
    window.push(part(true));
    let (sequence, key) = window.open().map(|open| (open.sequence, open.key)).unwrap();
    assert!(window.is_announced(sequence, 1, key));
    window.pause();
    assert!(window.is_paused() && !window.is_announced(sequence, 1, key));
    assert_eq!(listed(&window), [100, 101, 102, 103], "what there was is whole");
    let (next, next_key) = window.next();
    assert!(!window.is_announced(next, 0, next_key));
    window.begin(begin(true));
    assert!(window.is_paused(), "there is nothing of it yet");
    window.push(part(true));
    assert!(!window.is_paused() && window.is_announced(next, 1, next_key));
}

#[test]
fn numbers_go_on_over_discontinuities_and_after_a_restart() {
    let mut window = filled(options(), 2);
    fill(&mut window, true);
    assert_eq!((listed(&window), window.discontinuity_sequence()), (vec![100, 101, 102], 3));
    for _ in 0..4 {
        fill(&mut window, false);
    }
    assert_eq!((listed(&window), window.discontinuity_sequence()), (vec![103, 104, 105, 106], 4));
    let again = Window::new(options(), window.numbers());
    assert_eq!((again.next().0, again.discontinuity_sequence()), (107, 5));
}

#[test]
fn a_segment_without_parts_takes_no_number_and_keeps_what_was_announced() {
    let mut window = filled(options(), 1);
    let announced = window.next();
    window.begin(begin(true));
    window.begin(begin(true));
    let open = window.open().unwrap();
    assert_eq!((open.sequence, open.key), announced);
}

#[test]
fn a_part_is_found_as_soon_as_it_is_there_and_announced_before() {
    let mut window = filled(options(), 1);
    let (sequence, key) = window.next();
    assert!(window.is_announced(sequence, 0, key) && window.part(sequence, 0, key).is_none());
    window.begin(begin(false));
    assert!(window.is_announced(sequence, 0, key) && !window.is_announced(sequence, 1, key));
    window.push(part(true));
    assert!(!window.is_announced(sequence, 0, key) && window.part(sequence, 0, key).is_some());
    assert!(window.is_announced(sequence, 1, key) && !window.is_announced(sequence, 1, key ^ 1));
    assert_eq!(window.segment(sequence, key), None, "it is not whole");
    assert_eq!(window.init(5).unwrap(), "init");
    assert_eq!(window.init(6), None);
}

#[test]
fn players_may_wait_for_what_comes_next_and_for_nothing_far_ahead() {
    let mut window = filled(options(), 3);
    window.begin(begin(false));
    window.push(part(true));
    let check = |sequence, part, expected| {
        assert_eq!(window.ahead(Position { sequence, part }), expected, "{sequence} {part:?}");
    };
    check(0, None, Ahead::Here);
    check(102, None, Ahead::Here);
    check(102, Some(9), Ahead::Here);
    // Past the last part of a whole segment: the first of the next.
    check(102, Some(10), Ahead::Here);
    check(103, Some(0), Ahead::Here);
    check(103, Some(1), Ahead::Soon);
    check(103, None, Ahead::Soon);
    check(104, None, Ahead::Soon);
    check(104, Some(0), Ahead::Soon);
    check(105, None, Ahead::Far);
    check(103, Some(16), Ahead::Far);
    check(u64::MAX, Some(u64::MAX), Ahead::Far);
    check(103, Some(u64::MAX), Ahead::Far);
    window.end();
    assert_eq!(window.ahead(Position { sequence: u64::MAX, part: None }), Ahead::Here, "nothing more will come");
}

#[test]
fn the_target_duration_grows_with_longer_groups_and_never_falls() {
    let mut window = filled(options(), 1);
    assert_eq!(window.target(), Duration::from_secs(2));
    window.begin(begin(false));
    (0..23).for_each(|index| window.push(part(index == 0)));
    window.close();
    assert_eq!(window.target(), Duration::from_secs(5), "4.6 seconds are rounded");
    fill(&mut window, false);
    assert_eq!(window.target(), Duration::from_secs(5));
}

#[test]
fn a_part_that_was_too_long_is_forgotten_with_its_segment() {
    let target = |window: &Window| window.part_target().unwrap().as_millis();
    let mut window = filled(options(), 3);
    assert_eq!(target(&window), 220);
    window.begin(begin(false));
    window.push(Part { duration: Duration::from_millis(2_500), ..part(true) });
    assert_eq!(target(&window), 2_500);
    for _ in 0..3 {
        assert_eq!(target(&window), 2_500, "it is still listed");
        fill(&mut window, false);
    }
    assert_eq!(target(&window), 220);
    assert_eq!(window.target(), Duration::from_secs(3));
}
