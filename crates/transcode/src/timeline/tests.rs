use super::*;

const RATE: ClockRate = ClockRate::new(48_000).unwrap();
const MS: Ticks = 48;
const FRAME: usize = 1_024;

/// Plays frames with these differences between stamp and truth; gives what was done about each.
fn play(timeline: &mut Timeline, truth: &mut Ticks, differences: impl IntoIterator<Item = Ticks>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut late = 0;
    for difference in differences {
        if late == 0 {
            let verdict = timeline.judge(*truth + difference);
            match verdict {
                Verdict::Gap(missing) => _ = timeline.advance(missing),
                Verdict::Overlap(samples) => late = samples,
                _ => {}
            }
            verdicts.push(verdict);
        }
        let dropped = late.min(FRAME);
        late -= dropped;
        timeline.advance(FRAME - dropped);
        *truth += FRAME as Ticks;
    }
    verdicts
}

#[test]
fn rounding_to_milliseconds_is_ignored() {
    let mut timeline = Timeline::new(RATE, 0);
    let rounded = (0..1_000).map(|n: Ticks| -(n * FRAME as Ticks % MS));
    let verdicts = play(&mut timeline, &mut 0, rounded);
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Follows));
    assert_eq!(timeline.next, 1_000 * FRAME as Ticks);
}

#[test]
fn one_lost_frame_is_a_gap_at_once() {
    let mut timeline = Timeline::new(RATE, 0);
    let mut truth = 0;
    play(&mut timeline, &mut truth, [0; 10]);
    truth += FRAME as Ticks;
    let verdicts = play(&mut timeline, &mut truth, [0; 10]);
    assert_eq!(verdicts[0], Verdict::Gap(FRAME));
    assert!(verdicts[1..].iter().all(|verdict| *verdict == Verdict::Follows));
    assert_eq!(timeline.next, truth);
}

#[test]
fn what_overlaps_is_left_out_however_many_frames_it_is() {
    let mut timeline = Timeline::new(RATE, 0);
    let mut truth = 0;
    play(&mut timeline, &mut truth, [0; 10]);
    truth -= 3 * FRAME as Ticks / 2;
    let verdicts = play(&mut timeline, &mut truth, [0; 4]);
    let expected = [Verdict::Overlap(3 * FRAME / 2), Verdict::Follows, Verdict::Follows];
    assert_eq!(verdicts, expected);
    assert_eq!(timeline.next, truth);
}

#[test]
fn usual_jitter_is_no_gap() {
    let mut timeline = Timeline::new(RATE, 0);
    let mut truth = 0;
    // A source whose jitter grows slowly to 30 ms either way.
    let jitter = (0..600).map(|n: Ticks| (n * 7_919 % 61 - 30) * MS * n / 600);
    let verdicts = play(&mut timeline, &mut truth, jitter);
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Follows));
    assert!((timeline.next - truth).abs() < 10 * MS);
}

#[test]
fn lasting_differences_are_stretched_away() {
    for difference in [-6, -2, 2, 6] {
        let mut timeline = Timeline::new(RATE, 0);
        let mut truth = 0;
        play(&mut timeline, &mut truth, [0; 10]);
        play(&mut timeline, &mut truth, vec![difference * MS; 800]);
        assert!((timeline.next - truth - difference * MS).abs() <= MS, "{difference}");
    }
}

#[test]
fn far_away_is_another_time_line() {
    for difference in [500 * MS, -500 * MS, Ticks::MAX, Ticks::MIN] {
        let mut timeline = Timeline::new(RATE, 0);
        assert_eq!(timeline.judge(difference), Verdict::Jump(difference));
    }
    let mut timeline = Timeline::new(RATE, Ticks::MAX);
    timeline.judge(Ticks::MAX);
    timeline.advance(FRAME);
    assert_eq!(timeline.judge(Ticks::MIN), Verdict::Jump(Ticks::MIN));
}
