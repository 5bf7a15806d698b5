//! Players outside of browsers.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::browser::percentile;
use headwater_tests::origin::Origin;
use headwater_tests::players::{decode, mpv, probe};
use headwater_tests::program::{Program, until};
use headwater_tests::source::{Profile, Source};
use headwater_tests::{heavy_turn, report, scratch, tools};
use serde_json::Value;

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
    let _turn = heavy_turn();
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

/// GStreamer, by both of its demultiplexers of HLS, until it has decoded some seconds of each playlist.
///
/// They come as soon as the stream is there: hlsdemux2 of GStreamer 1.22 compares a playlist with the one before from the
/// last segment to the second, and would never go on if the first that it reads had one segment alone.
#[test]
fn gstreamer_plays_both_containers() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let [fmp4, _, ts] = addresses(&origin);
    let ways = [("uridecodebin3", &fmp4), ("uridecodebin3", &ts), ("uridecodebin", &fmp4), ("uridecodebin", &ts)];
    // Beside one another: most of the time they wait for segments.
    let runs = ways.map(|(decoder, (name, address))| {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(tools::package().join("clients/gstreamer_hls.py")).args([decoder, address, "210", "300", "40"]);
        (format!("GStreamer's {decoder}, {name}"), Program::start(decoder, &mut command))
    });
    for (name, run) in runs {
        let ended = run?.succeed(Duration::from_secs(60))?;
        let seen: Value = serde_json::from_slice(&ended.output)?;
        ensure!(seen["problem"].is_null(), "{name}: {seen}; it said: {}", ended.messages);
        ensure!(seen["pictures"].as_u64() >= Some(210) && seen["sounds"].as_u64() >= Some(300), "{name}: {seen}");
        ensure!(seen["tone"].as_f64() > Some(0.7), "{name}: {seen}");
        let times =
            |key: &str| -> Vec<f64> { seen[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect() };
        let (flashes, beeps) = (times("flashes"), times("beeps"));
        let nearest = |flash: &f64| beeps.iter().map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        let offsets: Vec<f64> = flashes.iter().filter_map(nearest).map(|seconds| seconds * 1_000.0).collect();
        let middle = percentile(&offsets, 50).unwrap_or(f64::NAN);
        report(&format!("{name}: {} pictures, sound {middle:.0} ms after the picture", seen["pictures"]));
        ensure!(offsets.len() >= 5 && middle.abs() < 40.0, "{name}: {offsets:?} in {seen}");
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// VLC, told and asked by its line interface.
#[test]
fn vlc_plays_both_containers() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let [fmp4, _, ts] = addresses(&origin);
    for (name, address) in [fmp4, ts] {
        let mut player = Program::start("VLC", vlc()?.arg(&address))?;
        let shown =
            until(&format!("{name}: VLC shows 120 pictures and plays their sound"), Duration::from_secs(40), || {
                let asked = player.say("stats").is_ok();
                let told = String::from_utf8_lossy(&player.output()).into_owned();
                asked && count(&told, "frames displayed") >= 120 && count(&told, "buffers played") >= 150
            });
        let told = String::from_utf8_lossy(&player.output()).into_owned();
        let counts = ["frames displayed", "frames lost", "buffers played", "buffers lost", "demux corrupted"];
        let counts = counts.map(|key| format!("{key} {}", count(&told, key))).join(", ");
        report(&format!("VLC, {name}: {counts}"));
        ensure!(shown.is_ok(), "{shown:?}; {counts}; it said: {}", player.messages());
        ensure!(count(&told, "demux corrupted") == 0, "{name}: {counts}");
        player.say("quit")?;
        player.wait(Duration::from_secs(20))?;
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// VLC without window and loudspeaker. It refuses to run as root, and so becomes nobody.
fn vlc() -> Result<Command> {
    let vlc = tools::on_path("cvlc")?;
    let id = Program::start("id", Command::new("id").arg("-u"))?.succeed(Duration::from_secs(10))?;
    let mut command = if id.output.trim_ascii() == b"0" {
        let mut command = Command::new(tools::on_path("setpriv")?);
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(vlc);
        command
    } else {
        Command::new(vlc)
    };
    command.env("HOME", "/nonexistent");
    command.args(["--intf=oldrc", "--rc-fake-tty", "--vout=vdummy", "--aout=adummy"]);
    Ok(command)
}

/// The last value of a line of VLC's statistics.
fn count(told: &str, key: &str) -> u64 {
    let line = told.lines().rev().find(|line| line.contains(key));
    let value = line.and_then(|line| line.rsplit_once(':')?.1.split_whitespace().next()?.parse().ok());
    value.unwrap_or_default()
}
