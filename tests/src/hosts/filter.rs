//! What a host loses of the packets that come to it, by the kernel's packet filter (nftables).

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use super::SOON;
use crate::{program::Program, tools};

/// Rules that are in force together.
#[derive(Debug, Default)]
pub(super) struct Filter(Mutex<Vec<String>>);

impl Filter {
    pub(super) fn add(&self, rule: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Puts the rules in the place of all that there were, at once, where the thread is.
    pub(super) fn apply(&self) -> Result<()> {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
        let chain = format!("type filter hook input priority filter; policy accept;\n{rules}");
        let whole = format!("flush ruleset\ntable ip losses {{\nchain input {{\n{chain}\n}}\n}}");
        let mut command = Command::new(administration("nft")?);
        let mut program = Program::start("nft", command.args(["-f", "-"]))?;
        program.say(&whole)?;
        program.succeed(SOON).with_context(|| whole).map(drop)
    }
}

/// What all counters of the rules have counted, where the thread is.
pub(super) fn counted() -> Result<u64> {
    let mut command = Command::new(administration("nft")?);
    let listed = Program::start("nft", command.args(["list", "ruleset"]))?.succeed(SOON)?;
    let text = String::from_utf8_lossy(&listed.output);
    let counters = text.split("counter packets ").skip(1);
    counters.map(|rest| Ok(rest.split(' ').next().unwrap_or_default().parse::<u64>()?)).sum()
}

/// A program for administrators, whose folders are not on everybody's search path.
pub(super) fn administration(name: &str) -> Result<PathBuf> {
    let found = ["/usr/sbin", "/sbin"].map(|folder| PathBuf::from(folder).join(name));
    found.into_iter().find(|file| file.is_file()).map_or_else(|| tools::on_path(name), Ok)
}
