use super::*;

#[test]
fn figures_are_grouped_and_keep_three_digits() {
    let cases = [
        (0.123, "0.12"),
        (-9.994, "-9.99"),
        (24.56, "24.6"),
        (314.4, "314"),
        (-314.4, "-314"),
        (1_234_567.0, "1,234,567"),
        (-1_000.0, "-1,000"),
    ];
    for (value, text) in cases {
        assert_eq!(readable(value), text);
    }
}

#[test]
fn percentiles_are_values_that_were_there() {
    let mut values = vec![5.0, 1.0, 4.0, 2.0, 3.0];
    assert_eq!(percentile(&mut values, 0.5), 3.0);
    assert_eq!(percentile(&mut values, 0.95), 5.0);
    assert_eq!(percentile(&mut [], 0.5), 0.0);
}

#[test]
fn runs_of_the_same_give_a_median_and_a_spread() {
    let run = |value| {
        let mut report = Report::new();
        report.barred("a", "b", value, "times", 2.0);
        report
    };
    let mut report = run(1.0);
    assert_eq!(report.figures[0].spread(), SPREAD_UNKNOWN);
    report.merge(run(1.5));
    report.merge(run(1.25));
    let figure = &report.figures[0];
    assert_eq!((report.figures.len(), figure.value, figure.spread()), (1, 1.25, 0.2));
    assert_eq!(figure.runs, [1.0, 1.5, 1.25]);
}

#[test]
fn bars_are_kept_on_their_side() {
    let mut report = Report::new();
    assert_eq!(report.barred("a", "b", 2.0, "", 2.0).keeps(), Some(true));
    assert_eq!(report.barred("a", "b", 2.1, "", 2.0).keeps(), Some(false));
    assert_eq!(report.barred_below("a", "b", 2.1, "", 2.0).keeps(), Some(true));
    assert_eq!(report.barred_below("a", "b", 1.9, "", 2.0).keeps(), Some(false));
    assert_eq!(report.figure("a", "b", 1.9, "").keeps(), None);
}
