//! Nodes over real sockets, clients that are none, and many nodes in one process on a clock of their own.

// Tests say what they have measured.
#![allow(clippy::print_stdout)]

mod ground;
mod hostile;
mod links;
mod raw;
mod simulation;
mod streams;
