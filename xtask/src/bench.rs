//! `cargo xtask bench`: the benchmarks, built with optimisation.

use anyhow::Result;
use clap::Args;

use crate::{machine, shell};

/// Options of `bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to the benchmarks.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and runs them.
pub(crate) fn run(options: &Options) -> Result<()> {
    machine::provide(&[machine::BUILD])?;
    let fixed = ["run", "--release", "--package", "headwater-benches", "--"].map(str::to_owned);
    shell::run(&mut shell::cargo(fixed.iter().chain(&options.arguments)))
}
