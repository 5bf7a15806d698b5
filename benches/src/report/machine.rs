//! On what, of what and when figures were measured.

use std::{env, fs, path::Path, process::Command};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// On what, of what and when figures were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) version: String,
    /// Of the repository, with a mark if files differ from it.
    pub(super) commit: Option<String>,
    /// RFC 3339.
    pub(super) date: String,
    pub(super) command: String,
    pub(super) optimised: bool,
    pub(super) machine: Machine,
    /// Programs that wanted a core, on average over the minute before.
    pub(super) load_before: f64,
}

/// What a program can find out about its machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_mib: u64,
    pub(super) kernel: String,
}

impl About {
    pub(super) fn now() -> About {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(),
            date: Timestamp::now().round(jiff::Unit::Second).unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
            command: command(),
            optimised: !cfg!(debug_assertions),
            machine: Machine::here(),
            load_before: load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }
}

impl Machine {
    fn here() -> Machine {
        let value = |file: &str, name: &str| -> Option<String> {
            let text = fs::read_to_string(file).ok()?;
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kibibytes = value("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Machine {
            processor: value("/proc/cpuinfo", "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kibibytes.unwrap_or(0) / 1_024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

/// The name of the program and what it was told, without the folder that it lies in.
fn command() -> String {
    let name = |word: String| Path::new(&word).file_name().map(|name| name.to_string_lossy().into_owned());
    let mut words = env::args();
    words.next().and_then(name).into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
