//! What got better or worse from one run to another.

use std::io::{self, Write};

use anyhow::{Result, ensure};

use super::{Figure, Report, readable};

/// A ratio may get worse by this share, beyond what its runs spread by.
const WORSE_MAX: f64 = 0.05;

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Better,
    Same,
    Worse,
    /// It is not said whether more is better.
    Moved,
}

/// A figure of both runs.
struct Row<'a> {
    before: &'a Figure,
    now: &'a Figure,
    /// As a share of what it was; infinite where that was nothing.
    growth: f64,
    change: Change,
}

/// What got better or worse.
pub(super) struct Comparison<'a> {
    before: &'a Report,
    now: &'a Report,
    rows: Vec<Row<'a>>,
}

impl<'a> Comparison<'a> {
    /// Compares the figures that are in both.
    ///
    /// # Errors
    /// There are none, or one run is of a build without optimisation and the other is not.
    pub(super) fn new(before: &'a Report, now: &'a Report) -> Result<Comparison<'a>> {
        ensure!(
            before.about.optimised == now.about.optimised,
            "one of the runs is of a build without optimisation: they cannot be compared"
        );
        let rows: Vec<Row<'_>> = now.figures.iter().filter_map(|figure| row(before, figure)).collect();
        ensure!(!rows.is_empty(), "the runs have no figure in common");
        Ok(Comparison { before, now, rows })
    }

    /// Ratios that got worse.
    pub(super) fn worse(&self) -> usize {
        self.rows.iter().filter(|row| row.now.is_ratio() && row.change == Change::Worse).count()
    }

    /// Ratios and what is counted, all of them; of the rest what has changed.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let (before, now) = (&self.before.about, &self.now.about);
        let commit = |commit: &Option<String>| commit.clone().unwrap_or_else(|| "unknown".to_owned());
        writeln!(out, "\nCompared with {} of {}", commit(&before.commit), before.date)?;
        if before.machine != now.machine {
            writeln!(out, "That was another machine: only ratios and counts mean something.")?;
        }
        for is_ratio in [true, false] {
            let of_kind = self.rows.iter().filter(|row| row.now.is_ratio() == is_ratio);
            let shown: Vec<&Row<'_>> = of_kind.filter(|row| is_ratio || row.change != Change::Same).collect();
            if !shown.is_empty() {
                writeln!(out, "\n{}", if is_ratio { "ratios and counts" } else { "what else has changed" })?;
            }
            let width = shown.iter().map(|row| row.name().chars().count()).max().unwrap_or(0);
            for row in shown {
                row.print(width, out)?;
            }
        }
        let count = |change| self.rows.iter().filter(|row| row.now.is_ratio() && row.change == change).count();
        let (better, same, worse) = (count(Change::Better), count(Change::Same), count(Change::Worse));
        writeln!(out, "\nOf ratios and counts {better} are better, {same} as before, {worse} worse.")
    }
}

impl Row<'_> {
    fn name(&self) -> String {
        format!("{}: {}", self.now.part, self.now.what)
    }

    fn print(&self, width: usize, out: &mut impl Write) -> io::Result<()> {
        let change = match self.change {
            Change::Better => "better",
            Change::Same => "",
            Change::Worse => "WORSE",
            Change::Moved => "changed",
        };
        let (before, now) = (readable(self.before.value), readable(self.now.value));
        let (name, unit, growth) = (self.name(), &self.now.unit, self.growth * 100.0);
        writeln!(out, "  {name:<width$}  {before:>10} -> {now:>10} {unit:<8} {growth:>+6.1} %  {change}")
    }
}

fn row<'a>(before: &'a Report, now: &'a Figure) -> Option<Row<'a>> {
    let before = before.figures.iter().find(|figure| figure.is_same_as(now))?;
    let growth = growth(before.value, now.value);
    let allowed = WORSE_MAX + before.spread().max(now.spread());
    let is_less_better = now.is_ratio() || now.at_most.is_some();
    let change = match (growth, now.at_least) {
        (growth, _) if growth.abs() <= allowed => Change::Same,
        (growth, Some(_)) if growth < 0.0 => Change::Worse,
        (_, Some(_)) => Change::Better,
        _ if !is_less_better => Change::Moved,
        (growth, None) if growth > 0.0 => Change::Worse,
        _ => Change::Better,
    };
    Some(Row { before, now, growth, change })
}

fn growth(before: f64, now: f64) -> f64 {
    match before == now {
        true => 0.0,
        false if before == 0.0 => f64::INFINITY * now.signum(),
        false => (now - before) / before.abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(figures: &[(&str, &[f64], &str)]) -> Report {
        let mut report = Report::new();
        for (what, runs, unit) in figures {
            for (index, value) in runs.iter().enumerate() {
                let mut run = Report::new();
                run.figure("part", *what, *value, unit);
                match index {
                    0 => report.figures.append(&mut run.figures),
                    _ => report.merge(run),
                }
            }
        }
        report
    }

    fn change(before: &[f64], now: &[f64], unit: &str) -> (Change, usize) {
        let (before, now) = (report(&[("what", before, unit)]), report(&[("what", now, unit)]));
        let comparison = Comparison::new(&before, &now).unwrap();
        (comparison.rows[0].change, comparison.worse())
    }

    #[test]
    fn a_ratio_is_worse_beyond_five_percent_and_its_spread() {
        let cases: [(&[f64], &[f64], Change, usize); 6] = [
            // One run each: a tenth is taken to be its spread.
            (&[1.0], &[1.14], Change::Same, 0),
            (&[1.0], &[1.16], Change::Worse, 1),
            (&[1.0], &[0.80], Change::Better, 0),
            // Steady runs: five percent.
            (&[1.0, 1.0, 1.0], &[1.04, 1.04, 1.04], Change::Same, 0),
            (&[1.0, 1.0, 1.0], &[1.06, 1.06, 1.06], Change::Worse, 1),
            // Runs that lie a fifth apart.
            (&[0.8, 1.0, 1.2], &[1.2, 1.2, 1.2], Change::Same, 0),
        ];
        for (before, now, wanted, worse) in cases {
            assert_eq!(change(before, now, "times"), (wanted, worse), "{before:?} {now:?}");
        }
    }

    #[test]
    fn what_is_timed_changes_and_fails_nothing() {
        assert_eq!(change(&[100.0], &[200.0], "ns"), (Change::Moved, 0));
    }

    #[test]
    fn counts_do_not_spread_and_nothing_must_not_become_something() {
        let counted = |value| {
            let mut report = Report::new();
            report.barred("micro", "allocations", value, "/packet", 0.0).is_counted();
            report
        };
        for (before, now, worse) in [(100.0, 104.0, 0), (100.0, 106.0, 1), (0.0, 0.1, 1), (0.0, 0.0, 0)] {
            let (before, now) = (counted(before), counted(now));
            assert_eq!(Comparison::new(&before, &now).unwrap().worse(), worse);
        }
    }

    #[test]
    fn runs_with_nothing_in_common_are_not_compared() {
        let (one, other) = (report(&[("a", &[1.0], "")]), report(&[("b", &[1.0], "")]));
        assert!(Comparison::new(&one, &other).is_err());
    }
}
