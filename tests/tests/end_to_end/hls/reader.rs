//! A program that reads a live playlist as a player does, by another implementation, and keeps what it reads.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::program::Program;
use headwater_tests::source::quiet;
use headwater_tests::{scratch, sync, tools};
use serde_json::Value;

/// One that reads.
pub(super) struct Reader {
    program: Program,
    folder: PathBuf,
}

/// What one has read.
pub(super) struct Read {
    /// Its figures, and what it complains of.
    pub(super) told: Value,
    folder: PathBuf,
}

impl Reader {
    /// Reads the media playlist at an address for so long; where that is no time, until it is told to finish.
    pub(super) fn start(address: &str, time: Duration) -> Result<Reader> {
        let folder = scratch("playlists")?;
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new(tools::on_path("node")?);
        command.arg(tools::package().join("browser/playlist.mjs")).args([address, &time.as_secs().to_string()]);
        command.arg(&folder).env("HEADWATER_TEST_TOOLS", tools::folder());
        Ok(Reader { program: Program::start("hls-parser", &mut command)?, folder })
    }

    /// Waits for its end.
    pub(super) fn finish(self, within: Duration) -> Result<Read> {
        let ended = self.program.succeed(within)?;
        let told = serde_json::from_slice(&ended.output).with_context(|| ended.messages)?;
        Ok(Read { told, folder: self.folder })
    }
}

impl Read {
    /// Insists that no rule was broken and no segment left out.
    pub(super) fn check(&self) -> Result<()> {
        let told = &self.told;
        ensure!(told["complaints"].as_array().is_some_and(Vec::is_empty), "{told}");
        ensure!(told["missing"] == false && told["fetched"] == told["segments"], "{told}");
        ensure!(told["fetched"].as_u64() > Some(2), "{told}");
        Ok(())
    }

    /// The media between discontinuities, each in a file of its own, in their order.
    pub(super) fn media(&self) -> Result<Vec<PathBuf>> {
        let mut files = self.files(|name| name.starts_with("media-"))?;
        files.sort();
        Ok(files)
    }

    /// Insists that all of it decodes.
    pub(super) fn decode(&self) -> Result<()> {
        for file in self.media()? {
            let mut command = quiet(&tools::on_path("ffmpeg")?);
            command.args(["-loglevel", "error", "-xerror", "-i"]).arg(&file);
            // Times as they are: counted in whole pictures, those half way between two fall on the same number.
            command.args(["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"]);
            let ended = Program::start("the decoding ffmpeg", &mut command)?.succeed(Duration::from_secs(400))?;
            ensure!(ended.messages.is_empty(), "{}: {}", file.display(), ended.messages);
        }
        Ok(())
    }

    /// How much later than its flash each of the last beeps is, in milliseconds.
    pub(super) fn sound_after_picture(&self) -> Result<Vec<f64>> {
        let tail = self.files(|name| name.starts_with("tail."))?;
        sync::sound_after_picture(tail.first().context("no segment was read")?)
    }

    /// What media-doctor says of its playlists and transport streams, and of how many; nothing if it is not there.
    pub(super) fn diagnose(&self) -> Result<Option<(usize, Vec<String>)>> {
        let doctor = tools::folder().join("cargo/bin/media-doctor");
        if !doctor.is_file() {
            return Ok(None);
        }
        let playlists = self.files(|name| name.ends_with(".m3u8"))?;
        let streams = self.files(|name| name.ends_with(".ts"))?;
        let cases = playlists.iter().map(|file| ("check-hls", file)).chain(streams.iter().map(|file| ("check", file)));
        let (mut count, mut findings) = (0, Vec::new());
        for (task, file) in cases {
            // It succeeds even where it finds something.
            let mut command = Command::new(&doctor);
            let ended = Program::start("media-doctor", command.arg(task).arg("--input").arg(file))?;
            let ended = ended.succeed(Duration::from_secs(120))?;
            let said = String::from_utf8_lossy(&ended.output).trim().to_owned();
            if !said.starts_with("No issues found") {
                findings.push(format!("{}: {said}", file.display()));
            }
            count += 1;
        }
        Ok(Some((count, findings)))
    }

    /// Removes what was kept.
    pub(super) fn forget(self) -> Result<()> {
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }

    fn files(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
        let is_wanted = |path: &Path| path.file_name().is_some_and(|name| wanted(&name.to_string_lossy()));
        let entries = std::fs::read_dir(&self.folder)?.flatten().map(|entry| entry.path());
        Ok(entries.filter(|path| is_wanted(path)).collect())
    }
}
