//! A camera that is switched off while its microphone stays on, and comes back.

use anyhow::{Result, ensure};
use headwater_tests::flv::Kind;
use headwater_tests::origin::Origin;
use headwater_tests::{report, turn};

use super::odd::{BOTH, piece, publish, usual};
use crate::sdk::pages::Pages;

const PLAY: &str = "const { MsePlayer } = await import('/assets/sdk/mse.js');
    document.body.innerHTML = '<video id=video width=320 height=180></video>';
    window.errors = [];
    // What the server says was left out, and by how much pictures are decoded before their sound at most, in seconds.
    Object.assign(window, { skipped: 0, early: 0 });
    const [PICTURE, SOUND] = [{ hertz: 90000, at: 0 }, { hertz: 48000, at: 0 }];
    const look = ({ data }) => {
      if (typeof data === 'string') return (skipped += data.includes('skipped'));
      const view = new DataView(data);
      if (view.getUint32(4) !== 0x6d6f6f66) return;
      const track = view.getUint32(44) === 1 ? PICTURE : SOUND;
      track.at = view.getUint32(48 + view.getUint32(32)) / track.hertz;
      if (track === PICTURE) early = Math.max(early, SOUND.at - PICTURE.at);
    };
    const Native = WebSocket;
    window.WebSocket = class extends Native {
      constructor(...all) {
        super(...all);
        this.addEventListener('message', look);
      }
    };
    window.player = new MsePlayer({ base: '/', name: 'odd', video });
    player.addEventListener('lost', ({ detail }) => errors.push(`${detail?.code} ${detail?.message}`));
    await player.start();
    window.shown = count(video);
    window.figures = () => ({ at: video.currentTime, shown: shown.frames, width: video.videoWidth, kinds: player.kinds, state: video.readyState,
      buffered: video.buffered.length, early, skipped, errors });
    await until(() => JSON.stringify(figures()), () => shown.frames > 30, 10000);";

#[test]
fn mse_goes_on_when_the_picture_stops_and_shows_it_when_it_is_back() -> Result<()> {
    let _turn = turn();
    let tags = usual((640, 360))?;
    let origin = Origin::start()?;
    let publisher = publish(&origin, "odd", piece(&tags, &BOTH))?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.open("eve", "/healthz")?;
    pages.run("eve", PLAY)?;
    publisher.go_on(piece(&tags, &[Kind::Audio]));
    let script = "const from = figures();
        await new Promise((done) => setTimeout(done, 7000));
        return { played: video.currentTime - from.at, ...figures() };";
    let off = pages.run("eve", script)?;
    publisher.go_on(piece(&tags, &BOTH));
    let script = "const from = shown.frames, began = performance.now();
        await until(() => JSON.stringify(figures()), () => shown.frames > from + 90, 10000);
        return { ms: Math.round(performance.now() - began), ...figures() };";
    let back = pages.run("eve", script)?;
    report(&format!("MSE without a picture, 7 s: {off}; back: {back}"));
    ensure!(off["played"].as_f64() > Some(5.0) && off["kinds"] == serde_json::json!(["audio"]), "{off}");
    // Nothing is missing of what follows, nor looks as if the viewer were late.
    ensure!(back["early"].as_f64().is_some_and(|early| early < 1.0), "{back}");
    ensure!(back["skipped"] == 0 && back["buffered"] == 1 && back["errors"] == serde_json::json!([]), "{back}");
    origin.stop()?;
    Ok(())
}
