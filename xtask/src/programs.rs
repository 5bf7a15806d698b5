//! The test programs of the workspace, and the servers that they try: built by cargo at once, and then run as they are.
//!
//! Built crate by crate, or group by group, many crates would be built several times, with other features of what they
//! stand on each time.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// The package of the fuzzers' inputs and of the end-to-end tests.
pub(crate) const TESTS: &str = "headwater-tests";

/// All programs and all tests of the workspace.
pub(crate) const ALL: &[&str] = &["--workspace", "--bins", "--tests"];

/// A built test program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The package that it tests.
    pub(crate) package: String,
    /// The library, the program or the file of tests.
    pub(crate) target: String,
    file: PathBuf,
    /// The folder of its package, in which cargo runs it too.
    folder: PathBuf,
}

impl Program {
    /// What people call it.
    pub(crate) fn name(&self) -> String {
        let of_the_package = self.target.replace('_', "-") == self.package;
        if of_the_package { self.package.clone() } else { format!("{} {}", self.package, self.target) }
    }

    /// Runs it with these arguments.
    pub(crate) fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.file);
        command.args(arguments).current_dir(&self.folder);
        command
    }
}

/// Builds what is selected, and tells the test programs in it.
///
/// # Errors
/// When cargo cannot be started, cannot build them, or says what is not understood.
pub(crate) fn build(selection: &[&str]) -> Result<Vec<Program>> {
    let mut command = shell::cargo(["build", "--message-format=json-render-diagnostics"]);
    command.args(selection).stdout(Stdio::piped());
    let words = shell::words(&command);
    println!("  $ {words}");
    let child = command.spawn().with_context(|| format!("could not start `{words}`"))?;
    let output = child.wait_with_output().with_context(|| format!("`{words}` could not be read"))?;
    if !output.status.success() {
        bail!("`{words}` failed ({})", output.status);
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("`{words}` does not speak UTF-8"))?;
    read(&text).with_context(|| format!("what `{words}` says is not understood"))
}

/// Reads what cargo tells of what it has built, one JSON object a line.
fn read(text: &str) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let told: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let text = |pointer: &str| told.pointer(pointer).and_then(Value::as_str);
        let is_test = text("/reason") == Some("compiler-artifact") && told["profile"]["test"] == true;
        let Some(file) = text("/executable").filter(|_| is_test) else { continue };
        let manifest = PathBuf::from(text("/manifest_path").context("no manifest")?);
        let id = text("/package_id").context("no package")?;
        programs.push(Program {
            package: package(id).to_owned(),
            target: text("/target/name").context("no target")?.to_owned(),
            file: PathBuf::from(file),
            folder: manifest.parent().context("a manifest in no folder")?.to_owned(),
        });
    }
    Ok(programs)
}

/// The name in a package's id: `path+file:///…/crates/net#headwater-net@0.1.0`, or without it where the folder has the same.
fn package(id: &str) -> &str {
    let (place, name) = id.rsplit_once('#').unwrap_or(("", id));
    let name = name.split_once('@').map(|(name, _)| name);
    name.unwrap_or_else(|| place.rsplit('/').next().unwrap_or(id))
}

/// What took how long, the slowest first, as lines.
pub(crate) fn slowest(what: &str, mut times: Vec<(String, Duration)>, count: usize) -> Vec<String> {
    if times.len() < 2 {
        return Vec::new();
    }
    times.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    let head = format!("the slowest of {} {what}, in seconds:", times.len());
    let line = |(name, time): &(String, Duration)| format!("  {:>6.1}  {name}", time.as_secs_f64());
    [head].into_iter().chain(times.iter().take(count).map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"{"reason":"compiler-artifact","package_id":"registry+https://a.example/index#url@2.5.0","manifest_path":"/r/url/Cargo.toml","target":{"kind":["lib"],"name":"url"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","package_id":"path+file:///w/crates/net#headwater-net@0.1.0","manifest_path":"/w/crates/net/Cargo.toml","target":{"kind":["lib"],"name":"headwater_net"},"profile":{"test":true},"executable":"/w/target/debug/deps/headwater_net-1"}
{"reason":"compiler-artifact","package_id":"path+file:///w/bins/origin#0.1.0","manifest_path":"/w/bins/origin/Cargo.toml","target":{"kind":["bin"],"name":"origin"},"profile":{"test":false},"executable":"/w/target/debug/origin"}
{"reason":"compiler-artifact","package_id":"path+file:///w/crates/web#headwater-web@0.1.0","manifest_path":"/w/crates/web/Cargo.toml","target":{"kind":["test"],"name":"modules"},"profile":{"test":true},"executable":"/w/target/debug/deps/modules-2"}
{"reason":"build-finished","success":true}
"#;

    #[test]
    fn test_programs_are_found_among_what_was_built() {
        let programs = read(TOLD).unwrap();
        let names: Vec<String> = programs.iter().map(Program::name).collect();
        assert_eq!(names, ["headwater-net", "headwater-web modules"]);
        let command = programs[1].command(&["part".to_owned()]);
        assert_eq!(command.get_program(), "/w/target/debug/deps/modules-2");
        assert_eq!(command.get_current_dir(), Some(std::path::Path::new("/w/crates/web")));
        assert!(read("{\"reason\":").is_err());
    }

    #[test]
    fn the_slowest_come_first() {
        let times =
            [("one", 1), ("two", 2), ("three", 3)].map(|(name, time)| (name.to_owned(), Duration::from_secs(time)));
        let lines = slowest("tests", times.to_vec(), 2);
        assert_eq!(lines, ["the slowest of 3 tests, in seconds:", "     3.0  three", "     2.0  two"]);
    }
}
