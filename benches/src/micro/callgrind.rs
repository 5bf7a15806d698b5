//! Running a piece of work under callgrind, and reading what it has counted.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use tempfile::TempDir;

use super::Work;

/// What is counted, by its whole name: callgrind takes no pattern for writing down counts.
const COUNTED: &str = "headwater_benches::micro::work::counted";
/// The cipher, by a pattern of callgrind.
pub(super) const SEAL: &str = "*EVP_AEAD_CTX_seal*";
/// What every allocator of Rust and C comes down to.
const ALLOCATORS: [&str; 6] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// What one packet, frame or part takes.
#[derive(Debug, PartialEq)]
pub(super) struct Cost {
    pub(super) instructions: f64,
    pub(super) allocations: f64,
}

/// Says what is missing, if anything is.
pub(super) fn check() -> Result<()> {
    let version = Command::new("valgrind").arg("--version").stdin(Stdio::null()).output();
    ensure!(
        version.is_ok_and(|version| version.status.success()),
        "there is no valgrind: `cargo xtask bench` installs it, or your system's package manager"
    );
    Ok(())
}

/// Counts a piece of work, leaving out calls of functions of these names.
pub(super) fn count(work: Work, rounds: Option<u64>, without: &[&str]) -> Result<Cost> {
    let folder = TempDir::new()?;
    let rounds = rounds.unwrap_or(work.rounds());
    let name = work.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let output = command(&name, rounds, without, folder.path())?.output().context("valgrind does not start")?;
    if !output.status.success() {
        bail!("`{name}` failed under valgrind ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let done: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().context("it does not say what was done")?;
    let (mut instructions, mut allocations) = (0, 0);
    for file in fs::read_dir(folder.path())? {
        let counts = read(&fs::read_to_string(file?.path())?)?;
        instructions += counts.0;
        allocations += counts.1;
    }
    ensure!(done > 0 && instructions > 0, "`{name}` has done nothing, or callgrind has not found {COUNTED}");
    Ok(Cost { instructions: instructions as f64 / done as f64, allocations: allocations as f64 / done as f64 })
}

/// Counts are zeroed when [`COUNTED`] is entered, and written to a file of their own when it returns; what happens
/// between is that of other threads, or no part of the work.
fn command(name: &str, rounds: u64, without: &[&str], folder: &Path) -> Result<Command> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet", "--compress-strings=no", "--compress-pos=no", "--fair-sched=try"]);
    command.arg("--separate-threads=yes");
    command.arg(format!("--callgrind-out-file={}", folder.join("counts").display()));
    command.args([format!("--zero-before={COUNTED}"), format!("--dump-after={COUNTED}")]);
    command.args(without.iter().map(|name| format!("--toggle-collect={name}")));
    // Behind the others, which have it begin with nothing.
    command.arg("--collect-atstart=yes");
    command.arg(env::current_exe()?).args(["count", name, &rounds.to_string()]);
    command.stdin(Stdio::null());
    Ok(command)
}

/// Instructions of the first thread within the work, and calls that allocate; nothing where the file is of another
/// thread, or of what was not counted.
///
/// Source: the Callgrind format specification of Valgrind's manual, §3.
fn read(counts: &str) -> Result<(u64, u64)> {
    let is = |line: &str| counts.lines().any(|found| found == line);
    if !is("thread: 1") || !is(&format!("desc: Trigger: --dump-after={COUNTED}")) {
        return Ok((0, 0));
    }
    let (mut instructions, mut allocations, mut is_allocator) = (None, 0, false);
    for line in counts.lines() {
        if let Some(total) = line.strip_prefix("totals: ") {
            instructions = total.split_whitespace().next().and_then(|total| total.parse().ok());
        } else if let Some(callee) = line.strip_prefix("cfn=") {
            // What calls itself has a number behind its name.
            let name = callee.split('\'').next().unwrap_or(callee);
            is_allocator = ALLOCATORS.contains(&name);
        } else if let Some(calls) = line.strip_prefix("calls=")
            && is_allocator
        {
            allocations += calls.split_whitespace().next().and_then(|calls| calls.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok((instructions.context("callgrind has written no sum")?, allocations))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: &str = "version: 1\nthread: 1\ndesc: Trigger: --dump-after=headwater_benches::micro::work::counted\n\
                          events: Ir\nfn=one\n12 400\ncfn=malloc\ncalls=3 0\n12 90\ncfn=free\ncalls=3 0\n12 80\n\
                          fn=two\ncfn=realloc'2\ncalls=2 0\n7 60\ntotals: 630\n";

    #[test]
    fn sums_and_allocations_are_read() {
        assert_eq!(read(COUNTS).unwrap(), (630, 5));
        assert!(read(&COUNTS.replace("totals: 630", "")).is_err());
    }

    #[test]
    fn other_threads_and_what_comes_between_do_not_count() {
        assert_eq!(read(&COUNTS.replace("thread: 1", "thread: 2")).unwrap(), (0, 0));
        assert_eq!(read(&COUNTS.replace("--dump-after=", "Program termination")).unwrap(), (0, 0));
    }
}
