//! What the end-to-end tests are made of: the real server, real encoders, players and browsers as processes, and
//! readers of their own for what those receive.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use anyhow::{Context, Result};

pub mod browser;
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
pub mod wcs;

/// The right to load the machine, alone or together with another test.
///
/// Holds for threads of one test program and for test programs beside each other.
#[derive(Debug)]
pub struct Turn {
    _threads: Threads,
    _programs: Option<File>,
}

#[derive(Debug)]
enum Threads {
    Alone { _guard: RwLockWriteGuard<'static, ()> },
    Shared { _guard: RwLockReadGuard<'static, ()> },
}

static TURN: RwLock<()> = RwLock::new(());

/// Waits for the right to load the machine alone: for tests that measure time, or run many programs at once.
pub fn turn() -> Turn {
    let threads = Threads::Alone { _guard: TURN.write().unwrap_or_else(PoisonError::into_inner) };
    Turn { _threads: threads, _programs: lock_file().filter(|file| file.lock().is_ok()) }
}

/// Waits for the right to load the machine together with others: for tests that look at what is answered, and not at
/// when.
pub fn shared_turn() -> Turn {
    let threads = Threads::Shared { _guard: TURN.read().unwrap_or_else(PoisonError::into_inner) };
    Turn { _threads: threads, _programs: lock_file().filter(|file| file.lock_shared().is_ok()) }
}

fn lock_file() -> Option<File> {
    File::create(tools::target().join("test-turn.lock")).ok()
}

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

/// How long a test plays: the short time in the ordinary run, ten minutes in the long one.
pub fn playing_time(short: Duration) -> Duration {
    if std::env::var_os("HEADWATER_TEST_LONG").is_some() { Duration::from_secs(600) } else { short }
}

/// Tells a measured figure; the test runner shows it.
#[allow(clippy::print_stdout, reason = "this is how a test tells its reader")]
pub fn report(figure: &str) {
    println!("measured: {figure}");
}
