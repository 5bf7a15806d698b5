//! What the end-to-end tests are made of: the real server, real encoders, players and browsers as processes, and
//! readers of their own for what those receive.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result};

pub mod again;
pub mod browser;
pub mod costs;
pub mod crowd;
pub mod flv;
pub mod fuzzing;
pub mod hosts;
pub mod http;
pub mod narrow;
pub mod network;
pub mod noise;
pub mod odd_rtmp;
pub mod origin;
pub mod players;
pub mod program;
pub mod publisher;
pub mod source;
pub mod sync;
pub mod tools;
mod turns;
pub mod wcs;

pub use turns::{Turn, heavy_turn, shared_turn, turn};

/// A file of this test run's own, below the build folder.
///
/// # Errors
/// When its folder cannot be made.
pub fn scratch(name: &str) -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let folder = tools::target().join("test-scratch");
    std::fs::create_dir_all(&folder).context("could not make the folder for recordings")?;
    Ok(folder.join(format!("{}-{}-{name}", std::process::id(), NEXT.fetch_add(1, Relaxed))))
}

/// Whether this is the long run, `cargo xtask test --long`.
pub fn is_long() -> bool {
    std::env::var_os("HEADWATER_TEST_LONG").is_some()
}

/// How long a test plays: the short time in the ordinary run, ten minutes in the long one.
pub fn playing_time(short: Duration) -> Duration {
    if is_long() { Duration::from_secs(600) } else { short }
}

/// Tells a measured figure; the test runner shows it.
#[allow(clippy::print_stdout, reason = "this is how a test tells its reader")]
pub fn report(figure: &str) {
    println!("measured: {figure}");
}
