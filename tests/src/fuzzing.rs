//! What the fuzzers call: for each parser and each session one function of any bytes, which must do no harm.
//!
//! The fuzz targets in `tests/fuzz` are one line each and call these; the ordinary test run replays every file of
//! their corpora, as it is, cut at every length, and bent.

mod replay;

/// A function that takes any bytes.
pub type Harness = fn(&[u8]);

/// All targets by name. Each has a file in `tests/fuzz/fuzz_targets` and a folder in `tests/fuzz/corpus`.
pub const TARGETS: &[(&str, Harness)] = &[];
