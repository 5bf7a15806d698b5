//! The tests of single crates, and the examples in the documentation: as many test programs beside each other as there are
//! cores.

use std::collections::VecDeque;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::programs::{self, Program};
use crate::shell;

/// Crates whose tests measure times, or run against clocks that go as the machine's does: nothing else loads it meanwhile.
const ALONE: &[&str] = &["headwater-agent", "headwater-hooks", "headwater-webrtc"];
/// Of so many programs it is told how long they took.
const SLOWEST: usize = 8;

/// Something that runs tests.
struct Job {
    name: String,
    command: Command,
}

impl Job {
    fn of(program: &Program, arguments: &[String]) -> Job {
        Job { name: program.name(), command: program.command(arguments) }
    }
}

/// How one ended.
struct Ended {
    name: String,
    time: Duration,
    status: ExitStatus,
    output: String,
}

/// Runs the test programs, and the examples in the documentation.
///
/// # Errors
/// When a test failed, or they could not be run.
pub(crate) fn run(programs: &[Program], arguments: &[String]) -> Result<()> {
    let (alone, beside): (Vec<_>, Vec<_>) = programs.iter().partition(|one| ALONE.contains(&one.package.as_str()));
    // They take long, and so begin first.
    let mut jobs = vec![examples(arguments)];
    jobs.extend(beside.into_iter().map(|program| Job::of(program, arguments)));
    let shown = !arguments.is_empty();
    let mut ended = at_once(jobs, available_parallelism().map_or(1, usize::from), shown)?;
    ended.extend(at_once(alone.into_iter().map(|program| Job::of(program, arguments)).collect(), 1, shown)?);
    let failed: Vec<&Ended> = ended.iter().filter(|one| !one.status.success()).collect();
    for one in &failed {
        println!("\n{} failed ({}); it said:\n{}", one.name, one.status, one.output);
    }
    let names = failed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    let times = ended.iter().map(|one| (one.name.clone(), one.time)).collect();
    programs::slowest("test programs", times, SLOWEST).iter().for_each(|line| println!("{line}"));
    if !names.is_empty() {
        bail!("tests of these failed: {names}");
    }
    Ok(())
}

fn examples(arguments: &[String]) -> Job {
    let mut command = shell::cargo(["test", "--workspace", "--doc", "--no-fail-fast"]);
    command.arg("--").args(arguments);
    println!("  $ {}", shell::words(&command));
    Job { name: "the examples in the documentation".to_owned(), command }
}

/// Runs them, so many at a time.
fn at_once(jobs: Vec<Job>, count: usize, shown: bool) -> Result<Vec<Ended>> {
    let (queue, ended) = (Mutex::new(VecDeque::from(jobs)), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(job) = next else { return Ok(()) };
            let one = run_one(job)?;
            tell(&one, shown);
            ended.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })?;
    Ok(ended.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn run_one(Job { name, mut command }: Job) -> Result<Ended> {
    let begun = Instant::now();
    let output = command.output().with_context(|| format!("{name} could not be started"))?;
    let said = [output.stdout, output.stderr].concat();
    Ok(Ended {
        name,
        time: begun.elapsed(),
        status: output.status,
        output: String::from_utf8_lossy(&said).into_owned(),
    })
}

/// One line; all that was said, if somebody looks for something.
fn tell(one: &Ended, shown: bool) {
    let results: Vec<&str> = one.output.lines().filter_map(|line| line.strip_prefix("test result: ")).collect();
    let count = |word: &str| results.iter().filter_map(|line| counted(line, word)).sum::<u32>();
    let (passed, failed) = (count("passed"), count("failed"));
    if shown && passed + failed > 0 {
        println!("{}", one.output);
    }
    let verdict = if one.status.success() { "passed" } else { "FAILED" };
    println!("  {verdict}  {:>6.1} s  {}: {passed} passed, {failed} failed", one.time.as_secs_f64(), one.name);
}

/// The number before a word in what the test harness says of a result: `ok. 3 passed; 0 failed; …`.
fn counted(result: &str, word: &str) -> Option<u32> {
    result.split_once(&format!(" {word}"))?.0.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_one_is_found_and_its_words_are_kept() {
        let job = |name: &str, script: &str| {
            let command = shell::program("sh", ["-c", script]);
            Job { name: name.to_owned(), command }
        };
        let jobs =
            vec![job("good", "echo 'test result: ok. 3 passed; 0 failed'"), job("bad", "echo broken >&2; exit 1")];
        let mut ended = at_once(jobs, 2, false).unwrap();
        ended.sort_by(|one, other| one.name.cmp(&other.name));
        let told: Vec<_> = ended.iter().map(|one| (one.status.success(), one.output.as_str())).collect();
        assert_eq!(told, [(false, "broken\n"), (true, "test result: ok. 3 passed; 0 failed\n")]);
        assert_eq!(counted("ok. 3 passed; 12 failed; 1 ignored", "failed"), Some(12));
        assert_eq!(counted("no such thing", "failed"), None);
    }
}
