//! The Web SDK in a real browser: publishing, playing, muting, changing devices, and what happens when it goes wrong.

mod balanced;
mod guide;
pub(crate) mod pages;
mod studio;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::{heavy_turn, http, report, tools, turn};
use serde_json::Value;

use pages::Pages;

/// A stream of a page, as `stream`, by that transport; what happens to it is kept in `events`.
fn stream(transport: &str, options: &str) -> String {
    format!(
        "window.session = sdk.createSession({{ transport: '{transport}' }});
         window.stream = session.createStream({{ name: 'room', display: '#video', {options} }});
         window.events = [];
         for (const type of ['state', 'mute', 'remotemute', 'problem'])
           stream.addEventListener(type, ({{ detail }}) => events.push([type, detail]));"
    )
}

/// Publishes in one page and plays in another.
fn begin(pages: &mut Pages, sends: &str, receives: &str) -> Result<()> {
    pages.empty("anna")?;
    pages.empty("ben")?;
    pages.run("anna", &format!("{} await stream.publish();", stream(sends, "")))?;
    let play = "await stream.play(); window.seen = count(video); window.heard = listen(stream.media);";
    pages.run("ben", &format!("{} {play}", stream(receives, "wait: true")))?;
    pages.run("ben", "await until('pictures', () => seen.frames > 20);")?;
    Ok(())
}

fn plays(sends: &str, receives: &str) -> Result<()> {
    let origin = Origin::start()?;
    let before = origin.held()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, sends, receives)?;

    let shown = pages.run(
        "ben",
        "await until('sound', () => heard.peak > 0.05);
         const { video, audio, rttMs, transport } = await until('numbers', () => stream.stats?.video?.fps && stream.stats);
         return { video, audio, rttMs, transport, quality: stream.quality };",
    )?;
    report(&format!("{sends} to {receives}: {shown}"));
    ensure!(shown["video"]["width"].as_u64() > Some(0), "{shown}");
    ensure!(shown["audio"]["codec"] == "opus" && shown["transport"] == "UDP", "{shown}");
    ensure!(shown["quality"]["level"].as_u64() >= Some(2), "{shown}");

    // A muted publisher is black and silent to every viewer.
    pages.run("anna", "stream.muteVideo(); stream.muteAudio();")?;
    pages.run(
        "ben",
        "await until('black', () => light(video) < 12);
         await until('silence', async () => { heard.peak = 0; await new Promise((done) => setTimeout(done, 1500)); return heard.peak < 0.01; });",
    )?;
    if sends == "session" && receives == "session" {
        pages.run("ben", "await until('the word', () => stream.remoteMuted.audio && stream.remoteMuted.video);")?;
    }
    pages.run("anna", "stream.unmuteVideo(); stream.unmuteAudio();")?;
    pages
        .run("ben", "await until('light', () => light(video) > 20); await until('sound', () => heard.peak > 0.05);")?;

    pages.run("ben", "await stream.stop();")?;
    let left = pages.run(
        "anna",
        "await stream.stop(); return [stream.state, stream.peer, stream.media.getTracks().length, video.srcObject];",
    )?;
    ensure!(left == serde_json::json!(["stopped", null, 0, null]), "{left}");
    origin.wait_empty()?;
    drop(pages);
    origin.wait_baseline(&before)?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_plays_what_another_publishes_over_the_session_protocol() -> Result<()> {
    let _turn = heavy_turn();
    plays("session", "session")
}

#[test]
fn a_page_plays_by_whep_what_another_publishes_by_whip() -> Result<()> {
    let _turn = heavy_turn();
    plays("whip", "whip")
}

#[test]
fn the_transports_of_two_pages_need_not_be_the_same() -> Result<()> {
    let _turn = heavy_turn();
    plays("whip", "session")?;
    plays("session", "whip")
}

#[test]
fn the_picture_has_its_size_from_the_beginning() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, "session", "whip")?;
    let size = pages.run("ben", "return [video.videoWidth, video.videoHeight];")?;
    ensure!(size == serde_json::json!([1280, 720]), "after twenty pictures: {size}");
    origin.stop()?;
    Ok(())
}

#[test]
fn the_codec_that_a_page_wants_arrives_and_so_do_three_sizes() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.empty("anna")?;
    pages.empty("ben")?;
    for (options, codec) in [("codecs: ['VP8']", "VP8"), ("codecs: ['H264'], simulcast: true", "H264")] {
        pages.run("anna", &format!("{} await stream.publish();", stream("whip", options)))?;
        pages.run("ben", &format!("{} await stream.play();", stream("whip", "wait: true")))?;
        let shown = pages.run(
            "ben",
            "const { video } = await until('pictures', () => stream.stats?.video?.frames > 30 && stream.stats); return video;",
        )?;
        report(&format!("{options}: {shown}"));
        ensure!(shown["codec"] == codec, "{options}: {shown}");
        if options.contains("simulcast") {
            let sent = pages.run(
                "anna",
                "const layers = async () => [...(await stream.peer.getStats()).values()]
                   .filter(({ type, kind, framesSent }) => type === 'outbound-rtp' && kind === 'video' && framesSent > 5);
                 return await until('three layers', async () => { const found = await layers(); return found.length === 3 && found.map(({ rid }) => rid).sort(); });",
            )?;
            ensure!(sent == serde_json::json!(["f", "h", "q"]), "{sent}");
            pages.run("ben", "await until('the largest size', () => video.videoWidth === 1280, 30000);")?;
        }
        pages.run("ben", "await stream.stop();")?;
        pages.run("anna", "await stream.stop();")?;
        origin.wait_empty()?;
    }
    origin.stop()?;
    Ok(())
}

#[test]
fn the_camera_is_changed_while_viewers_watch() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, "session", "session")?;
    let changed = pages.run(
        "anna",
        "const { cameras } = await sdk.devices();
         const of = () => stream.media.getVideoTracks()[0].getSettings().deviceId;
         const [before, peer] = [of(), stream.peer];
         await stream.useCamera(cameras[2].id);
         return { cameras: cameras.length, changed: of() !== before, same: peer === stream.peer };",
    )?;
    ensure!(changed == serde_json::json!({ "cameras": 3, "changed": true, "same": true }), "{changed}");
    let seen = pages.run(
        "ben",
        "const before = seen.frames; await until('pictures go on', () => seen.frames > before + 30);
         return events.filter(([type]) => type === 'state').map(([, state]) => state);",
    )?;
    ensure!(seen == serde_json::json!(["connecting", "playing"]), "the viewer noticed: {seen}");

    // A canvas takes the camera's place as well.
    pages.run(
        "anna",
        "const canvas = document.createElement('canvas'); canvas.width = 320; canvas.height = 180;
         const brush = canvas.getContext('2d');
         setInterval(() => { brush.fillStyle = Date.now() % 200 < 100 ? '#fff' : '#eee'; brush.fillRect(0, 0, 320, 180); }, 40);
         await stream.use(canvas);",
    )?;
    pages.run("ben", "await until('the canvas', () => light(video) > 215);")?;
    origin.stop()?;
    Ok(())
}

#[test]
fn both_pages_go_on_by_themselves_when_the_server_is_back() -> Result<()> {
    let _turn = heavy_turn();
    for transport in ["session", "whip"] {
        let origin = Origin::start()?;
        let host = origin.host();
        let mut pages = Pages::of(&origin.page("/"))?;
        begin(&mut pages, transport, transport)?;
        pages.run("ben", "window.element = stream.display; window.media = stream.media;")?;
        drop(origin);
        let wait = "await until('it notices', () => stream.state === 'reconnecting');";
        pages.run("anna", wait)?;
        pages.run("ben", wait)?;

        let mut again = Command::new(tools::origin()?);
        let again = Program::start("origin, again", again.args(["--listen", &host.to_string()]))?;
        let address = format!("{host}:8080");
        until("the server is back", Duration::from_secs(20), || {
            http::get(&address, "/readyz").is_ok_and(|answer| answer.status == 200)
        })?;
        pages.run("anna", "await until('it publishes', () => stream.state === 'publishing', 30000);")?;
        let kept = pages.run(
            "ben",
            "await until('it plays', () => stream.state === 'playing', 30000);
             const before = seen.frames; await until('pictures go on', () => seen.frames > before + 20);
             return stream.display === element && stream.media === media && element.isConnected && !element.paused;",
        )?;
        ensure!(kept == true, "{transport}: the element changed");
        drop(again);
    }
    Ok(())
}

#[test]
fn whatever_is_refused_is_told_in_words() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, "session", "session")?;
    let error = |body: &str| {
        format!(
            "const error = await ({body}).catch((error) => error); return [error.code, error.message, error.advice];"
        )
    };
    for transport in ["session", "whip"] {
        pages.run("ben", &format!("window.other = sdk.createSession({{ transport: '{transport}' }});"))?;
        let taken = pages.run("ben", &error("other.createStream({ name: 'room' }).publish()"))?;
        says(&taken, "name-in-use", "published already")?;
        let absent = pages.run("ben", &error("other.createStream({ name: 'nobody' }).play()"))?;
        says(&absent, "not-live", "nobody")?;
    }
    let away =
        "sdk.createSession({ url: 'http://127.0.0.1:9/', transport: 'whip' }).createStream({ name: 'room' }).play()";
    says(&pages.run("ben", &error(away))?, "network", "cannot be reached")?;
    let lights = pages.run("ben", "return navigator.mediaDevices.enumerateDevices().then((all) => stream.state);")?;
    ensure!(lights == "playing", "the stream that plays was disturbed: {lights}");
    origin.stop()?;
    Ok(())
}

fn says(error: &Value, code: &str, words: &str) -> Result<()> {
    let message = error[1].as_str().context("no message")?;
    ensure!(error[0] == code && message.contains(words), "{error}");
    let is_sentence = |text: &Value| text.as_str().is_some_and(|text| text.ends_with(['.', '!']));
    ensure!(is_sentence(&error[1]) && is_sentence(&error[2]), "{error}");
    Ok(())
}

#[test]
fn a_page_that_is_closed_leaves_nothing_behind() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let before = origin.held()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, "session", "whip")?;
    pages.leave("anna")?;
    pages.leave("ben")?;
    origin.wait_empty()?;
    origin.wait_baseline(&before)?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_new_network_costs_a_new_path_and_no_new_session() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    begin(&mut pages, "whip", "whip")?;
    for page in ["anna", "ben"] {
        let same = pages.run(
            page,
            "const before = stream.peer; const name = () => before.remoteDescription.sdp.match(/ice-ufrag:(.*)/)[1];
             const old = name(); dispatchEvent(new Event('online'));
             await until('new credentials', () => name() !== old);
             await until('connected', () => before.iceConnectionState === 'connected');
             return stream.peer === before;",
        )?;
        ensure!(same == true, "{page} made a new session");
    }
    pages.run("ben", "const before = seen.frames; await until('pictures go on', () => seen.frames > before + 30);")?;
    origin.stop()?;
    Ok(())
}
