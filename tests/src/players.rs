//! Players and recorders other than browsers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::program::{Program, until};
use crate::source::quiet;
use crate::{flv, tools};

/// What makes ffmpeg tell an RTMP server which enhanced codecs it takes.
const ENHANCED: &[&str] = &["-rtmp_enhanced_codecs", "hvc1,Opus"];

/// A program that records a stream to an FLV file as it comes.
#[derive(Debug)]
pub struct Recorder {
    program: Program,
    file: PathBuf,
}

impl Recorder {
    /// librtmp, with its own handshake and chunk code.
    ///
    /// # Errors
    /// When rtmpdump is missing.
    pub fn rtmpdump(url: &str) -> Result<Recorder> {
        Recorder::start("rtmpdump", |file| {
            let mut command = Command::new(tools::on_path("rtmpdump")?);
            command.args(["--quiet", "--live", "--rtmp", url, "--flv"]).arg(file);
            Ok(command)
        })
    }

    /// ffmpeg, copying what it plays by RTMP or HTTP-FLV.
    ///
    /// # Errors
    /// When ffmpeg is missing.
    pub fn ffmpeg(url: &str) -> Result<Recorder> {
        Recorder::copying(&tools::on_path("ffmpeg")?, &[], url)
    }

    /// The newest ffmpeg, telling the server that it takes HEVC and Opus.
    ///
    /// # Errors
    /// When it is missing.
    pub fn newest_ffmpeg(url: &str) -> Result<Recorder> {
        let says = if url.starts_with("rtmp") { ENHANCED } else { &[] };
        Recorder::copying(&tools::newest_ffmpeg()?, says, url)
    }

    fn copying(ffmpeg: &Path, options: &[&str], url: &str) -> Result<Recorder> {
        Recorder::start("the recording ffmpeg", |file| {
            let mut command = quiet(ffmpeg);
            command.args(options).args(["-i", url, "-c", "copy", "-flush_packets", "1", "-f", "flv"]).arg(file);
            Ok(command)
        })
    }

    /// curl, saving HTTP-FLV as it is sent.
    ///
    /// # Errors
    /// When curl is missing.
    pub fn curl(url: &str) -> Result<Recorder> {
        Recorder::start("curl", |file| {
            let mut command = Command::new(tools::on_path("curl")?);
            command.args(["--silent", "--show-error", "--fail", "--no-buffer", url, "--output"]).arg(file);
            Ok(command)
        })
    }

    fn start(name: &str, command: impl FnOnce(&Path) -> Result<Command>) -> Result<Recorder> {
        let file = crate::scratch("recording.flv")?;
        let program = Program::start(name, &mut command(&file)?)?;
        Ok(Recorder { program, file })
    }

    /// The tags so far.
    ///
    /// # Errors
    /// When the file is no FLV.
    pub fn tags(&self) -> Result<Vec<flv::Tag>> {
        match std::fs::read(&self.file) {
            Ok(bytes) if bytes.len() >= 13 => flv::tags(&bytes),
            _ => Ok(Vec::new()),
        }
    }

    /// Waits until so many pictures are recorded.
    ///
    /// # Errors
    /// When they are not within the time.
    pub fn wait_pictures(&self, count: usize, within: Duration) -> Result<()> {
        let pictures = || self.tags().and_then(|tags| flv::pictures(&tags)).map_or(0, |pictures| pictures.len());
        until(&format!("{count} pictures are recorded"), within, || pictures() >= count)
            .with_context(|| format!("there are {}; it said: {}", pictures(), self.program.messages()))
    }

    /// Stops reading, as a viewer whose line is dead.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub fn freeze(&self) -> Result<()> {
        self.program.signal("STOP")
    }

    /// Reads again.
    ///
    /// # Errors
    /// When it cannot be woken.
    pub fn thaw(&self) -> Result<()> {
        self.program.signal("CONT")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.program.runs()
    }

    /// Stops recording and gives the file.
    pub fn stop(self) -> PathBuf {
        self.program.kill();
        self.file
    }

    /// Stops recording and gives the tags.
    ///
    /// # Errors
    /// When the file is no FLV.
    pub fn finish(self) -> Result<Vec<flv::Tag>> {
        let ended = self.program.kill();
        let bytes = std::fs::read(&self.file).with_context(|| format!("nothing recorded: {}", ended.messages))?;
        flv::tags(&bytes).with_context(|| ended.messages)
    }
}

/// What ffprobe says of a stream: its `streams`.
///
/// # Errors
/// When it cannot play it.
pub fn probe(url: &str) -> Result<Vec<Value>> {
    let mut command = Command::new(tools::on_path("ffprobe")?);
    command.args(["-v", "error", "-show_streams", "-of", "json", url]);
    let ended = Program::start("ffprobe", &mut command)?.succeed(Duration::from_secs(30))?;
    let told: Value = serde_json::from_slice(&ended.output)?;
    told["streams"].as_array().cloned().ok_or_else(|| anyhow!("ffprobe told nothing: {told}"))
}

/// Plays so many frames with mpv as a person would, and gives what it said.
///
/// # Errors
/// When it does not play them.
pub fn mpv(url: &str, frames: u32) -> Result<String> {
    let mut command = Command::new(tools::on_path("mpv")?);
    command.args(["--no-config", "--vo=null", "--ao=null", "--no-terminal", "--msg-level=all=info", "--terminal=yes"]);
    command.args([format!("--frames={frames}"), url.to_owned()]);
    let ended = Program::start("mpv", &mut command)?.succeed(Duration::from_secs(40))?;
    let said = format!("{}{}", String::from_utf8_lossy(&ended.output), ended.messages);
    ensure!(said.contains("VO: [null]") && said.contains("AO: [null]"), "mpv did not play both: {said}");
    Ok(said)
}

/// Decodes a recording with ffmpeg and gives its complaints; none means that every frame decodes.
///
/// # Errors
/// When ffmpeg is missing or does not end.
pub fn decode(ffmpeg: &Path, file: &Path) -> Result<String> {
    let mut command = quiet(ffmpeg);
    // By the times of the file: ffmpeg would otherwise count pictures at the rate that it takes the file to have, and
    // complain of two at one time where it has guessed too low.
    command.arg("-i").arg(file).args(["-fps_mode", "passthrough", "-enc_time_base:v", "1:90000", "-f", "null", "-"]);
    Ok(Program::start("the decoding ffmpeg", &mut command)?.succeed(Duration::from_secs(60))?.messages)
}
