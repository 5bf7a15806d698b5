//! A tab of a headless browser: all its processes, and what they take.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::clock::process_time;

/// How distributions call it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A browser with one tab; it ends when this is dropped.
pub(super) struct Tab {
    child: Child,
    folder: TempDir,
}

/// The browser of this machine.
pub(super) fn find() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

impl Tab {
    /// Opens a page.
    pub(super) fn open(browser: &Path, url: &str) -> Result<Tab> {
        let folder = TempDir::new()?;
        let profile = folder.path().join("profile");
        let child = Command::new(browser)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run"])
            .args(["--autoplay-policy=no-user-gesture-required", "--disable-extensions"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log"))?)
            .spawn()
            .with_context(|| format!("cannot start {}", browser.display()))?;
        Ok(Tab { child, folder })
    }

    /// Of one core, what it takes over this time, after another in which it begins.
    pub(super) fn share(mut self, warm_up: Duration, time: Duration) -> Result<f64> {
        thread::sleep(warm_up);
        let before = self.time()?;
        thread::sleep(time);
        let after = self.time()?;
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "the browser has ended: {}", self.log());
        Ok(after.saturating_sub(before).as_secs_f64() / time.as_secs_f64())
    }

    /// CPU time of all its processes. Tabs and services of a page stay as long as it does.
    fn time(&self) -> Result<Duration> {
        family(self.child.id())?.into_iter().map(|pid| Ok(process_time(pid).unwrap_or_default())).sum()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and all that it has brought forth.
fn family(root: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        if let Some(parent) = parent(pid) {
            parents.push((pid, parent));
        }
    }
    let mut family = vec![root];
    let mut at = 0;
    while let Some(known) = family.get(at).copied() {
        family.extend(parents.iter().filter(|(_, parent)| *parent == known).map(|(pid, _)| *pid));
        at += 1;
    }
    Ok(family)
}

/// Source: proc_pid_stat(5), field 4.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}
