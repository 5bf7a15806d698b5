//! Players outside of browsers.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::players::{decode, mpv, probe};
use headwater_tests::program::Program;
use headwater_tests::source::{Profile, Source};
use headwater_tests::{scratch, tools, turn};

/// Each address of a stream: as MediaMTX and as WCS have it, in both containers.
fn addresses(origin: &Origin) -> [(&'static str, String); 3] {
    [
        ("fragmented MP4", origin.page("/clock/index.m3u8")),
        ("the address of WCS, on its port", format!("http://{}:8082/clock/clock.m3u8", origin.host())),
        ("transport streams", origin.page("/clock/index.m3u8?container=ts")),
    ]
}

/// B-frames besides: their times must be right in both containers.
#[test]
fn ffprobe_ffmpeg_and_mpv_play_both_containers() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let source = Source { profile: Profile::High, b_frames: 2, sample_rate: 44_100, ..Source::default() };
    let publisher = source.publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    for (name, address) in addresses(&origin) {
        let streams = probe(&address)?;
        let video = streams.iter().find(|stream| stream["codec_name"] == "h264");
        let audio = streams.iter().find(|stream| stream["codec_name"] == "aac");
        ensure!(video.is_some_and(|video| video["width"] == 640 && video["profile"] == "High"), "{name}: {streams:?}");
        ensure!(audio.is_some_and(|audio| audio["sample_rate"] == "44100"), "{name}: {streams:?}");
        let file = record(&address, 8)?;
        let complaints = decode(&tools::on_path("ffmpeg")?, &file)?;
        ensure!(complaints.is_empty(), "{name}: {complaints}");
        check_times(name, &file)?;
        mpv(&address, 60)?;
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// Copies some seconds of a playlist to a file, as they come.
fn record(address: &str, seconds: u32) -> Result<std::path::PathBuf> {
    let file = scratch("hls.mkv")?;
    let mut command = headwater_tests::source::quiet(&tools::on_path("ffmpeg")?);
    command.args(["-i", address, "-t", &seconds.to_string(), "-c", "copy"]).arg(&file);
    Program::start("the recording ffmpeg", &mut command)?.succeed(Duration::from_secs(40))?;
    Ok(file)
}

/// Pictures and sound come evenly, in the order of their times, without a hole where segments meet.
fn check_times(name: &str, file: &std::path::Path) -> Result<()> {
    for (kind, longest) in [("v", 0.045), ("a", 0.030)] {
        let mut command = Command::new(tools::on_path("ffprobe")?);
        command.args(["-v", "error", "-select_streams", kind, "-show_entries", "packet=pts_time", "-of", "csv=p=0"]);
        let ended = Program::start("ffprobe", command.arg(file))?.succeed(Duration::from_secs(30))?;
        let text = String::from_utf8_lossy(&ended.output).into_owned();
        let mut times: Vec<f64> = text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
        times.sort_by(f64::total_cmp);
        // The end is cut in the order of decoding, where pictures that are shown earlier may still be to come.
        times.truncate(times.len().saturating_sub(6));
        ensure!(times.len() > 150, "{name}: only {} packets of {kind}", times.len());
        let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
        let (least, most) = steps.fold((f64::MAX, 0.0_f64), |(least, most), step| (least.min(step), most.max(step)));
        ensure!(least > 0.010 && most < longest, "{name}: steps of {kind} from {least:.4} to {most:.4} s");
    }
    Ok(())
}
