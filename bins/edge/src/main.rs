//! The edge: fetches the streams that its viewers ask for and gives them to many.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater_server::main("edge")
}
