//! Agents at nginx: they speak the protocols, and not what one server makes of them.

use anyhow::{Context, Result, ensure};
use headwater_load::Reason;
use headwater_tests::program::Program;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, report, shared_turn};

use super::{PUBLISHER, block_on, nginx::Nginx, plan, start, twenty, until};

#[test]
fn agents_publish_and_play_at_another_server_of_rtmp() -> Result<()> {
    let _turn = shared_turn();
    let nginx = Nginx::start()?;
    let host = nginx.host();
    let (rtmp, hls) = block_on(async {
        let publishing = start(plan(&host, 600, PUBLISHER)?)?;
        until(&publishing, "it publishes", |outcome| outcome.tasks[0].live == 1).await?;
        let run = start(plan(&host, 8, &twenty("rtmp://HOST/live/cam-1", ""))?)?;
        // Its HLS is written beside, from the same publisher.
        nginx.wait_playlist("/cam-1.m3u8", 3)?;
        let hls = start(plan(&host, 8, &twenty("http://HOST:8080/cam-1.m3u8", ""))?)?;
        let (rtmp, hls) = (run.finished().await, hls.finished().await);
        let pairs = "[[task]]\nwhat = \"pairs\"\ntarget = \"rtmp://HOST/live/pair-{i}\"\ncount = 2\n";
        let pairs = start(plan(&host, 5, pairs)?)?.finished().await;
        let row = &pairs.tasks[0];
        ensure!((row.left, row.failed) == (2, 0) && row.latency_ms.is_some(), "{row:?}");
        publishing.stop();
        let published = publishing.finished().await;
        ensure!((published.tasks[0].left, published.tasks[0].failed) == (1, 0), "{published:?}");
        Ok((rtmp, hls))
    })?;
    for (name, outcome, pictures) in [("RTMP", &rtmp, 200), ("HLS", &hls, 150)] {
        let row = &outcome.tasks[0];
        let latency = row.latency_ms.context("no stamp was read")?;
        report(&format!("twenty viewers by {name} at nginx: first picture {:?}, {latency:?}", row.first_picture_ms));
        ensure!((row.joined, row.left, row.failed, row.lost) == (20, 20, 0, 0), "{name}: {row:?}");
        ensure!(row.pictures > 20 * pictures, "{name}: {row:?}");
        let decoded = &row.decoded;
        ensure!(decoded.pictures > 20 && (decoded.refused, decoded.width) == (0, 320), "{name}: {decoded:?}");
    }
    nginx.stop()
}

#[test]
fn agents_play_files_of_hls_that_another_program_writes() -> Result<()> {
    let _turn = heavy_turn();
    let nginx = Nginx::start()?;
    let kinds = [("ts", "mpegts"), ("mp4", "fmp4")];
    let mut encoders = vec![encode_apart(&nginx)?];
    for (name, kind) in kinds {
        encoders.push(encode(&nginx, name, kind)?);
    }
    for name in ["ts", "mp4", "apart-0", "apart-1"] {
        nginx.wait_playlist(&format!("/{name}.m3u8"), 4)?;
    }
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000\nts.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=500000\nmp4.m3u8\n";
    std::fs::write(nginx.files().join("all.m3u8"), master)?;
    let lowest = "[task.hls]\nrendition = \"lowest\"";
    let tasks = ["ts", "mp4", "all", "apart"].map(|name| (name, twenty(&format!("http://HOST:8080/{name}.m3u8"), "")));
    let outcomes = block_on(async {
        let low = twenty("http://HOST:8080/all.m3u8", lowest);
        let tasks = tasks.iter().map(|(_, task)| task).chain([&low]);
        let runs = tasks.map(|task| start(plan(&nginx.host(), 8, task)?)).collect::<Result<Vec<_>>>()?;
        let mut outcomes = Vec::new();
        for run in &runs {
            outcomes.push(run.finished().await);
        }
        let gone = start(plan(&nginx.host(), 2, &twenty("http://HOST:8080/none.m3u8", ""))?)?.finished().await;
        ensure!(gone.tasks[0].failures[0].reason == Reason::NoStream, "{gone:?}");
        Ok(outcomes)
    })?;
    for (outcome, width) in outcomes.iter().zip([640, 320, 640, 320, 320]) {
        let row = &outcome.tasks[0];
        ensure!((row.joined, row.left, row.failed, row.lost) == (20, 20, 0, 0), "{width}: {row:?}");
        let decoded = &row.decoded;
        ensure!(decoded.pictures > 20 && (decoded.refused, decoded.width) == (0, width), "{decoded:?}");
        ensure!(row.packets > row.pictures + 20 * 200, "sound is missing: {row:?}");
        ensure!(row.segments >= 20 * 5 && row.playlists >= 20 * 3 && row.parts == 0, "{row:?}");
    }
    encoders.into_iter().for_each(|encoder| drop(encoder.kill()));
    nginx.stop()
}

/// An ffmpeg that writes a stream as files: transport streams have B-frames and 640 pixels, the others 320.
fn encode(nginx: &Nginx, name: &str, kind: &str) -> Result<Program> {
    let source = match kind {
        "fmp4" => Source { size: (320, 180), ..Source::default() },
        _ => Source { b_frames: 2, ..Source::default() },
    };
    let playlist = nginx.files().join(format!("{name}.m3u8"));
    let init = format!("{name}-init.mp4");
    let more = ["-hls_time", "1", "-hls_list_size", "8", "-hls_flags", "delete_segments+temp_file"];
    let kind = ["-hls_segment_type", kind, "-hls_fmp4_init_filename", &init];
    source.write(&playlist, &["-f", "hls"].iter().chain(&more).chain(&kind).copied().collect::<Vec<_>>())
}

/// One that writes sound apart from the picture, and a playlist that says so.
fn encode_apart(nginx: &Nginx) -> Result<Program> {
    let source = Source { size: (320, 180), ..Source::default() };
    let more = ["-hls_time", "1", "-hls_list_size", "8", "-hls_flags", "delete_segments+temp_file"];
    let apart = ["-var_stream_map", "a:0,agroup:sound,default:yes v:0,agroup:sound", "-master_pl_name", "apart.m3u8"];
    let format: Vec<&str> = ["-f", "hls"].iter().chain(&more).chain(&apart).copied().collect();
    source.write(&nginx.files().join("apart-%v.m3u8"), &format)
}
