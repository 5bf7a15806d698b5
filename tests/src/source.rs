//! The picture and sound that the tests send, made by ffmpeg.
//!
//! The picture carries the clock of Headwater's test pictures, which a viewer can read (a white and a black block,
//! sixteen of Gray code of the milliseconds since 1970, a black and a white block), and flashes once a second, when the
//! sound beeps.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{program::Program, tools};

/// The steady tone, in hertz; once a second a tone of four times its pitch is heard as well.
pub const TONE_HERTZ: u32 = 500;

/// A profile of H.264.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Constrained Baseline.
    Baseline,
    /// Main.
    Main,
    /// High.
    High,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Width and height of the picture.
    pub size: (u32, u32),
    /// Pictures in a second.
    pub rate: u32,
    /// The H.264 profile.
    pub profile: Profile,
    /// Pictures that are predicted from both sides between two that are not.
    pub b_frames: u32,
    /// Seconds from one key frame to the next.
    pub group_seconds: f64,
    /// Kilobits in a second of picture; filled up to, so that a test can count on it. Zero: as many as it takes.
    pub kilobits: u32,
    /// Samples in a second of sound.
    pub sample_rate: u32,
    /// Channels of sound.
    pub channels: u32,
}

impl Default for Source {
    fn default() -> Source {
        Source {
            size: (640, 360),
            rate: 30,
            profile: Profile::Baseline,
            b_frames: 0,
            group_seconds: 1.0,
            kilobits: 0,
            sample_rate: 48_000,
            channels: 2,
        }
    }
}

impl Source {
    /// Arguments that read picture and sound, in real time if `live`.
    fn inputs(&self, live: bool) -> Vec<String> {
        let (width, height) = self.size;
        let picture = format!("testsrc2=size={width}x{height}:rate={}", self.rate);
        let sound = format!("sine=frequency={TONE_HERTZ}:beep_factor=4:sample_rate={}", self.sample_rate);
        let pace = if live { "-re " } else { "" };
        let inputs = words(&format!("{pace}-f lavfi -i {picture} {pace}-f lavfi -i {sound}"));
        inputs.into_iter().chain(["-vf".to_owned(), self.filters()]).collect()
    }

    /// The clock, the flash and a pixel format that every decoder knows.
    fn filters(&self) -> String {
        let (width, height) = self.size;
        let (block, strip) = (width / 20, height / 18);
        let paint = |x: u32, color: &str, when: &str| {
            format!("drawbox=x={x}:y=0:w={block}:h={strip}:color={color}:t=fill{when}")
        };
        let clock = r"mod(floor(time(0)*1000)\,65536)";
        let mut filters = vec![format!("drawbox=x=0:y=0:w={width}:h={strip}:color=black:t=fill")];
        filters.extend([0, 19].map(|end| paint(block * end, "white", "")));
        filters.extend((0..16).map(|bit| {
            let (low, high) = (1 << (15 - bit), 1 << (16 - bit));
            let set = format!(r":enable='mod(floor({clock}/{low})+floor({clock}/{high})\,2)'");
            paint(block * (bit + 2), "white", &set)
        }));
        let corner = format!("drawbox=x={}:y={}:w={}:h={}", width * 3 / 4, height * 3 / 4, width / 4, height / 4);
        filters.push(format!("{corner}:color=black:t=fill"));
        filters.push(format!(r"{corner}:color=white:t=fill:enable='lt(mod(t\,1)\,0.1)'"));
        filters.push("format=yuv420p".to_owned());
        filters.join(",")
    }

    fn video_encoder(&self) -> Vec<String> {
        let profile = match self.profile {
            Profile::Baseline => "baseline",
            Profile::Main => "main",
            Profile::High => "high",
        };
        let group = (self.group_seconds * f64::from(self.rate)) as u32;
        let tuning = if self.b_frames == 0 { "-tune zerolatency" } else { "" };
        let mut encoder = words(&format!(
            "-c:v libx264 -preset veryfast -threads 2 -profile:v {profile} {tuning} -bf {} -g {group} -keyint_min {group} \
             -sc_threshold 0",
            self.b_frames
        ));
        if self.kilobits > 0 {
            let rate = self.kilobits;
            encoder.extend(words(&format!("-b:v {rate}k -minrate {rate}k -maxrate {rate}k -bufsize {rate}k")));
            encoder.extend(words("-x264-params nal-hrd=cbr"));
        }
        encoder
    }

    fn audio_encoder(&self) -> Vec<String> {
        words(&format!("-c:a aac -b:a 96k -ar {} -ac {}", self.sample_rate, self.channels))
    }

    /// Sends it in real time, encoded while it is sent, until the program is ended.
    ///
    /// # Errors
    /// When ffmpeg is missing.
    pub fn publish(&self, url: &str) -> Result<Program> {
        let mut command = quiet(&tools::on_path("ffmpeg")?);
        command.args(self.inputs(true)).args(self.video_encoder()).args(self.audio_encoder());
        command.args(["-flush_packets", "1", "-f", "flv", url]);
        Program::start("the publishing ffmpeg", &mut command)
    }

    /// Writes it in real time to a file or files, in a format that ffmpeg is told of by these options.
    ///
    /// # Errors
    /// When ffmpeg is missing.
    pub fn write(&self, file: &Path, format: &[&str]) -> Result<Program> {
        let mut command = quiet(&tools::on_path("ffmpeg")?);
        command.args(self.inputs(true)).args(self.video_encoder()).args(self.audio_encoder());
        Program::start("the writing ffmpeg", command.args(format).arg(file))
    }

    /// An FLV file of so many seconds, made once in a run.
    ///
    /// # Errors
    /// When ffmpeg is missing or fails.
    pub fn file(&self, seconds: u32) -> Result<PathBuf> {
        let (width, height) = self.size;
        let name = format!(
            "{:?}-{width}x{height}-{}fps-b{}-g{}-{}k-{}hz-{}ch-{seconds}s",
            self.profile, self.rate, self.b_frames, self.group_seconds, self.kilobits, self.sample_rate, self.channels
        );
        made_once(&name.to_lowercase(), "flv", |path| {
            let mut command = quiet(&tools::on_path("ffmpeg")?);
            command.args(self.inputs(false)).args(self.video_encoder()).args(self.audio_encoder());
            command.args(["-t", &seconds.to_string(), "-f", "flv"]).arg(path);
            Program::start("the encoding ffmpeg", &mut command)?.succeed(Duration::from_secs(120))?;
            Ok(())
        })
    }
}

/// Sends a file in real time without touching the coded bytes; `offset` is added to its times, in seconds.
///
/// # Errors
/// When ffmpeg is missing.
pub fn publish_file(file: &Path, url: &str, offset: f64) -> Result<Program> {
    publish_file_by(&tools::on_path("ffmpeg")?, file, url, offset)
}

/// The same by an ffmpeg of choice.
///
/// # Errors
/// When ffmpeg cannot be started.
pub fn publish_file_by(ffmpeg: &Path, file: &Path, url: &str, offset: f64) -> Result<Program> {
    let mut command = quiet(ffmpeg);
    command.arg("-re").arg("-i").arg(file).args(["-c", "copy", "-output_ts_offset", &offset.to_string()]);
    command.args(["-flvflags", "no_duration_filesize", "-f", "flv", url]);
    Program::start("the publishing ffmpeg", &mut command)
}

/// A file below the build folder, made by `make` if this run has not made it yet.
///
/// # Errors
/// When it cannot be made.
pub fn made_once(name: &str, extension: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = tools::target().join("test-media");
    std::fs::create_dir_all(&folder).context("could not make the folder for the test media")?;
    let file = folder.join(format!("{name}.{extension}"));
    // Tests beside each other want the same file.
    let lock = File::create(folder.join(format!("{name}.lock"))).context("could not make a lock")?;
    lock.lock().context("could not wait for a lock")?;
    if !file.exists() {
        let unfinished = folder.join(format!("{name}.{}.unfinished.{extension}", std::process::id()));
        make(&unfinished)?;
        std::fs::rename(&unfinished, &file)?;
    }
    Ok(file)
}

/// An ffmpeg command that only speaks of what goes wrong.
pub fn quiet(ffmpeg: &Path) -> Command {
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-y"]);
    command
}

/// The words of a command line.
pub fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
