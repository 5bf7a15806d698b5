//! H.265, AV1 and VP9 by HLS, and what a container does not carry.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::{made_once, quiet, words};
use headwater_tests::{heavy_turn, http, report, tools};

use super::{PATIENCE, fetch};
use crate::sdk::pages::Pages;

/// What the newest ffmpeg encodes, the beginning of the codec's name in playlists, and whether transport streams carry
/// it.
const CODECS: [(&str, &str, &str, bool); 3] = [
    (
        "hevc-aac",
        "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=30:min-keyint=30:scenecut=0",
        "hvc1.1.6.L63",
        true,
    ),
    ("av1-aac", "-c:v libsvtav1 -preset 12 -svtav1-params keyint=30", "av01.0.", false),
    ("vp9-aac", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 600k", "vp09.00.", false),
];

fn file(name: &str, encoder: &str) -> Result<PathBuf> {
    made_once(name, "flv", |path| {
        let mut command = quiet(&tools::newest_ffmpeg()?);
        command.args(words("-f lavfi -i testsrc2=size=640x360:rate=30"));
        command.args(words("-f lavfi -i sine=frequency=500:sample_rate=48000 -ac 2 -t 40 -g 30 -pix_fmt yuv420p"));
        command.args(words(encoder)).args(words("-c:a aac -f flv")).arg(path);
        Program::start("the encoding ffmpeg", &mut command)?.succeed(Duration::from_secs(180))?;
        Ok(())
    })
}

/// The file of AV1.
pub(super) fn av1() -> Result<PathBuf> {
    let (name, encoder, ..) = CODECS[1];
    file(name, encoder)
}

fn publish(file: &Path, url: &str) -> Result<Program> {
    let mut command = quiet(&tools::newest_ffmpeg()?);
    command.args(["-re", "-stream_loop", "-1", "-i"]).arg(file).args(["-c", "copy", "-f", "flv", url]);
    Program::start("the publishing ffmpeg", &mut command)
}

/// Pictures and packets of sound that ffmpeg decodes of three seconds of a playlist, and what it complains of.
fn decoded(ffmpeg: &Path, address: &str) -> Result<(usize, usize, String)> {
    let mut command = quiet(ffmpeg);
    command.args(["-i", address, "-t", "3", "-f", "framemd5", "-"]);
    let ended = Program::start("the playing ffmpeg", &mut command)?.succeed(PATIENCE * 2)?;
    let text = String::from_utf8_lossy(&ended.output).into_owned();
    let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    Ok((count("0,"), count("1,"), ended.messages))
}

#[test]
fn ffmpeg_and_hls_js_play_h265_av1_and_vp9_and_transport_streams_say_what_they_do_not_carry() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut publishers = Vec::new();
    for (name, encoder, ..) in CODECS {
        publishers.push(publish(&file(name, encoder)?, &origin.rtmp(name))?);
    }
    let mut pages = Pages::of(&origin.page("/"))?;
    for (name, _, codec, in_ts) in CODECS {
        origin.wait_published(name)?;
        let path = format!("/{name}/index.m3u8");
        let index = fetch(&origin, &path)?.body;
        let told = index.split("CODECS=\"").nth(1).and_then(|rest| rest.split('"').next()).context("no CODECS")?;
        ensure!(told.starts_with(codec) && told.ends_with(",mp4a.40.2"), "{name}: {index}");
        ensure!(index.contains("RESOLUTION=640x360") && index.contains("FRAME-RATE=30.000"), "{name}: {index}");
        let (pictures, sounds, complaints) = decoded(&tools::newest_ffmpeg()?, &origin.page(&path))?;
        ensure!(pictures > 75 && sounds > 120, "{name}: {pictures} pictures, {sounds} packets of sound");
        ensure!(complaints.is_empty(), "{name}: {complaints}");
        let ts = format!("{path}?container=ts");
        if in_ts {
            let (pictures, sounds, complaints) = decoded(&tools::newest_ffmpeg()?, &origin.page(&ts))?;
            ensure!(pictures > 75 && sounds > 120 && complaints.is_empty(), "{name} in TS: {pictures}, {complaints}");
        } else {
            let refused = http::get(&origin.http(), &ts)?;
            let words = refused.body.contains("cannot convert it to H264 or H265");
            ensure!(refused.status == 406 && words, "{name} in TS: {refused:?}");
        }
        let seen = watch(&mut pages, &path, told)?;
        report(&format!("{name} by HLS: CODECS {told}; ffmpeg decodes {pictures}; Chromium {seen}"));
        ensure!(seen["plays"] == true || name.starts_with("hevc"), "{name}: this Chromium does not know {told}");
        ensure!(seen["plays"] == false || seen["frames"].as_u64() > Some(20), "{name}: {seen}");
    }
    publishers.into_iter().for_each(|publisher| drop(publisher.kill()));
    origin.stop()?;
    Ok(())
}

/// Two seconds of it by hls.js, where this browser knows the codecs.
fn watch(pages: &mut Pages, path: &str, codecs: &str) -> Result<serde_json::Value> {
    pages.open("codecs", "/healthz")?;
    pages.script("codecs", "hls.js")?;
    pages.run(
        "codecs",
        &format!(
            "if (!MediaSource.isTypeSupported('video/mp4; codecs=\"{codecs}\"')) return {{ plays: false }};
             document.body.innerHTML = '<video id=video></video>';
             const player = new Hls({{ lowLatencyMode: true }});
             const errors = [];
             player.on(Hls.Events.ERROR, (_, {{ details, fatal }}) => errors.push(`${{details}} ${{fatal}}`));
             player.loadSource('{path}');
             player.attachMedia(video);
             await new Promise((done) => player.on(Hls.Events.MANIFEST_PARSED, done));
             await video.play();
             const seen = count(video);
             await until(() => `pictures: ${{errors}}`, () => seen.frames > 20 && video.videoWidth === 640, 20000);
             player.destroy();
             return {{ plays: true, frames: seen.frames, errors }};"
        ),
    )
}
