//! `cargo xtask docs`: the pages of docs/reference that are made from the code.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{machine, shell};

/// Options of `docs`.
#[derive(Args)]
pub(crate) struct Options {
    /// Change nothing; fail when a page is not what the code says.
    #[arg(long)]
    check: bool,
}

/// Which page the server prints with which option.
const PAGES: &[(&str, &str)] = &[
    (
        "docs/reference/configuration.md",
        "--print-reference=configuration",
    ),
    ("docs/reference/limits.md", "--print-reference=limits"),
    ("docs/reference/metrics.md", "--print-reference=metrics"),
];

/// Writes the pages, or checks them.
pub(crate) fn run(options: &Options) -> Result<()> {
    machine::provide(&[machine::BUILD])?;
    shell::run(&mut shell::cargo(["build", "--bin", "origin"]))?;
    let origin = shell::target().join("debug/origin");
    let mut stale = Vec::new();
    for (page, option) in PAGES {
        let output = shell::program(&origin, [option])
            .output()
            .context("could not start origin")?;
        if !output.status.success() {
            bail!(
                "`origin {option}` failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let path = shell::root().join(page);
        if std::fs::read(&path).is_ok_and(|old| old == output.stdout) {
            println!("  {page} is up to date");
        } else if options.check {
            stale.push(*page);
        } else {
            std::fs::write(&path, &output.stdout)
                .with_context(|| format!("could not write {page}"))?;
            println!("  {page} written");
        }
    }
    if !stale.is_empty() {
        bail!(
            "these pages are not what the code says, run `cargo xtask docs`: {}",
            stale.join(", ")
        );
    }
    Ok(())
}
