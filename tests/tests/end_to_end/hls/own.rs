//! The reader of the web player goes on where the stream changes, and uses what a browser has.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::{Source, quiet};
use headwater_tests::{heavy_turn, report, tools};

use super::codecs::av1;
use crate::sdk::pages::Pages;

/// Plays `clock`; counts pictures, and keeps what buffers were made and changed for.
const PLAY: &str = "document.body.innerHTML = '<video id=video></video>';
    window.errors = [];
    window.made = [];
    for (const [kind, name] of [[MediaSource, 'addSourceBuffer'], [SourceBuffer, 'changeType']]) {
      const before = kind.prototype[name];
      kind.prototype[name] = function (type) {
        made.push(`${name} ${type}`);
        return before.call(this, type);
      };
    }
    const { HlsReader } = await import('/assets/sdk/hls.js');
    const address = new URL('/clock/index.m3u8', location.href).href;
    window.reader = new HlsReader(video);
    reader.onlost = (error) => errors.push(`${error.code}: ${error.message}`);
    await reader.start(address, await (await fetch(address)).text());
    await video.play();
    window.seen = count(video);
    await until(() => `pictures: ${errors}`, () => seen.frames > 30);";

/// The file over and over, with these options to ffmpeg.
fn publish(file: &Path, options: &[&str], origin: &Origin) -> Result<Program> {
    let mut command = quiet(&tools::newest_ffmpeg()?);
    command.args(["-re", "-stream_loop", "-1", "-i"]).arg(file).args(["-c", "copy"]).args(options);
    command.args(["-f", "flv", &origin.rtmp("clock")]);
    Program::start("the publishing ffmpeg", &mut command)
}

/// Waits for pictures from buffers of that kind, and tells how long it took, in seconds.
fn goes_on(pages: &mut Pages, kind: &str) -> Result<f64> {
    let script = format!(
        "const begin = performance.now();
         const now = () => JSON.stringify([made, errors, video.currentTime, video.readyState]);
         await until(now, () => made.some((type) => /{kind}/.test(type)), 25000);
         const before = seen.frames;
         await until(now, () => seen.frames > before + 60, 25000);
         if (errors.length) throw new Error(errors.join());
         made.length = 0;
         return (performance.now() - begin) / 1000;"
    );
    pages.run("eve", &script)?.as_f64().context("no time")
}

#[test]
fn the_own_reader_goes_on_with_other_codecs_and_with_other_tracks() -> Result<()> {
    let _turn = heavy_turn();
    let file = av1()?;
    // Encoders take seconds to begin on a busy machine.
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "20000")])?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.open("eve", "/healthz")?;
    pages.run("eve", PLAY)?;
    publisher.kill();
    let publisher = publish(&file, &[], &origin)?;
    let codec = goes_on(&mut pages, "changeType .*av01.*mp4a")?;
    publisher.kill();
    let publisher = publish(&file, &["-an"], &origin)?;
    let tracks = goes_on(&mut pages, "addSourceBuffer .*av01[^,]*$")?;
    report(&format!("the own reader: pictures of another codec after {codec:.1} s, without sound after {tracks:.1} s"));
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// What Safari on phones has: no `MediaSource`, and another that says when it wants to be fed.
const MANAGED: &str = "const Source = window.MediaSource;
    delete window.MediaSource;
    window.ManagedMediaSource = class extends Source {
      streaming = true;
      constructor() {
        super();
        window.managed = this;
      }
      want(streaming) {
        this.streaming = streaming;
        this.dispatchEvent(new Event(streaming ? 'startstreaming' : 'endstreaming'));
      }
    };";

/// What is there beyond what is seen; for as long as the source wants nothing, no more comes.
const WAITS: &str = "const { headwater } = window;
    await until(() => `playing, not ${headwater.state}: ${headwater.error?.message} ${headwater.why}`, () => headwater.state === 'playing' && headwater.player.width, 25000);
    const video = headwater.player.element;
    const end = () => video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
    const { disableRemotePlayback } = video;
    managed.want(false);
    await new Promise((done) => setTimeout(done, 500));
    const before = end();
    await until('it has shown all', () => video.currentTime > before - 0.3);
    await new Promise((done) => setTimeout(done, 1500));
    const more = end() - before;
    managed.want(true);
    await until(() => `it goes on: ${video.currentTime}, ${end()}, ${before}`, () => video.currentTime > before + 3, 20000);
    return { way: headwater.way, more, disableRemotePlayback, sessions: headwater.sessions };";

#[test]
fn where_a_browser_has_only_a_managed_source_mse_and_hls_play_by_it_and_feed_it_when_it_wants() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.open("eve", "/healthz")?;
    pages.before("eve", MANAGED)?;
    for way in ["mse", "hls"] {
        pages.open("eve", &format!("/play/clock?by={way}"))?;
        let seen = pages.run("eve", WAITS).context(way)?;
        report(&format!("by a managed source: {seen}"));
        ensure!(seen["way"] == way && seen["disableRemotePlayback"] == true && seen["sessions"] == 1, "{seen}");
        ensure!(seen["more"].as_f64() < Some(0.1), "it was fed all the same: {seen}");
    }
    publisher.kill();
    origin.stop()?;
    Ok(())
}
