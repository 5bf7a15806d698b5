use bytes::Bytes;

use super::*;

const SOUND_LAG: Duration = Duration::from_millis(100);

fn seconds(time: u64) -> Duration {
    Duration::from_secs(time)
}

/// Segments of two seconds each that begin then, with an initialization section.
fn run(times: std::ops::Range<u64>, key: u64, late: Duration) -> Vec<Entry> {
    let init = Arc::new(Init { key, data: Bytes::new(), parameters: Vec::new() });
    let entry = |at: u64| Entry {
        init: init.clone(),
        is_discontinuous: false,
        time: seconds(at) + late,
        duration: seconds(2),
        bytes: 1,
        frames: 60,
    };
    times.step_by(2).map(entry).collect()
}

fn picture(segments: Vec<Entry>) -> Listed {
    Listed { kind: TrackKind::Video, is_sent: true, is_independent: true, segments }
}

fn sound(segments: Vec<Entry>) -> Listed {
    Listed { kind: TrackKind::Audio, ..picture(segments) }
}

/// For each Period when it begins, in milliseconds, and how many segments of each rendition are in it.
fn told(periods: &[Period]) -> Vec<(u128, Vec<usize>)> {
    periods.iter().map(|period| (period.start.as_millis(), period.runs.iter().map(Vec::len).collect())).collect()
}

#[test]
fn a_stream_without_a_break_is_one_period_whose_beginning_stays_as_segments_leave_the_window() {
    let mut periods = Periods::from(None);
    for (from, to, count) in [(100, 106, 3), (100, 110, 5), (120, 130, 5)] {
        let listed = [picture(run(from..to, 1, Duration::ZERO)), sound(run(from..to, 2, SOUND_LAG))];
        assert_eq!(told(&periods.arrange(&listed)), [(100_000, vec![count, count])]);
    }
}

#[test]
fn the_first_period_begins_with_the_time_of_the_stream_where_that_is_said() {
    let listed = [picture(run(100..106, 1, Duration::ZERO)), sound(run(104..110, 2, Duration::ZERO))];
    let mut periods = Periods::from(Some(seconds(90)));
    assert_eq!(told(&periods.arrange(&listed)), [(90_000, vec![1, 1])], "it begins where both are there");
}

#[test]
fn an_encoder_that_comes_back_begins_a_period_with_its_picture_and_another_comes_with_the_next() {
    let mut periods = Periods::from(None);
    let mut pictures = run(100..106, 1, Duration::ZERO);
    let mut sounds = run(100..106, 2, SOUND_LAG);
    let whole = [picture(pictures.clone()), sound(sounds.clone())];
    let before = told(&periods.arrange(&whole));
    // The sound comes half a second before the first key frame.
    pictures.extend(run(110..114, 3, Duration::ZERO));
    pictures[3].is_discontinuous = true;
    let alone = [picture(pictures[..4].to_vec()), sound(sounds.clone())];
    assert_eq!(told(&periods.arrange(&alone)), before, "what comes with it is not known yet");
    sounds.extend(run(109..113, 4, Duration::from_millis(500)));
    sounds[3].is_discontinuous = true;
    let both = [picture(pictures), sound(sounds)];
    let expected = [(100_000, vec![3, 3]), (110_000, vec![2, 2])];
    assert_eq!(told(&periods.arrange(&both)), expected);
    assert_eq!(told(&periods.arrange(&both)), expected, "and again");
    // The first one has left the window.
    let rest = both.map(|one| Listed { segments: one.segments[3..].to_vec(), ..one });
    assert_eq!(told(&periods.arrange(&rest)), [(110_000, vec![2, 2])]);
}

#[test]
fn a_break_without_another_initialization_section_is_told_once_and_at_the_same_time_each_time() {
    let mut periods = Periods::from(Some(seconds(90)));
    let mut pictures = run(100..110, 1, Duration::ZERO);
    pictures[2].is_discontinuous = true;
    let listed = [picture(pictures.clone())];
    for _ in 0..3 {
        assert_eq!(told(&periods.arrange(&listed)), [(90_000, vec![2]), (104_000, vec![3])]);
    }
}

#[test]
fn sound_that_changes_alone_changes_the_period_with_the_next_picture() {
    let mut periods = Periods::from(None);
    let sounds = [run(100..104, 2, SOUND_LAG), run(104..110, 3, SOUND_LAG)].concat();
    let listed = [picture(run(100..110, 1, Duration::ZERO)), sound(sounds)];
    assert_eq!(told(&periods.arrange(&listed)), [(100_000, vec![2, 2]), (104_000, vec![3, 3])]);
}

#[test]
fn a_size_that_is_sent_no_more_leaves_with_a_period_and_comes_back_with_another() {
    let mut periods = Periods::from(None);
    let mut large = picture(run(100..104, 1, Duration::ZERO));
    large.is_sent = false;
    let small = picture(run(100..110, 2, Duration::ZERO));
    let listed = [large.clone(), small];
    assert_eq!(told(&periods.arrange(&listed)), [(100_000, vec![2, 2]), (104_000, vec![0, 3])]);
    large.is_sent = true;
    large.segments.extend(run(110..114, 1, Duration::ZERO));
    let listed = [large, picture(run(100..114, 2, Duration::ZERO))];
    let expected = [(100_000, vec![2, 2]), (104_000, vec![0, 3]), (110_000, vec![2, 2])];
    assert_eq!(told(&periods.arrange(&listed)), expected);
}

#[test]
fn a_source_whose_time_steps_back_has_no_period_that_begins_before_one_that_was_told() {
    let mut periods = Periods::from(None);
    let mut pictures = [run(100..106, 1, Duration::ZERO), run(105..111, 2, Duration::ZERO)].concat();
    pictures[3].is_discontinuous = true;
    let starts: Vec<u128> = told(&periods.arrange(&[picture(pictures)])).into_iter().map(|(start, _)| start).collect();
    assert_eq!(starts, [100_000, 106_000]);
}
