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
    command.args(["--", "--test-threads=1", "--show-output"]).args(options).args(names);
    command.env("HEADWATER_TEST_TOOLS", tools::folder());
    command.env("RUST_LIB_BACKTRACE", "0");
    if long {
        command.env("HEADWATER_TEST_LONG", "1");
    }
    shown(&mut command)
}

/// Runs the command and shows what it says, but of the tests that passed only what they measured.
fn shown(command: &mut Command) -> Result<BTreeSet<String>> {
    let words = shell::words(command);
    println!("  $ {words}");
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("could not start `{words}`"))?;
    let output = child.stdout.take().context("the tests have no output")?;
    let mut reader = Reader::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("the tests' output could not be read")?;
        let line = String::from_utf8_lossy(&line);
        if reader.shows(&line) {
            println!("{line}");
            std::io::stdout().flush().ok();
        }
    }
    let status = child.wait()?;
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
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Tests,
    Successes,
    Failures,
}

impl Reader {
    /// Takes a line; says whether a person wants to see it.
    fn shows(&mut self, line: &str) -> bool {
        match line {
            "successes:" => self.part = Part::Successes,
            "failures:" => self.part = Part::Failures,
            _ => {}
        }
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failed.insert(name.to_owned());
        } else if self.part == Part::Failures
            && let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.failed.insert(name.to_owned());
        }
        self.part != Part::Successes || line.starts_with("measured: ") || line.starts_with("test result")
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

failures:
    whip::three
    whip::two

test result: FAILED. 1 passed; 2 failed; 0 ignored";

    #[test]
    fn failures_are_found_and_shown_whole_and_of_successes_only_what_was_measured() {
        let mut reader = Reader::default();
        let shown: Vec<&str> = OUTPUT.lines().filter(|line| reader.shows(line)).collect();
        assert_eq!(reader.failed.iter().map(String::as_str).collect::<Vec<_>>(), ["whip::three", "whip::two"]);
        assert!(shown.contains(&"measured: 12 ms") && shown.contains(&"Error: no picture"), "{shown:?}");
        assert!(!shown.iter().any(|line| line.contains("browser")), "{shown:?}");
    }
}
