//! `cargo xtask docs`: the pages of docs/reference that are made from the code.

use anyhow::Result;
use clap::Args;

use crate::{machine, shell};

/// Options of `docs`.
#[derive(Args)]
pub(crate) struct Options {
    /// Change nothing; fail when a page is not what the code says.
    #[arg(long)]
    check: bool,
}

/// Writes the pages, or checks them.
pub(crate) fn run(options: &Options) -> Result<()> {
    machine::provide(&[machine::BUILD])?;
    shell::run(&mut command(options.check))
}

/// The program that knows the pages; it links the server, which this one must not.
pub(crate) fn command(check: bool) -> std::process::Command {
    let mut command = shell::cargo([
        "run",
        "--package",
        "headwater-tests",
        "--bin",
        "reference",
        "--",
    ]);
    command.arg("docs/reference");
    if check {
        command.arg("--check");
    }
    command
}
