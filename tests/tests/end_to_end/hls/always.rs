//! Streams that are packaged before anybody asks.

use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::shared_turn;
use headwater_tests::source::Source;

use super::{PATIENCE, fetch, media_playlist};

#[test]
fn a_stream_is_packaged_from_its_beginning_where_that_is_configured() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::configured(&[("HLS__ALWAYS", "true")])?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let bytes = || origin.metric("headwater_hls_window_bytes").ok().flatten().unwrap_or_default();
    until("segments are made that nobody has asked for", PATIENCE, || bytes() > 0.0)?;
    until("a segment is whole", Duration::from_secs(8), || {
        let playlist = media_playlist(&origin, "/clock/index.m3u8").and_then(|path| fetch(&origin, &path));
        playlist.is_ok_and(|playlist| playlist.body.contains("#EXTINF:"))
    })?;
    ensure!(origin.metric("headwater_hls_streams")? == Some(1.0), "it is packaged once");
    publisher.kill();
    origin.stop()?;
    Ok(())
}
