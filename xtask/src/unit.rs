//! The tests of single crates: as many test programs beside each other as there are cores, and then the examples in the
//! documentation.

use std::collections::VecDeque;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::programs::{self, Program};
use crate::shell;

/// Crates whose tests run against clocks that run as the machine's does: nothing else may load it meanwhile.
const ALONE: &[&str] = &["headwater-webrtc"];
/// Of so many programs it is told how long they took.
const SLOWEST: usize = 8;

/// How one program ended.
struct Ended {
    name: String,
    time: Duration,
    status: ExitStatus,
    output: String,
}

/// Runs the test programs and then the examples.
///
/// # Errors
/// When a test failed, or they could not be run.
pub(crate) fn run(programs: &[Program], selection: &[&str], arguments: &[String]) -> Result<()> {
    let (alone, beside): (Vec<_>, Vec<_>) = programs.iter().partition(|one| ALONE.contains(&one.package.as_str()));
    let cores = available_parallelism().map_or(1, usize::from);
    let mut ended = at_once(beside, arguments, cores)?;
    ended.extend(at_once(alone, arguments, 1)?);
    let failed: Vec<&Ended> = ended.iter().filter(|one| !one.status.success()).collect();
    for one in &failed {
        println!("\n{} failed ({}); it said:\n{}", one.name, one.status, one.output);
    }
    let names = failed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    let times = ended.iter().map(|one| (one.name.clone(), one.time)).collect();
    programs::slowest("test programs", times, SLOWEST).iter().for_each(|line| println!("{line}"));
    let mut examples = shell::cargo(["test", "--doc", "--no-fail-fast"]);
    let examples = shell::run(examples.args(selection).arg("--").args(arguments));
    match names.is_empty() {
        true => examples,
        false => bail!("tests of these failed: {names}{}", examples.err().map_or("", |_| ", and examples")),
    }
}

/// Runs programs, so many of them at a time.
fn at_once(programs: Vec<&Program>, arguments: &[String], count: usize) -> Result<Vec<Ended>> {
    let (queue, ended) = (Mutex::new(VecDeque::from(programs)), Mutex::new(Vec::new()));
    let shown = !arguments.is_empty();
    let work = || -> Result<()> {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(program) = next else { return Ok(()) };
            let one = run_one(program, arguments)?;
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

fn run_one(program: &Program, arguments: &[String]) -> Result<Ended> {
    let begun = Instant::now();
    let output = program.command(arguments).output();
    let output = output.with_context(|| format!("the tests of {} could not be started", program.name()))?;
    let said = [output.stdout, output.stderr].concat();
    Ok(Ended {
        name: program.name(),
        time: begun.elapsed(),
        status: output.status,
        output: String::from_utf8_lossy(&said).into_owned(),
    })
}

/// One line; all that was said, if somebody looks for something.
fn tell(one: &Ended, shown: bool) {
    let result = one.output.lines().rev().find_map(|line| line.strip_prefix("test result: ")).unwrap_or("no result");
    if shown && !result.contains("ok. 0 passed") {
        println!("{}", one.output);
    }
    println!("  {:>6.1} s  {}: {result}", one.time.as_secs_f64(), one.name);
}
