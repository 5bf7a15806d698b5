//! The figures of a run: progress while it goes, a table at the end, JSON and a page of plots, comparison with another.

mod compare;
mod extent;
mod machine;
mod page;
mod plots;
mod progress;
mod saved;
mod section;
mod table;

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

pub(crate) use extent::Extent;
pub(crate) use progress::Progress;
pub(crate) use saved::{Outputs, Verdict};
pub(crate) use section::Section;

use machine::About;

/// What a single run of something timed is taken to spread by, in its value: other runs may be that far from it.
const SPREAD_UNKNOWN: f64 = 0.1;

/// All figures of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    about: About,
    figures: Vec<Figure>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    series: Vec<Series>,
}

/// One figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    part: String,
    what: String,
    /// The median, where there are several runs.
    value: f64,
    unit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_least: Option<f64>,
    /// What the machine itself takes for the same, of the same run and in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    floor: Option<f64>,
    /// Whether it was counted and not timed, so that it is the same in each run.
    #[serde(default)]
    counted: bool,
    /// The value of each run, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    runs: Vec<f64>,
}

impl Figure {
    /// It is counted and not timed.
    pub(crate) fn is_counted(&mut self) -> &mut Figure {
        self.counted = true;
        self
    }

    /// What the machine itself takes for the same.
    pub(crate) fn floor(&mut self, floor: f64) -> &mut Figure {
        self.floor = Some(floor);
        self
    }

    /// Whether it keeps its bar; `None` without one.
    fn keeps(&self) -> Option<bool> {
        match (self.at_most, self.at_least) {
            (None, None) => None,
            (most, least) => {
                Some(most.is_none_or(|bar| self.value <= bar) && least.is_none_or(|bar| self.value >= bar))
            }
        }
    }

    /// Whether it compares two things of one run, or does not depend on the machine's day.
    fn is_ratio(&self) -> bool {
        self.unit == "times" || self.counted
    }

    /// How far its runs lie from the median, as a share of it.
    fn spread(&self) -> f64 {
        if self.counted {
            return 0.0;
        }
        if self.runs.len() < 2 {
            return SPREAD_UNKNOWN;
        }
        let farthest = self.runs.iter().map(|value| (value - self.value).abs()).fold(0.0, f64::max);
        if self.value == 0.0 { 0.0 } else { farthest / self.value.abs() }
    }

    fn is_same_as(&self, other: &Figure) -> bool {
        (&self.part, &self.what, &self.unit) == (&other.part, &other.what, &other.unit)
    }
}

/// A value that changes while something else does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    part: String,
    what: String,
    /// What goes along, with its unit.
    along: String,
    unit: String,
    points: Vec<(f64, f64)>,
}

impl Report {
    /// An empty one, which describes the machine as it is now.
    pub(crate) fn new() -> Report {
        Report { about: About::now(), figures: Vec::new(), series: Vec::new() }
    }

    /// A figure without a bar.
    pub(crate) fn figure(&mut self, part: &str, what: impl Into<String>, value: f64, unit: &str) -> &mut Figure {
        let figure = Figure {
            part: part.to_owned(),
            what: what.into(),
            value,
            unit: unit.to_owned(),
            at_most: None,
            at_least: None,
            floor: None,
            counted: false,
            runs: Vec::new(),
        };
        self.figures.push(figure);
        let last = self.figures.len() - 1;
        &mut self.figures[last]
    }

    /// A figure that should not be above `at_most`.
    pub(crate) fn barred(
        &mut self,
        part: &str,
        what: impl Into<String>,
        value: f64,
        unit: &str,
        at_most: f64,
    ) -> &mut Figure {
        let figure = self.figure(part, what, value, unit);
        figure.at_most = Some(at_most);
        figure
    }

    /// A figure that should not be below `at_least`.
    pub(crate) fn barred_below(
        &mut self,
        part: &str,
        what: impl Into<String>,
        value: f64,
        unit: &str,
        at_least: f64,
    ) -> &mut Figure {
        let figure = self.figure(part, what, value, unit);
        figure.at_least = Some(at_least);
        figure
    }

    /// A value that changed: its points, by what goes along and its unit in words.
    pub(crate) fn series(&mut self, part: &str, what: &str, along: &str, unit: &str, points: Vec<(f64, f64)>) {
        let owned = str::to_owned;
        self.series.push(Series {
            part: owned(part),
            what: owned(what),
            along: owned(along),
            unit: owned(unit),
            points,
        });
    }

    /// Takes the figures of another run of the same: each value becomes the median of all runs.
    pub(crate) fn merge(&mut self, other: Report) {
        for figure in other.figures {
            let Some(known) = self.figures.iter_mut().find(|known| known.is_same_as(&figure)) else {
                self.figures.push(figure);
                continue;
            };
            if known.runs.is_empty() {
                known.runs.push(known.value);
            }
            known.runs.push(figure.value);
            known.value = percentile(&mut known.runs.clone(), 0.5);
        }
    }

    /// Prints the table.
    pub(crate) fn print(&self) -> io::Result<()> {
        table::print(self, &mut io::stdout().lock())
    }
}

/// Says why nothing was measured.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "error: {error:#}");
}

/// The value below which this share of the values lies; zero of nothing.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    let index = (last * share).round() as usize;
    values.get(index).copied().unwrap_or(0.0)
}

/// As many digits as mean something.
fn readable(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left.is_multiple_of(3) && digit != '-' && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests;
