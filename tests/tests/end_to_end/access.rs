//! What real programs show and do when they may not publish or play, and when they may.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::wcs::Page;
use headwater_tests::{heavy_turn, players, shared_turn, tools};
use serde_json::json;

use crate::sdk::pages::Pages;

const SOON: Duration = Duration::from_secs(20);

/// A server that asks publishers and viewers for a key.
fn locked() -> Result<Origin> {
    Origin::configured(&[
        ("ACCESS__STREAM_KEYS", r#"["publish:**:in-key-4711", "play:**:out-key-4711"]"#),
        ("ACCESS__PLAY", "authenticated"),
    ])
}

fn publish(origin: &Origin, address: &str) -> Result<Program> {
    let encoder = Source::default().publish(address)?;
    until("ffmpeg publishes", SOON, || origin.log().contains("an RTMP publisher begins"))?;
    Ok(encoder)
}

/// What ffmpeg says when it is refused.
fn refused(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(!output.status.success(), "it was let in");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn ffmpeg(input: &str, output: &[&str]) -> Result<Command> {
    let mut command = Command::new(tools::on_path("ffmpeg")?);
    command.args(["-v", "error", "-t", "3", "-i", input]).args(output);
    Ok(command)
}

#[test]
fn ffmpeg_is_told_why_it_may_not_and_gets_in_with_a_key_wherever_it_writes_it() -> Result<()> {
    let _turn = shared_turn();
    let origin = locked()?;
    let file = Source::default().file(5)?;
    let file = file.to_string_lossy();
    let send = |address: &str| ffmpeg(&file, &["-c", "copy", "-f", "flv", address]);
    let said = refused(&mut send(&origin.rtmp("cam"))?)?;
    ensure!(said.contains("Server error: publishing takes credentials here"), "{said}");
    let said = refused(&mut send(&origin.rtmp("cam?token=out-key-4711"))?)?;
    ensure!(said.contains("Server error: "), "a key for playing is none for publishing: {said}");

    let ways = ["live/cam?token=in-key-4711", "live?token=in-key-4711/cam", "live/cam?user=anybody&pass=in-key-4711"];
    for way in ways {
        let address = format!("rtmp://{}/{way}", origin.host());
        let output = send(&address)?.output()?;
        ensure!(output.status.success(), "{way}: {}", String::from_utf8_lossy(&output.stderr));
    }

    let _encoder = publish(&origin, &origin.rtmp("live-cam?token=in-key-4711"))?;
    let said = refused(&mut ffmpeg(&origin.rtmp("live-cam"), &["-f", "null", "-"])?)?;
    ensure!(said.contains("Server error: playing takes credentials here"), "{said}");
    let flv = format!("{}:8080/live-cam.flv", origin.host());
    let said = refused(&mut ffmpeg(&format!("http://{flv}"), &["-f", "null", "-"])?)?;
    ensure!(said.contains("401"), "{said}");
    for address in [
        origin.rtmp("live-cam?token=out-key-4711"),
        format!("http://{flv}?token=out-key-4711"),
        format!("http://anybody:out-key-4711@{flv}"),
    ] {
        let streams = players::probe(&address)?;
        ensure!(!streams.is_empty(), "{address} shows nothing");
    }
    ensure!(!origin.log().contains("key-4711"), "a key stands in the log:\n{}", origin.log());
    origin.stop()?;
    Ok(())
}

#[test]
fn pages_of_wcs_show_a_token_as_that_of_the_session_or_as_a_custom_field() -> Result<()> {
    let _turn = heavy_turn();
    let origin = locked()?;
    let _encoder = publish(&origin, &origin.rtmp("cam?token=in-key-4711"))?;
    let mut page = Page::open(&origin.page("/healthz"))?;
    let server = format!("ws://{}", origin.http());
    page.call("session", json!(["s", { "urlServer": server }]))?;
    page.call("play", json!(["shut", "s", { "name": "cam" }]))?;
    let log = page.call("status", json!(["shut", "FAILED"]))?;
    let last = log.as_array().and_then(|log| log.last()).cloned().unwrap_or_default();
    ensure!(last["info"] == "Restricted access", "{log}");
    page.call("play", json!(["open", "s", { "name": "cam", "custom": { "token": "out-key-4711" } }]))?;
    page.call("status", json!(["open", "PLAYING"]))?;
    page.call("motion", json!(["open", 20]))?;

    page.call("session", json!(["t", { "urlServer": server, "authToken": "in-key-4711" }]))?;
    page.call("publish", json!(["camera", "t", { "name": "camera" }]))?;
    page.call("status", json!(["camera", "PUBLISHING"]))?;
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    ensure!(!origin.log().contains("key-4711"), "a key stands in the log:\n{}", origin.log());
    origin.stop()?;
    Ok(())
}

#[test]
fn the_web_sdk_gets_in_with_a_token_and_says_that_it_is_refused_without() -> Result<()> {
    let _turn = heavy_turn();
    let origin = locked()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.empty("anna")?;
    pages.empty("ben")?;
    for transport in ["session", "whip"] {
        let stream = |token: &str, act: &str| {
            format!(
                "window.session?.close();
                 window.session = sdk.createSession({{ transport: '{transport}', {token} }});
                 window.stream = session.createStream({{ name: 'room-{transport}', display: '#video' }});
                 {act}"
            )
        };
        for act in ["publish", "play"] {
            let asks = format!(
                "try {{ await stream.{act}(); return 'in'; }} catch ({{ code, message }}) {{ return code + ': ' + message; }}"
            );
            let said = pages.run("anna", &stream("", &asks))?;
            let said = said.as_str().unwrap_or_default();
            ensure!(said.starts_with("refused: ") && said.contains("credentials"), "{transport} {act}: {said}");
        }
        pages.run("anna", &stream("token: 'in-key-4711'", "await stream.publish();"))?;
        pages.run("ben", &stream("token: 'out-key-4711'", "await stream.play(); window.seen = count(video);"))?;
        pages.run("ben", "await until('pictures', () => seen.frames > 20);")?;
    }
    ensure!(!origin.log().contains("key-4711"), "a key stands in the log:\n{}", origin.log());
    origin.stop()?;
    Ok(())
}
