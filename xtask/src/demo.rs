//! `cargo xtask demo`: from a bare machine to a moving picture in the browser.

use anyhow::Result;
use clap::Args;

use crate::{machine, shell};

/// Options of `demo`.
#[derive(Args)]
pub(crate) struct Options {
    /// Address on which the server listens.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    listen: std::net::IpAddr,
    /// Build only, do not start the server.
    #[arg(long)]
    build_only: bool,
}

/// Brings the build tools, builds the server and runs it.
pub(crate) fn run(options: &Options) -> Result<()> {
    machine::provide(&[machine::BUILD])?;
    println!("Building the server; the first time takes some minutes, codecs included.");
    shell::run(&mut shell::cargo(["build", "--release", "--bin", "origin"]))?;
    let origin = shell::target().join("release/origin");
    if options.build_only {
        println!("Built: {}", origin.display());
        return Ok(());
    }
    println!();
    println!("Watch at {}", page(options.listen));
    println!("Stop with Ctrl-C.");
    println!();
    let address = options.listen.to_string();
    shell::run(&mut shell::program(origin, ["--demo", "--listen", &address]))
}

/// Where a browser on this machine finds the player.
fn page(listen: std::net::IpAddr) -> String {
    let host = match listen {
        any if any.is_unspecified() => "127.0.0.1".to_owned(),
        std::net::IpAddr::V6(address) => format!("[{address}]"),
        std::net::IpAddr::V4(address) => address.to_string(),
    };
    format!("http://{host}:8080/play/demo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_page_can_be_pasted_into_a_browser() {
        let cases = [
            ("127.0.0.1", "http://127.0.0.1:8080/play/demo"),
            ("0.0.0.0", "http://127.0.0.1:8080/play/demo"),
            ("::1", "http://[::1]:8080/play/demo"),
        ];
        for (listen, expected) in cases {
            assert_eq!(page(listen.parse().unwrap()), expected);
        }
    }
}
