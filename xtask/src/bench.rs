//! `cargo xtask bench`: the benchmarks, built with optimisation.

use anyhow::Result;
use clap::Args;

use crate::{machine, shell};

/// The benches that count instructions, alone or among others.
const COUNTING: [&str; 2] = ["micro", "all"];

/// Options of `bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to the benchmarks.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs what they need, builds and runs them.
///
/// # Errors
/// When something cannot be installed, built or measured, or is worse than in the run that it is compared with.
pub(crate) fn run(options: &Options) -> Result<()> {
    let counts = options.arguments.iter().any(|argument| COUNTING.contains(&argument.as_str()));
    machine::provide(if counts { &[machine::BUILD, machine::COUNTING] } else { &[machine::BUILD] })?;
    let fixed = ["run", "--release", "--package", "headwater-benches", "--"].map(str::to_owned);
    shell::run(&mut shell::cargo(fixed.iter().chain(&options.arguments)))
}
