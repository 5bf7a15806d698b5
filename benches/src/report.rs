//! The figures of a run: progress while it goes, a table at the end, JSON for programs.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// All figures of a run.
#[derive(Serialize)]
pub(crate) struct Report {
    version: &'static str,
    optimised: bool,
    cores: usize,
    load_before: f64,
    figures: Vec<Figure>,
}

/// One figure.
#[derive(Serialize)]
struct Figure {
    part: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<bool>,
}

impl Report {
    pub(crate) fn new() -> Report {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Report {
            version: env!("CARGO_PKG_VERSION"),
            optimised: !cfg!(debug_assertions),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
            figures: Vec::new(),
        }
    }

    /// A figure without a bar.
    pub(crate) fn figure(&mut self, part: &'static str, what: impl Into<String>, value: f64, unit: &'static str) {
        self.add(part, what.into(), value, unit, None);
    }

    /// A figure that should not be above `at_most`.
    pub(crate) fn barred(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        at_most: f64,
    ) {
        self.add(part, what.into(), value, unit, Some(at_most));
    }

    fn add(&mut self, part: &'static str, what: String, value: f64, unit: &'static str, at_most: Option<f64>) {
        let kept = at_most.map(|bar| value <= bar);
        self.figures.push(Figure { part, what, value, unit, at_most, kept });
    }

    /// Prints the table.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let width = self.figures.iter().map(|figure| figure.what.chars().count()).max().unwrap_or(0);
        let mut part = "";
        for figure in &self.figures {
            if figure.part != part {
                part = figure.part;
                writeln!(out, "\n{part}")?;
            }
            let value = readable(figure.value);
            write!(out, "  {:<width$}  {value:>10} {:<8}", figure.what, figure.unit)?;
            match (figure.at_most, figure.kept) {
                (Some(bar), Some(true)) => writeln!(out, "  at most {}: kept", readable(bar))?,
                (Some(bar), _) => writeln!(out, "  at most {}: ABOVE", readable(bar))?,
                _ => writeln!(out)?,
            }
        }
        writeln!(
            out,
            "\n{} cores, load {:.1} at the start; quote ratios, not nanoseconds.",
            self.cores, self.load_before
        )?;
        if !self.optimised {
            writeln!(out, "This is a build without optimisation: only `--release` counts.")?;
        }
        Ok(())
    }

    /// Writes everything as JSON.
    pub(crate) fn write_json(&self, file: &Path) -> Result<()> {
        fs::write(file, serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }
}

/// As many digits as mean something.
fn readable(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 1_000.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left.is_multiple_of(3) && digit != '-' {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// Says why nothing was measured.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "error: {error:#}");
}

/// A line that says what is being done.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A line for `steps` steps.
    pub(crate) fn new(part: &'static str, steps: usize) -> Progress {
        let bar = ProgressBar::new(steps as u64);
        let style = ProgressStyle::with_template("{prefix:>8} [{bar:24}] {pos}/{len} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(part);
        bar.enable_steady_tick(Duration::from_millis(250));
        Progress(bar)
    }

    /// Says what is done now.
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The value below which this share of the values lies; zero of nothing.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    let index = (last * share).round() as usize;
    values.get(index).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_keep_three_digits() {
        let cases = [
            (0.123, "0.12"),
            (-9.994, "-9.99"),
            (24.56, "24.6"),
            (314.4, "314"),
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
}
