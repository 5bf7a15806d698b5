//! When the flashes and the beeps of a recording come, by its time stamps alone.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::program::Program;
use crate::source::{quiet, words};
use crate::tools;

/// The corner that flashes, and how light it is.
const FLASH: &str = "crop=iw*0.15:ih*0.15:iw*0.8:ih*0.8,signalstats";
/// The sound of the beep alone in pieces of 5 ms, and how loud it is.
const BEEP: &str = "bandpass=f=2000:width_type=h:w=400,aresample=48000,asetnsamples=n=240,astats=metadata=1:reset=1";

/// How much later than its flash each beep is, in milliseconds, by the stamps of a file; decoded by ffmpeg.
///
/// # Errors
/// When ffmpeg is missing or cannot read the file.
pub fn sound_after_picture(file: &Path) -> Result<Vec<f64>> {
    let light = values(file, "-an -vf", &format!("{FLASH},metadata"), "lavfi.signalstats.YAVG")?;
    let loud = values(file, "-vn -af", &format!("{BEEP},ametadata"), "lavfi.astats.Overall.RMS_level")?;
    ensure!(light.len() > 30 && loud.len() > 200, "{} pictures, {} pieces of sound", light.len(), loud.len());
    let (flashes, beeps) = (rises(&light, 128.0), rises(&loud, -25.0));
    let nearest = |flash: &f64| beeps.iter().map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs()));
    let offsets = flashes.iter().filter_map(nearest).filter(|offset| offset.abs() < 0.5);
    Ok(offsets.map(|seconds| seconds * 1_000.0).collect())
}

/// What a filter measures, with the time of each measurement in seconds.
fn values(file: &Path, options: &str, filter: &str, key: &str) -> Result<Vec<(f64, f64)>> {
    let mut command = quiet(&tools::on_path("ffmpeg")?);
    command.arg("-copyts").arg("-i").arg(file).args(words(options));
    command.arg(format!("{filter}=mode=print:key={key}:file=-")).args(["-f", "null", "-"]);
    let told = Program::start("the measuring ffmpeg", &mut command)?.succeed(Duration::from_secs(60))?.output;
    let (mut time, mut values) = (None, Vec::new());
    for line in String::from_utf8_lossy(&told).lines() {
        match (line.split_once("pts_time:"), line.split_once('=')) {
            (Some((_, seconds)), _) => time = seconds.trim().parse().ok(),
            (None, Some((found, value))) if found == key => values.extend(time.zip(value.parse().ok())),
            _ => {}
        }
    }
    Ok(values)
}

/// When a measure rises above a bound.
fn rises(values: &[(f64, f64)], bound: f64) -> Vec<f64> {
    let pairs = values.windows(2).filter(|pair| pair[0].1 < bound && pair[1].1 >= bound);
    pairs.map(|pair| pair[1].0).collect()
}
