//! The end-to-end tests: in as many threads as there are tests, where those that measure wait until they have the machine
//! alone and others share it.

mod reader;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::programs::Program;
use crate::test::LONG;
use crate::{shell, tools};

use self::reader::Reader;

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
/// No fewer than there are tests: whose turn it is they settle among themselves.
const THREADS: usize = 1_000;

/// Runs the tests whose names contain one of the arguments, or all. Yields those that passed only at the second time.
///
/// # Errors
/// When a test failed, or they could not be run.
pub(crate) fn run(program: &Program, arguments: &[String], long: bool, repeat: Repeat) -> Result<Vec<String>> {
    // Short, as browsers put sockets there; of its own, as those that a test ends leave their profiles behind.
    let litter =
        tempfile::Builder::new().prefix("headwater-").tempdir().context("no folder for what the tests leave")?;
    let once = |names: &[String], options: &[&str], threads| {
        let mut command = command(program, names, options, threads, long);
        shown(command.env("TMPDIR", litter.path()))
    };
    let failed = once(arguments, &[], THREADS)?;
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    if repeat == Repeat::Nothing || failed.len() > REPEATED_MAX {
        bail!("these end-to-end tests failed: {}", listed(&failed));
    }
    println!("\nOnce more, alone: {}", listed(&failed));
    let unsteady: Vec<String> = failed.iter().cloned().collect();
    let failed = once(&unsteady, &["--exact"], 1)?;
    if failed.is_empty() {
        return Ok(unsteady);
    }
    bail!("these end-to-end tests failed twice: {}", listed(&failed));
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// One run of the tests.
fn command(program: &Program, names: &[String], options: &[&str], threads: usize, long: bool) -> Command {
    let mut command = program.command(names);
    command.arg(format!("--test-threads={threads}")).arg("--show-output").args(options);
    command.env("HEADWATER_TEST_TOOLS", tools::folder());
    command.env("RUST_LIB_BACKTRACE", "0");
    if long {
        command.env(LONG, "1");
    }
    command
}

/// Runs the command and shows what it says, but of the tests that passed only what they measured, and that last: what
/// failed is to be found without a search. Yields the names of the tests that failed.
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
