//! The project's automation: everything that CI or a developer runs, as `cargo xtask`.
//!
//! It builds with a Rust toolchain and a linker alone, because it is what brings the other tools.
#![allow(clippy::print_stdout, reason = "its output is for the person at the terminal")]

mod bench;
mod demo;
mod docs;
mod end_to_end;
mod machine;
mod programs;
mod shell;
mod test;
mod tools;
mod unit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Headwater's automation.
#[derive(Parser)]
#[command(name = "cargo xtask", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the server and run it with a built-in moving picture to watch.
    Demo(demo::Options),
    /// Install what the tests need, then run all of them.
    Test(test::Options),
    /// What continuous integration runs: the same as `test`.
    Ci(test::Options),
    /// Install what the end-to-end tests need.
    Tools {
        /// And what only the long run needs, which takes minutes to build.
        #[arg(long)]
        long: bool,
    },
    /// Write the generated pages of docs/reference anew.
    Docs,
    /// Run the benchmarks; arguments after `--` go to them.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) | Task::Ci(options) => test::run(&options),
        Task::Tools { long } => test::install(long),
        Task::Docs => docs::run(),
        Task::Bench(options) => bench::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nError: {error:#}");
            ExitCode::FAILURE
        }
    }
}
