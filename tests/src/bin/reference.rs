//! Writes the pages of docs/reference that are made from code, or checks that they are what the code says.
//!
//! `reference FOLDER` writes, `reference FOLDER --check` checks. `cargo xtask docs` calls it.
#![allow(
    clippy::print_stdout,
    reason = "its output is for the person at the terminal"
)]

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use headwater_server::{Config, Page, Server, Sources, reference};
use headwater_tests::origin::free_address;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments
        .first()
        .context("which folder? `cargo xtask docs` says so")?;
    let check = arguments.iter().any(|argument| argument == "--check");
    let pages = tokio::runtime::Runtime::new()?.block_on(pages())?;
    let stale: Vec<&str> = pages
        .iter()
        .filter(|page| !is_current(Path::new(folder), page))
        .map(|(name, _)| *name)
        .collect();
    if stale.is_empty() {
        println!("All {} pages are what the code says.", pages.len());
        return Ok(());
    }
    if check {
        bail!(
            "not what the code says: {}; run `cargo xtask docs`",
            stale.join(", ")
        );
    }
    for (name, text) in pages.iter().filter(|(name, _)| stale.contains(name)) {
        std::fs::write(Path::new(folder).join(name), text)
            .with_context(|| format!("could not write {name}"))?;
        println!("Written: {name}");
    }
    Ok(())
}

/// The pages of a server that runs with every protocol, since each brings metrics of its own.
async fn pages() -> Result<Vec<Page>> {
    let sources = Sources {
        listen: Some(IpAddr::V4(free_address()?)),
        ..Sources::default()
    };
    let server = Server::start(&Config::load(&sources)?)?;
    let pages = reference(server.control().metrics());
    server.stop().await;
    Ok(pages)
}

fn is_current(folder: &Path, (name, text): &Page) -> bool {
    std::fs::read_to_string(folder.join(name)).is_ok_and(|old| old == *text)
}
