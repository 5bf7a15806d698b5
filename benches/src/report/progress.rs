//! What is being done while it is being done.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that says what is being done.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A line for `steps` steps.
    pub(crate) fn new(part: &'static str, steps: usize) -> Progress {
        let bar = ProgressBar::new(steps as u64);
        let style = ProgressStyle::with_template("{prefix:>8} [{bar:24}] {pos}/{len} {elapsed:>4} {wide_msg}");
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
