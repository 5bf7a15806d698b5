//! The transcoder: a node between origins and edges, for no publisher and no viewer.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater_server::main("transcoder")
}
