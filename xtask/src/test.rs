//! `cargo xtask test`: everything that shows the server to work, from formatting to real browsers.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::end_to_end::{self, Repeat};
use crate::{machine, shell, tools};

/// Options of `test`.
#[derive(Args)]
pub(crate) struct Options {
    /// Run only these groups of tests.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "GROUP")]
    only: Vec<Group>,
    /// Play for ten minutes where the ordinary run plays for some seconds.
    #[arg(long)]
    long: bool,
    /// Go on with the next group when one fails.
    #[arg(long)]
    keep_going: bool,
    /// Run end-to-end tests that fail once more, alone; those that pass then are named in the summary as unsteady.
    #[arg(long)]
    again: bool,
    /// Passed on to the tests of the chosen groups, for instance a part of a test's name.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// A group of tests, in the order in which they run: the quickest to fail first.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Formatting.
    Fmt,
    /// Warnings of the compiler and of clippy.
    Clippy,
    /// Tests of one crate at a time, and the examples in the documentation.
    Unit,
    /// The fuzzers' inputs, once more, each of them cut and bent.
    Fuzz,
    /// The lock-free parts under a model checker.
    Loom,
    /// The real server with ffmpeg, Chromium, mpv and others.
    E2e,
}

impl Group {
    fn what(self) -> &'static str {
        match self {
            Group::Fmt => "formatting",
            Group::Clippy => "compiler and clippy warnings",
            Group::Unit => "unit tests",
            Group::Fuzz => "replay of the fuzzers' inputs",
            Group::Loom => "model checking of the lock-free parts",
            Group::E2e => "end-to-end tests with real clients",
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn commands(self, options: &Options) -> Vec<Command> {
        match self {
            Group::Fmt => vec![shell::cargo(["fmt", "--all", "--check"])],
            Group::Clippy => {
                vec![shell::cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])]
            }
            Group::Unit => vec![tests(&["--workspace", "--exclude", "headwater-tests"], options)],
            Group::Fuzz => vec![tests(&["--package", "headwater-tests", "--lib"], options)],
            Group::Loom => vec![loom(options)],
            Group::E2e => vec![
                shell::cargo(["build", "--bin", "origin"]),
                shell::cargo(["build", "-p", "headwater-examples", "--bin", "hook-server"]),
            ],
        }
    }
}

fn tests(selection: &[&str], options: &Options) -> Command {
    let mut command = shell::cargo(["test", "--no-fail-fast"]);
    command.args(selection).arg("--").args(&options.arguments);
    command
}

/// The model checker needs another build of the crate, kept apart from the ordinary one.
fn loom(options: &Options) -> Command {
    let mut command = shell::cargo(["test", "--release", "--package", "headwater-graph", "--lib", "--target-dir"]);
    command.arg(shell::target().join("loom")).arg("--").args(&options.arguments);
    command.env("RUSTFLAGS", "--cfg loom");
    command
}

/// How one group ended.
struct Outcome {
    group: Group,
    time: Duration,
    error: Option<anyhow::Error>,
    /// Tests that failed and passed when they ran once more.
    unsteady: Vec<String>,
}

/// Installs what is needed, runs the groups and says how they ended.
pub(crate) fn run(options: &Options) -> Result<()> {
    let groups: Vec<Group> = Group::value_variants().iter().copied().filter(|group| wanted(*group, options)).collect();
    prepare(&groups, options.long)?;
    let mut outcomes = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        println!("\n[{}/{}] {}", index + 1, groups.len(), group.what());
        let outcome = run_group(*group, options);
        let failed = outcome.error.is_some();
        outcomes.push(outcome);
        if failed && !options.keep_going {
            break;
        }
    }
    conclude(&outcomes, groups.len())
}

fn wanted(group: Group, options: &Options) -> bool {
    options.only.is_empty() || options.only.contains(&group)
}

fn prepare(groups: &[Group], long: bool) -> Result<()> {
    println!("Checking what the tests need.");
    if groups.iter().any(|group| matches!(group, Group::Fmt | Group::Clippy)) {
        machine::provide_rust_components()?;
    }
    if groups.contains(&Group::E2e) {
        machine::provide(&[machine::BUILD, machine::TESTS])?;
        tools::provide(long)?;
    } else {
        machine::provide(&[machine::BUILD])?;
    }
    println!("Everything is there.");
    Ok(())
}

fn run_group(group: Group, options: &Options) -> Outcome {
    let start = Instant::now();
    let result = group.commands(options).iter_mut().try_for_each(shell::run).and_then(|()| match group {
        Group::E2e => {
            let repeat = if options.again { Repeat::Failed } else { Repeat::Nothing };
            end_to_end::run(&options.arguments, options.long, repeat)
        }
        _ => Ok(Vec::new()),
    });
    let time = start.elapsed();
    match result {
        Ok(unsteady) => Outcome { group, time, error: None, unsteady },
        Err(error) => Outcome { group, time, error: Some(error), unsteady: Vec::new() },
    }
}

fn conclude(outcomes: &[Outcome], total: usize) -> Result<()> {
    println!("\nSummary");
    for outcome in outcomes {
        let verdict = if outcome.error.is_none() { "passed" } else { "FAILED" };
        println!("  {verdict}  {:>5} s  {}", outcome.time.as_secs(), outcome.group.what());
        for name in &outcome.unsteady {
            println!("          unsteady: {name} failed, and passed when it ran once more");
        }
    }
    let not_run = total - outcomes.len();
    if not_run > 0 {
        println!("  {not_run} more not run");
    }
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.error.is_some()).collect();
    if failed.is_empty() {
        println!("All passed.");
        return Ok(());
    }
    for outcome in &failed {
        if let Some(error) = &outcome.error {
            println!("\n{error:#}");
        }
        println!("To run the {} again: cargo xtask test --only {}", outcome.group.what(), outcome.group.name());
        println!("One test alone: add `-- PART_OF_ITS_NAME`.");
    }
    bail!("{} of {} groups of tests failed", failed.len(), outcomes.len());
}
