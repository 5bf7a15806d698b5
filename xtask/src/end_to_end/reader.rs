//! Reads what the test harness prints: what failed, what was measured, and how long each test took.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::programs;

/// Reads what the test harness prints.
#[derive(Default)]
pub(crate) struct Reader {
    part: Part,
    pub(crate) failed: BTreeSet<String>,
    /// The first lines of each failure's error.
    errors: Vec<String>,
    /// How many more lines belong to the error that is being read.
    rest_of_error: usize,
    failures: Vec<String>,
    measured: Vec<String>,
    /// The test whose output is being read.
    test: String,
    /// How long each had its turn, and of those that were alone how much of the machine their programs used.
    took: Vec<(String, Duration, Option<Duration>)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Tests,
    Successes,
    Failures,
}

/// An error and its causes are no longer than this, in lines.
const ERROR_LINES: usize = 8;
/// Of so many tests it is told how long they took.
const SLOWEST: usize = 30;
/// What is shown of each of these lines among the errors, in characters; the failure itself is shown whole.
const ERROR_WIDTH: usize = 500;

impl Reader {
    /// Takes a line. Yields it if it is to be shown at once.
    pub(crate) fn take<'line>(&mut self, line: &'line str) -> Option<&'line str> {
        match line {
            "successes:" => self.part = Part::Successes,
            "failures:" => self.part = Part::Failures,
            _ => {}
        }
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failed.insert(name.to_owned());
        }
        if self.part == Part::Tests || line.starts_with("test result") {
            // Nearly all that seem to run wait for their turn.
            return Some(line).filter(|line| !line.contains(" has been running for over "));
        }
        if let Some(name) = named(line) {
            name.clone_into(&mut self.test);
        }
        if let Some((time, processor)) = line.strip_prefix("took: ").and_then(times) {
            self.took.push((self.test.clone(), time, processor));
            return None;
        }
        if self.part == Part::Failures {
            self.failure(line);
        } else if line.starts_with("measured: ") {
            self.measured.push(line.to_owned());
        }
        None
    }

    fn failure(&mut self, line: &str) {
        self.failures.push(line.to_owned());
        let name = named(line);
        if let Some(name) = name {
            self.failed.insert(name.to_owned());
            self.errors.push(format!("{name}:"));
            self.rest_of_error = 0;
        } else if line.starts_with("Error: ") || line.contains("panicked at") {
            self.rest_of_error = ERROR_LINES;
        } else if line.starts_with("Stack backtrace") || line.starts_with("note: ") {
            self.rest_of_error = 0;
        }
        if name.is_none() && self.rest_of_error > 0 {
            self.rest_of_error -= 1;
            if !line.trim().is_empty() {
                self.errors.push(format!("    {}", line.chars().take(ERROR_WIDTH).collect::<String>()));
            }
        }
    }

    /// What is shown at the end: the errors, the failures whole, and what was measured.
    pub(crate) fn report(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.errors.is_empty() {
            lines.push("errors in short:".to_owned());
            lines.append(&mut self.errors);
            lines.push(String::new());
        }
        lines.append(&mut self.failures);
        lines.append(&mut self.measured);
        lines.extend(self.durations());
        lines
    }

    /// The slowest tests, and what all of them took.
    fn durations(&self) -> Vec<String> {
        let name = |(name, _, processor): &(String, Duration, Option<Duration>)| match processor {
            Some(processor) => format!("{name}, alone, with {:.1} s of processor time", processor.as_secs_f64()),
            None => name.clone(),
        };
        let mut lines = programs::slowest("tests", self.took.iter().map(|one| (name(one), one.1)).collect(), SLOWEST);
        if !lines.is_empty() {
            let sum = |alone: bool| {
                self.took.iter().filter(|one| one.2.is_some() == alone).map(|one| one.1).sum::<Duration>()
            };
            let (alone, beside) = (sum(true).as_secs(), sum(false).as_secs());
            lines.push(format!("the tests took {alone} s alone, and {beside} s beside one another, added up"));
        }
        lines
    }
}

/// The test whose output follows such a line.
fn named(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// `12.3 s`, with `, 4.5 s of processor time` behind it where a test was alone.
fn times(text: &str) -> Option<(Duration, Option<Duration>)> {
    let seconds = |text: &str| Duration::try_from_secs_f64(text.strip_suffix(" s")?.parse().ok()?).ok();
    match text.split_once(", ") {
        Some((whole, processor)) => {
            Some((seconds(whole)?, Some(seconds(processor.strip_suffix(" of processor time")?)?)))
        }
        None => Some((seconds(text)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test whip::one ... ok
test whip::two ... FAILED
test whip::one has been running for over 60 seconds
test whip::three ... a word from the server
FAILED

successes:

---- whip::one stdout ----
measured: 12 ms
took: 12.3 s, 4.5 s of processor time
--- the browser was stopped by the end of the test; it said:

successes:
    whip::one

failures:

---- whip::three stdout ----
Error: no picture
took: 20.0 s

---- whip::two stdout ----
Error: no sound

Caused by:
    the camera is off

Stack backtrace:
the server said

failures:
    whip::three
    whip::two

test result: FAILED. 1 passed; 2 failed; 0 ignored";

    #[test]
    fn failures_are_found_and_shown_whole_and_of_successes_only_what_was_measured() {
        let mut reader = Reader::default();
        let mut shown: Vec<String> = OUTPUT.lines().filter_map(|line| reader.take(line)).map(str::to_owned).collect();
        assert_eq!(shown.last().map(String::as_str), Some("test result: FAILED. 1 passed; 2 failed; 0 ignored"));
        shown.extend(reader.report());
        assert_eq!(reader.failed.iter().map(String::as_str).collect::<Vec<_>>(), ["whip::three", "whip::two"]);
        let place = |wanted: &str| shown.iter().position(|line| line == wanted);
        let places = [
            "errors in short:",
            "whip::two:",
            "    Error: no sound",
            "        the camera is off",
            "failures:",
            "Error: no picture",
            "measured: 12 ms",
            "    20.0  whip::three",
            "    12.3  whip::one, alone, with 4.5 s of processor time",
            "the tests took 12 s alone, and 20 s beside one another, added up",
        ]
        .map(place);
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {shown:?}");
        assert!(!shown.iter().any(|line| line.contains("browser") || line.contains("over 60")), "{shown:?}");
        assert_eq!(shown.iter().filter(|line| line.contains("the server said")).count(), 1, "{shown:?}");
    }
}
