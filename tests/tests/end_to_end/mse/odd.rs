//! Sources that do what none should, played by MSE and by WSPlayer at once, each of which goes on.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::flv::{self, Kind, Tag};
use headwater_tests::odd_rtmp::{OddPublisher, Piece};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::{Source, made_once, quiet, words};
use headwater_tests::{heavy_turn, report, tools};
use serde_json::Value;

use crate::sdk::pages::Pages;

/// A stream, or its sound or picture alone.
pub(crate) fn piece(tags: &[Tag], kinds: &[Kind]) -> Piece {
    Piece { tags: tags.iter().filter(|tag| kinds.contains(&tag.kind)).cloned().collect(), jump: 0 }
}

pub(crate) fn publish(origin: &Origin, name: &str, first: Piece) -> Result<OddPublisher> {
    let publisher = OddPublisher::start(SocketAddr::new(origin.host().into(), 1935), name, first)?;
    origin.wait_published(name)?;
    Ok(publisher)
}

pub(crate) const BOTH: [Kind; 2] = [Kind::Audio, Kind::Video];

pub(crate) fn usual(size: (u32, u32)) -> Result<Vec<Tag>> {
    flv::tags(&std::fs::read(Source { size, ..Source::default() }.file(20)?)?)
}

/// A stream in enhanced form, made by the newest ffmpeg.
pub(crate) fn enhanced(name: &str, encoder: &str) -> Result<Vec<Tag>> {
    let file = made_once(&format!("odd-{name}"), "flv", |path| {
        let mut command = quiet(&tools::newest_ffmpeg()?);
        command.args(words("-f lavfi -i testsrc2=size=480x270:rate=30"));
        command.args(words("-f lavfi -i sine=frequency=500:sample_rate=48000 -ac 2 -t 8 -g 30 -pix_fmt yuv420p"));
        command.args(words(encoder)).args(words("-c:a aac -f flv")).arg(path);
        Program::start("the encoding ffmpeg", &mut command)?.succeed(Duration::from_secs(120))?;
        Ok(())
    })?;
    flv::tags(&std::fs::read(file)?)
}

/// Opens both players in one page.
fn watch(origin: &Origin, name: &str) -> Result<Pages> {
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.open("eve", "/healthz")?;
    let script = format!(
        "const [{{ MsePlayer }}, {{ WsPlayer }}] = await Promise.all([import('/assets/sdk/mse.js'), import('/assets/sdk/wsplayer.js')]);
         document.body.innerHTML = '<video id=video width=320 height=180></video><canvas id=canvas style=\"width:320px;height:180px\"></canvas>';
         window.mse = new MsePlayer({{ base: '/', name: '{name}', video }});
         window.ws = new WsPlayer({{ base: '/', name: '{name}', canvas }});
         window.events = [];
         mse.addEventListener('lost', ({{ detail }}) => events.push(['mse', detail?.code, detail?.message]));
         ws.addEventListener('lost', ({{ detail }}) => events.push(['wsplayer', detail?.code, detail?.message]));
         window.shown = count(video);
         const fail = (way) => (error) => events.push([way, error.code, error.message]);
         window.begun = Promise.all([mse.start().catch(fail('mse')), ws.start().catch(fail('wsplayer'))]);
         window.figures = async () => {{
           const stats = await ws.stats();
           return {{ events, mse: {{ shown: shown.frames, at: video.currentTime, width: video.videoWidth, sound: video.webkitAudioDecodedByteCount }},
             ws: {{ shown: stats?.video?.framesDecoded, width: ws.width, sound: stats?.audio?.packetsReceived, level: stats?.audio?.jitterBufferMs }} }};
         }};
         await begun;"
    );
    pages.run("eve", &script)?;
    Ok(pages)
}

/// Waits until both players show a picture of that width, and then so many more, if there is one; else until both play
/// so much more sound.
fn goes_on(pages: &mut Pages, what: &str, width: Option<u32>) -> Result<Value> {
    let condition = match width {
        Some(width) => format!(
            "const is = (now) => now.mse.width === {width} && now.ws.width === {width};
             let from = null;
             await until(() => '{what}: ' + JSON.stringify(last), async () => {{
               last = await figures();
               if (is(last)) from ??= last;
               return from && last.mse.shown > from.mse.shown + 20 && last.ws.shown > from.ws.shown + 20;
             }});"
        ),
        None => format!(
            "const from = await figures();
             await until(() => '{what}: ' + JSON.stringify(last), async () => {{
               last = await figures();
               return last.mse.at > from.mse.at + 1 && last.mse.sound > from.mse.sound && last.ws.sound > from.ws.sound + 20 && last.ws.level > 0;
             }});"
        ),
    };
    let seen = pages.run("eve", &format!("const began = performance.now(); let last = null; {condition} return {{ ...last, ms: Math.round(performance.now() - began) }};"))?;
    report(&format!("{what}: {seen}"));
    ensure!(seen["events"] == serde_json::json!([]), "{what}: {seen}");
    Ok(seen)
}

#[test]
fn mse_and_wsplayer_outlive_silence_and_stamps_that_jump_by_an_hour() -> Result<()> {
    let _turn = heavy_turn();
    let tags = usual((640, 360))?;
    let origin = Origin::start()?;
    let publisher = publish(&origin, "odd", piece(&tags, &BOTH))?;
    let mut pages = watch(&origin, "odd")?;
    goes_on(&mut pages, "before all", Some(640))?;
    publisher.go_on(piece(&tags, &[Kind::Video]));
    // Longer than a track that brings nothing is waited for.
    std::thread::sleep(Duration::from_secs(4));
    goes_on(&mut pages, "without sound", Some(640))?;
    publisher.go_on(piece(&tags, &BOTH));
    goes_on(&mut pages, "with sound again", None)?;
    for (jump, what) in [(3_600_000, "an hour later"), (-1_800_000, "half an hour earlier")] {
        publisher.go_on(Piece { jump, ..piece(&tags, &BOTH) });
        goes_on(&mut pages, what, Some(640))?;
        goes_on(&mut pages, what, None)?;
    }
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    origin.stop()?;
    Ok(())
}

#[test]
fn mse_and_wsplayer_play_sound_alone_and_picture_alone() -> Result<()> {
    let _turn = heavy_turn();
    let tags = usual((640, 360))?;
    let origin = Origin::start()?;
    for (name, kind, width) in [("sound", Kind::Audio, None), ("picture", Kind::Video, Some(640))] {
        let _publisher = publish(&origin, name, piece(&tags, &[kind]))?;
        let mut pages = watch(&origin, name)?;
        goes_on(&mut pages, name, width)?;
        ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    }
    origin.stop()?;
    Ok(())
}

#[test]
fn mse_and_wsplayer_go_on_in_another_size_and_another_codec() -> Result<()> {
    let _turn = heavy_turn();
    let (large, small) = (usual((640, 360))?, usual((320, 180))?);
    let vp9 = enhanced("vp9", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k")?;
    let av1 = enhanced("av1", "-c:v libsvtav1 -preset 12 -b:v 500k")?;
    let origin = Origin::start()?;
    let publisher = publish(&origin, "odd", piece(&large, &BOTH))?;
    let mut pages = watch(&origin, "odd")?;
    goes_on(&mut pages, "H.264", Some(640))?;
    for (what, tags, width) in
        [("another size", &small, 320), ("VP9", &vp9, 480), ("H.264 again", &large, 640), ("AV1", &av1, 480)]
    {
        publisher.go_on(piece(tags, &BOTH));
        goes_on(&mut pages, what, Some(width))?;
    }
    ensure!(pages.complaints().is_empty(), "{:?}", pages.complaints());
    origin.stop()?;
    Ok(())
}

#[test]
fn a_codec_that_the_browser_does_not_decode_is_named_by_mse_and_wsplayer() -> Result<()> {
    let _turn = heavy_turn();
    let options = "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=30:min-keyint=30:scenecut=0";
    let h265 = enhanced("h265", options)?;
    let origin = Origin::start()?;
    let _publisher = publish(&origin, "odd", piece(&h265, &[Kind::Video]))?;
    let mut pages = watch(&origin, "odd")?;
    let seen = pages
        .run("eve", "return { ...await figures(), can: (await import('/assets/sdk/mse.js')).MsePlayer.codecs() };")?;
    report(&format!("H.265: {seen}"));
    let can = seen["can"].as_array().context("no codecs")?;
    if can.iter().any(|codec| codec == "h265") {
        goes_on(&mut pages, "H.265", Some(480))?;
    } else {
        let events = seen["events"].as_array().context("no events")?;
        let says = |event: &Value| event[1] == "codec" && event[2].as_str().is_some_and(|words| words.contains("H265"));
        ensure!(events.len() == 2 && events.iter().all(says), "{seen}");
    }
    origin.stop()?;
    Ok(())
}
