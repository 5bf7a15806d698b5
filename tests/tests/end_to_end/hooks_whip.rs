//! An application behind the server decides about WHIP and WHEP: what browsers and ffmpeg see of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::{browser::Browser, heavy_turn, http, origin::Origin, players};

use crate::{hooks::BackEnd, sdk::pages::Pages, whip::publish_by_ffmpeg};

const SOON: Duration = Duration::from_secs(30);

/// A server whose application lets nobody at `secret` and calls `camera` otherwise.
fn decided() -> Result<(BackEnd, Origin)> {
    let back_end = BackEnd::start(&["--refuse", "secret", "--rename", "camera=hidden/camera"])?;
    let origin = Origin::configured(&[
        ("HOOKS__APPLICATIONS", &format!("defaultApp={}", back_end.url)),
        ("HOOKS__SECRET_KEY", "canary-4712"),
        // Who comes by HTTP has no connection whose answer could say so.
        ("HOOKS__OVERWRITE", r#"["name"]"#),
        ("STREAMS__GRACE_MS", "300"),
    ])?;
    Ok((back_end, origin))
}

#[test]
fn pages_by_whip_and_whep_are_refused_let_in_and_given_another_name_as_the_application_wants_it() -> Result<()> {
    let _turn = heavy_turn();
    let (back_end, origin) = decided()?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.empty("anna")?;
    pages.empty("ben")?;
    let stream = |name: &str, act: &str| {
        format!(
            "window.session?.close();
             window.session = sdk.createSession({{ transport: 'whip' }});
             window.stream = session.createStream({{ name: '{name}', display: '#video' }});
             {act}"
        )
    };
    for act in ["publish", "play"] {
        let asks = format!(
            "try {{ await stream.{act}(); return 'in'; }} catch ({{ code, message }}) {{ return code + ': ' + message; }}"
        );
        let said = pages.run("anna", &stream("secret", &asks))?;
        let said = said.as_str().unwrap_or_default();
        ensure!(said == "refused: The application does not allow it.", "{act}: {said}");
        back_end.wait(&format!("{act}Stream secret"), "PENDING")?;
    }

    pages.run("anna", &stream("camera", "await stream.publish();"))?;
    origin.wait_published("hidden/camera")?;
    back_end.wait("publishStream camera", "PENDING")?;
    back_end.wait("StreamStatusEvent hidden/camera", "PUBLISHING")?;
    pages.run("ben", &stream("camera", "await stream.play(); window.seen = count(video);"))?;
    pages.run("ben", "await until('pictures', () => seen.frames > 20);")?;
    back_end.wait("playStream camera", "PENDING")?;
    back_end.wait("StreamStatusEvent hidden/camera", "PLAYING")?;
    for page in ["anna", "ben"] {
        let known = pages.run(page, "return JSON.stringify([stream.name, performance.getEntries()]);")?;
        let known = known.as_str().context("the page says nothing")?;
        ensure!(known.contains("camera") && !known.contains("hidden"), "{page} learns the hidden name: {known}");
    }

    pages.run("ben", "await stream.stop();")?;
    back_end.wait("stopStream hidden/camera", "STOPPED")?;
    pages.run("anna", "await stream.stop();")?;
    back_end.wait("unPublishStream hidden/camera", "UNPUBLISHED")?;
    origin.wait_gone("hidden/camera")?;
    origin.stop()?;
    Ok(())
}

#[test]
fn ffmpeg_by_whip_is_refused_and_given_another_name_as_the_application_wants_it() -> Result<()> {
    let _turn = heavy_turn();
    let (back_end, origin) = decided()?;
    let refused = publish_by_ffmpeg(&origin.whip("secret"), 10)?.wait(SOON)?;
    ensure!(refused.messages.contains("403"), "{}", refused.messages);
    back_end.wait("publishStream secret", "PENDING")?;

    let encoder = publish_by_ffmpeg(&origin.whip("camera"), 20)?;
    origin.wait_published("hidden/camera").with_context(|| encoder.messages())?;
    ensure!(players::probe(&origin.rtmp("hidden/camera"))?.len() == 2);
    let mut browser = Browser::play(&origin.whep("camera"))?;
    browser.wait_frames(60, SOON)?;
    browser.finish()?;
    back_end.wait("stopStream hidden/camera", "STOPPED")?;
    // Strangers learn from a broken offer only that they may not.
    for (stream, status) in [("secret", 403), ("other", 400)] {
        for word in ["whip", "whep"] {
            let path = format!("/{stream}/{word}");
            let answer = http::exchange(&origin.http(), "POST", &path, &["Content-Type: application/sdp"], "broken")?;
            ensure!(answer.status == status, "{path}: {answer:?}");
        }
    }
    encoder.kill();
    back_end.wait("unPublishStream hidden/camera", "UNPUBLISHED")?;
    ensure!(!origin.log().contains("canary-4712"), "the key stands in the log:\n{}", origin.log());
    origin.stop()?;
    Ok(())
}
