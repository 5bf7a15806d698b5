//! `cargo xtask test`: everything that shows the server to work, from formatting to real browsers.

use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::end_to_end::{self, Repeat};
use crate::programs::{self, Program};
use crate::{machine, shell, tools, unit};

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

    /// What cargo is to build: the whole workspace even for one group, since a crate that is built with a few others stands
    /// on other features of what they share, and all would be built again for the next.
    fn selection(self, groups: &[Group]) -> &'static [&'static str] {
        if groups == [Group::E2e] { &["--workspace", "--bins", "--test", "end_to_end"] } else { programs::ALL }
    }

    /// Runs it. Yields the tests that passed only at the second time.
    fn run(self, groups: &[Group], options: &Options) -> Result<Vec<String>> {
        let selection = self.selection(groups);
        let build = |is_wanted: fn(&Program) -> bool| -> Result<Vec<Program>> {
            Ok(programs::build(selection)?.into_iter().filter(is_wanted).collect())
        };
        let done = match self {
            Group::Fmt => shell::run(&mut shell::cargo(["fmt", "--all", "--check"])),
            Group::Clippy => {
                shell::run(&mut shell::cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
            }
            Group::Unit => unit::run(&build(|one| one.package != programs::TESTS)?, &options.arguments),
            Group::Fuzz => {
                let built = build(|one| one.package == programs::TESTS && one.target == "headwater_tests")?;
                let program = built.first().context("cargo has not built the fuzzers' inputs")?;
                let mut command = program.command(&options.arguments);
                shell::run(&mut command)
            }
            Group::Loom => shell::run(&mut loom(options)),
            Group::E2e => {
                let built = build(|one| one.package == programs::TESTS && one.target == "end_to_end")?;
                let program = built.first().context("cargo has not built the end-to-end tests")?;
                let repeat = if options.again { Repeat::Failed } else { Repeat::Nothing };
                return end_to_end::run(program, &options.arguments, options.long, repeat);
            }
        };
        done.map(|()| Vec::new())
    }
}

/// Has tests play for long.
pub(crate) const LONG: &str = "HEADWATER_TEST_LONG";
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
    let mut installing = prepare(&groups, options.long)?;
    let mut outcomes = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        println!("\n[{}/{}] {}", index + 1, groups.len(), group.what());
        let outcome = run_group(*group, &groups, options, &mut installing);
        let failed = outcome.error.is_some();
        outcomes.push(outcome);
        if failed && !options.keep_going {
            break;
        }
    }
    if let Some(left) = installing {
        left.finish()?;
    }
    conclude(&outcomes, groups.len())
}

fn wanted(group: Group, options: &Options) -> bool {
    options.only.is_empty() || options.only.contains(&group)
}

/// Installs what the groups need. What only the end-to-end tests need, which are the last, comes while the others run.
fn prepare(groups: &[Group], long: bool) -> Result<Option<Installing>> {
    println!("Checking what the tests need.");
    if groups.iter().any(|group| matches!(group, Group::Unit | Group::E2e)) {
        machine::provide_room()?;
    }
    if groups.iter().any(|group| matches!(group, Group::Fmt | Group::Clippy)) {
        machine::provide_rust_components()?;
    }
    machine::provide(if groups.contains(&Group::Unit) { &[machine::BUILD, machine::UNIT] } else { &[machine::BUILD] })?;
    let installing = match groups {
        [Group::E2e] => {
            install(long)?;
            None
        }
        _ if groups.contains(&Group::E2e) => Some(Installing::start(long)?),
        _ => None,
    };
    println!("{}.", if installing.is_none() { "Everything is there" } else { "The rest comes meanwhile" });
    Ok(installing)
}

/// Installs what only the end-to-end tests need.
///
/// # Errors
/// When something cannot be brought; the message says what.
pub(crate) fn install(long: bool) -> Result<()> {
    machine::provide(&[machine::UNIT, machine::TESTS])?;
    tools::provide(long)
}

/// An installation beside other things; what it says is kept until it is waited for.
struct Installing(JoinHandle<std::io::Result<Output>>);

impl Installing {
    fn start(long: bool) -> Result<Installing> {
        let this = std::env::current_exe().context("this program does not find itself")?;
        let mut command = shell::program(this, ["tools"].into_iter().chain(long.then_some("--long")));
        command.stdin(Stdio::null());
        Ok(Installing(thread::spawn(move || command.output())))
    }

    /// Waits for its end and tells what it said.
    fn finish(self) -> Result<()> {
        let output = self.0.join().ok().context("the installation of tools panicked")?;
        let output = output.context("the installation of tools could not be started")?;
        let said = [output.stdout, output.stderr].concat();
        if !said.is_empty() {
            println!("{}", String::from_utf8_lossy(&said).trim_end());
        }
        if !output.status.success() {
            bail!("what the end-to-end tests need could not be installed ({})", output.status);
        }
        Ok(())
    }
}

fn run_group(group: Group, groups: &[Group], options: &Options, installing: &mut Option<Installing>) -> Outcome {
    let start = Instant::now();
    let installed = match installing.take_if(|_| group == Group::E2e) {
        Some(installing) => installing.finish(),
        None => Ok(()),
    };
    let (error, unsteady) = match installed.and_then(|()| group.run(groups, options)) {
        Ok(unsteady) => (None, unsteady),
        Err(error) => (Some(error), Vec::new()),
    };
    Outcome { group, time: start.elapsed(), error, unsteady }
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
