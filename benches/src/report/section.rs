//! The figures of one case of a bench.

use super::{Figure, Report};
use crate::usage::Usage;

/// Threads that use less than this share of a core are not told.
const SHARE_MIN: f64 = 0.01;

/// The figures of one case of a bench, whose names begin alike.
pub(crate) struct Section<'a> {
    report: &'a mut Report,
    part: &'static str,
    label: String,
}

impl Report {
    /// Figures whose names begin with `label`.
    pub(crate) fn section(&mut self, part: &'static str, label: impl Into<String>) -> Section<'_> {
        Section { report: self, part, label: label.into() }
    }
}

impl Section<'_> {
    /// A figure without a bar.
    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &str) -> &mut Figure {
        self.report.figure(self.part, format!("{}: {what}", self.label), value, unit)
    }

    /// A figure that should not be above `at_most`.
    pub(crate) fn barred(&mut self, what: &str, value: f64, unit: &str, at_most: f64) -> &mut Figure {
        self.report.barred(self.part, format!("{}: {what}", self.label), value, unit, at_most)
    }

    /// A figure that should not be below `at_least`.
    pub(crate) fn barred_below(&mut self, what: &str, value: f64, unit: &str, at_least: f64) -> &mut Figure {
        self.report.barred_below(self.part, format!("{}: {what}", self.label), value, unit, at_least)
    }

    /// What the server used.
    pub(crate) fn usage(&mut self, usage: &Usage) {
        self.figure("server's share of a core", usage.share() * 100.0, "%");
        self.figure("memory of the server", usage.resident as f64 / 1_048_576.0, "MiB");
        for (thread, share) in usage.threads.iter().filter(|(_, share)| *share > SHARE_MIN) {
            self.figure(&format!("thread {thread}"), share * 100.0, "%");
        }
    }
}
