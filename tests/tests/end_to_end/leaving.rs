//! When everybody has left, nothing stays behind.

use std::time::Duration;

use anyhow::Result;
use headwater_tests::browser::Browser;
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, report, shared_turn};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn after_all_have_left_sessions_tasks_and_descriptors_are_at_their_baseline() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "500")])?;
    let source = Source { sample_rate: 44_100, ..Source::default() };
    visit(&origin, &source)?;
    origin.wait_empty()?;
    std::thread::sleep(Duration::from_secs(2));
    let before = origin.held()?;
    for _ in 0..2 {
        visit(&origin, &source)?;
    }
    origin.wait_empty()?;
    origin.wait_baseline(&before)?;
    report(&format!("held before and after: {before:?}; {} MiB resident", origin.memory()? >> 20));
    origin.stop()?;
    Ok(())
}

/// A publisher comes, viewers of every kind watch, some leave politely and some vanish, the publisher is killed.
fn visit(origin: &Origin, source: &Source) -> Result<()> {
    let publisher = source.publish(&origin.rtmp("visit"))?;
    origin.wait_published("visit")?;
    let rtmp = Recorder::rtmpdump(&origin.rtmp("visit"))?;
    let http = Recorder::curl(&origin.flv("visit"))?;
    let mut polite = Browser::play(&origin.whep("visit"))?;
    polite.wait_frames(30, PATIENCE)?;
    rtmp.wait_pictures(30, PATIENCE)?;
    http.wait_pictures(30, PATIENCE)?;
    rtmp.finish()?;
    http.finish()?;
    polite.finish()?;
    publisher.kill();
    Ok(())
}

#[test]
fn an_idle_server_is_small() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    std::thread::sleep(Duration::from_secs(1));
    let memory = origin.memory()?;
    report(&format!("idle server: {:.1} MiB resident", memory as f64 / f64::from(1 << 20)));
    anyhow::ensure!(memory < 60 << 20, "an idle server holds {memory} bytes");
    origin.stop()?;
    Ok(())
}
