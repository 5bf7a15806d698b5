//! The end-to-end tests: one at a time, since each runs a server, an encoder and a browser, and some of them measure.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{shell, tools};

/// What is run once more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Nothing.
    Nothing,
    /// The tests that failed, if they are few.
    Failed,
}

/// More than so many failures are no accident of a busy machine.
const REPEATED_MAX: usize = 5;

/// Runs the tests whose names contain one of the arguments, or all. Yields those that passed only at the second time.
///
/// # Errors
/// When a test failed, or they could not be run.
pub(crate) fn run(arguments: &[String], long: bool, repeat: Repeat) -> Result<Vec<String>> {
    let failed = once(arguments, &[], long)?;
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    if repeat == Repeat::Nothing || failed.len() > REPEATED_MAX {
        bail!("these end-to-end tests failed: {}", listed(&failed));
    }
    println!("\nOnce more, alone: {}", listed(&failed));
    let unsteady: Vec<String> = failed.iter().cloned().collect();
    let failed = once(&unsteady, &["--exact"], long)?;
    if failed.is_empty() {
        return Ok(unsteady);
    }
    bail!("these end-to-end tests failed twice: {}", listed(&failed));
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// One run. Yields the names of the tests that failed.
fn once(names: &[String], options: &[&str], long: bool) -> Result<BTreeSet<String>> {
    let mut command = shell::cargo(["test", "--no-fail-fast", "--package", "headwater-tests", "--test", "end_to_end"]);
    // Tests that measure take turns all the same.
    command.args(["--", "--test-threads=2", "--show-output"]).args(options).args(names);
    command.env("HEADWATER_TEST_TOOLS", tools::folder());
    command.env("RUST_LIB_BACKTRACE", "0");
    if long {
        command.env("HEADWATER_TEST_LONG", "1");
    }
    shown(&mut command)
}

/// Runs the command and shows what it says, but of the tests that passed only what they measured, and that last: what
/// failed is to be found without a search.
fn shown(command: &mut Command) -> Result<BTreeSet<String>> {
    let words = shell::words(command);
    println!("  $ {words}");
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("could not start `{words}`"))?;
    let output = child.stdout.take().context("the tests have no output")?;
    let mut reader = Reader::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("the tests' output could not be read")?;
        if let Some(line) = reader.take(&String::from_utf8_lossy(&line)) {
            println!("{line}");
            std::io::stdout().flush().ok();
        }
    }
    let status = child.wait()?;
    reader.report().iter().for_each(|line| println!("{line}"));
    match (status.success(), reader.failed.is_empty()) {
        (true, _) => Ok(BTreeSet::new()),
        (false, false) => Ok(reader.failed),
        (false, true) => bail!("`{words}` failed ({status})"),
    }
}

/// Reads what the test harness prints.
#[derive(Default)]
struct Reader {
    part: Part,
    failed: BTreeSet<String>,
    /// The first lines of each failure's error.
    errors: Vec<String>,
    /// How many more lines belong to the error that is being read.
    rest_of_error: usize,
    failures: Vec<String>,
    measured: Vec<String>,
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
/// What is shown of each of these lines among the errors, in characters; the failure itself is shown whole.
const ERROR_WIDTH: usize = 500;

impl Reader {
    /// Takes a line. Yields it if it is to be shown at once.
    fn take<'line>(&mut self, line: &'line str) -> Option<&'line str> {
        match line {
            "successes:" => self.part = Part::Successes,
            "failures:" => self.part = Part::Failures,
            _ => {}
        }
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failed.insert(name.to_owned());
        }
        if self.part == Part::Tests || line.starts_with("test result") {
            return Some(line);
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
        let name = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
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
    fn report(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.errors.is_empty() {
            lines.push("errors in short:".to_owned());
            lines.append(&mut self.errors);
            lines.push(String::new());
        }
        lines.append(&mut self.failures);
        lines.append(&mut self.measured);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test whip::one ... ok
test whip::two ... FAILED
test whip::three ... a word from the server
FAILED

successes:

---- whip::one stdout ----
measured: 12 ms
--- the browser was stopped by the end of the test; it said:

successes:
    whip::one

failures:

---- whip::three stdout ----
Error: no picture

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
        ]
        .map(place);
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {shown:?}");
        assert!(!shown.iter().any(|line| line.contains("browser")), "{shown:?}");
        assert_eq!(shown.iter().filter(|line| line.contains("the server said")).count(), 1, "{shown:?}");
    }
}
