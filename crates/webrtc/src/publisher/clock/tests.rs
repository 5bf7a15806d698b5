use super::*;

const VIDEO: ClockRate = ClockRate::VIDEO;
const AUDIO: ClockRate = ClockRate::OPUS;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(ms_of_sender: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000) + ms(ms_of_sender)
}

/// A sound whose packets arrive at once, and a picture that arrives 120 ms late, both captured from time 0 on.
fn pair() -> (SourceClock, SourceClock) {
    let (mut audio, mut video) = (SourceClock::new(AUDIO), SourceClock::new(VIDEO));
    assert_eq!(audio.place(70_000, ms(0)), Placed::At(0));
    assert_eq!(video.place(5_000_000_000, ms(120)), Placed::At(10_800), "by arrival before any report");
    audio.report(70_000, at(0));
    video.report(5_000_000_000u64 as u32, at(0));
    (audio, video)
}

#[test]
fn reports_bring_sound_and_picture_together_smoothly() {
    let (audio, mut video) = pair();
    video.follow(&audio);
    let (mut last, mut placed) = (10_800, Vec::new());
    for frame in 1..150i64 {
        let Placed::At(ticks) = video.place(5_000_000_000 + frame * 3_000, ms(120 + frame as u64 * 1_000 / 30)) else {
            panic!("no jump");
        };
        assert!((2_850..=3_150).contains(&(ticks - last)), "frame {frame}: {}", ticks - last);
        last = ticks;
        placed.push(ticks - frame * 3_000);
    }
    assert_eq!(placed.last(), Some(&0), "captured at 0, so it belongs at 0");
    assert!(placed.iter().position(|place| *place == 0) < Some(90), "within three seconds");
}

#[test]
fn all_packets_of_a_picture_have_one_time_even_late_ones() {
    let (audio, mut video) = pair();
    video.follow(&audio);
    let place = |video: &mut SourceClock, frame: i64| match video
        .place(5_000_000_000 + frame * 3_000, ms(120 + frame as u64 * 33))
    {
        Placed::At(ticks) => ticks,
        Placed::Jumped(_) => panic!("no jump"),
    };
    let times: Vec<Ticks> = (1..20).map(|frame| place(&mut video, frame)).collect();
    for (frame, time) in (1..20).zip(times) {
        assert_eq!(place(&mut video, frame), time, "a packet of frame {frame} comes again");
    }
}

#[test]
fn a_report_that_cannot_be_true_moves_nothing() {
    for (timestamp, captured) in [(0, at(0)), (705_032_704, at(100_000)), (705_032_704, SystemTime::UNIX_EPOCH)] {
        let (audio, mut video) = pair();
        video.report(timestamp, captured);
        video.follow(&audio);
        video.place(5_000_003_000, ms(153));
        let Placed::At(ticks) = video.place(5_000_006_000, ms(186)) else { panic!("no jump") };
        assert!((16_500..=16_800).contains(&ticks), "{ticks}");
    }
}

#[test]
fn a_jump_of_the_source_goes_on_at_the_time_of_arrival_and_never_back() {
    for jump in [1_000_000_000, -3_000_000] {
        let mut video = SourceClock::new(VIDEO);
        video.place(5_000_000, ms(0));
        video.place(5_003_000, ms(33));
        assert_eq!(video.place(5_003_000 + jump, ms(66)), Placed::Jumped(5_940), "{jump}");
        assert_eq!(video.place(5_006_000 + jump, ms(100)), Placed::At(8_940));
    }
}

#[test]
fn a_pause_of_the_source_is_no_jump() {
    let mut video = SourceClock::new(VIDEO);
    video.place(0, ms(0));
    assert_eq!(video.place(90_000 * 60, ms(60_000)), Placed::At(90_000 * 60));
}

#[test]
fn another_source_in_the_same_lane_begins_after_the_one_before() {
    let mut clock = SourceClock::new(AUDIO);
    clock.place(1_000_000, ms(100));
    clock.place(1_192_000, ms(200));
    clock.restart(ClockRate::new(8_000).unwrap());
    let Placed::At(ticks) = clock.place(7, ms(210)) else { panic!("no jump") };
    assert!(ticks >= 4_100 * 8, "{ticks}: the first ran four seconds ahead of its arrival");
}

#[test]
fn what_packets_say_of_their_capture_counts_more_than_reports_where_both_sources_say_it() {
    let place = |video: &mut SourceClock| {
        for frame in 1..150i64 {
            video.place(5_000_000_000 + frame * 3_000, ms(120 + frame as u64 * 1_000 / 30));
        }
        match video.place(5_000_000_000 + 450_000, ms(5_120)) {
            Placed::At(ticks) => ticks - 450_000,
            Placed::Jumped(_) => panic!("no jump"),
        }
    };
    // By the reports the picture belongs at 0, by its own word 50 ms after the sound.
    let (mut audio, mut video) = pair();
    video.captured(5_000_000_000, at(7_000_050));
    video.follow(&audio);
    assert_eq!(place(&mut video), 0, "the sound does not say it, and the clocks may differ");
    let (_, mut video) = pair();
    audio.captured(70_000, at(7_000_000));
    video.captured(5_000_000_000, at(7_000_050));
    video.follow(&audio);
    assert_eq!(place(&mut video), 4_500);
}
