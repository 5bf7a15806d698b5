//! The origin: takes streams in and gives them to viewers.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater_server::main("origin")
}
