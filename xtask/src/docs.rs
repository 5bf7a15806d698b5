//! `cargo xtask docs`: the pages of docs/reference that are made from the code.

use anyhow::Result;

use crate::{machine, shell};

/// Writes the pages; the test that keeps them true knows how.
pub(crate) fn run() -> Result<()> {
    machine::provide(&[machine::BUILD])?;
    let mut test = shell::cargo(["test", "--package", "headwater-server", "--test", "server", "--", "reference_pages"]);
    shell::run(test.env("UPDATE_DOCS", "1"))
}
