//! When segments are made, how a stream and a viewer are ended, and that nothing of it stays behind.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::source::Source;
use headwater_tests::{http, shared_turn};

use super::{PATIENCE, fetch, media_playlist};

const INDEX: &str = "/clock/index.m3u8";

fn figure(origin: &Origin, name: &str) -> f64 {
    origin.metric(&format!("headwater_hls_{name}")).ok().flatten().unwrap_or(f64::NAN)
}

/// With short times, so that the test need not wait for long.
fn origin(always: &str) -> Result<Origin> {
    Origin::configured(&[
        ("HLS__ALWAYS", always),
        ("LIMITS__HLS_IDLE_MS", "4000"),
        ("LIMITS__HLS_VIEWER_SILENCE_MS", "4000"),
        ("STREAMS__GRACE_MS", "300"),
    ])
}

#[test]
fn segments_are_made_from_the_first_request_until_some_time_after_the_last_or_always() -> Result<()> {
    let _turn = shared_turn();
    for always in ["false", "true"] {
        let origin = origin(always)?;
        let publisher = Source::default().publish(&origin.rtmp("clock"))?;
        origin.wait_published("clock")?;
        if always == "true" {
            until("segments are there before anybody asks", PATIENCE, || {
                figure(&origin, "window_bytes") > 100_000.0 && figure(&origin, "viewers") == 0.0
            })?;
        } else {
            ensure!(figure(&origin, "streams") == 0.0, "segments are made for nobody");
        }
        let list = media_playlist(&origin, INDEX)?;
        let before = fetch(&origin, &list)?.body;
        ensure!(figure(&origin, "streams") == 1.0 && figure(&origin, "viewers") == 1.0);
        // A viewer is who reads playlists, not who fetches media.
        ensure!(before.lines().filter(|line| line.ends_with(".m4s")).count() > 0, "{before}");
        until("the viewer has left", PATIENCE, || figure(&origin, "viewers") == 0.0)?;
        if always == "false" {
            until("no more segments are made", PATIENCE, || figure(&origin, "streams") == 0.0)?;
            ensure!(figure(&origin, "window_bytes") == 0.0, "segments stay in memory");
        } else {
            ensure!(figure(&origin, "streams") == 1.0, "segments are made no more");
        }
        publisher.kill();
        origin.wait_gone("clock")?;
        until("nothing stays of a stream that has ended", PATIENCE, || {
            figure(&origin, "streams") == 0.0 && figure(&origin, "window_bytes") == 0.0
        })?;
        origin.stop()?;
    }
    Ok(())
}

#[test]
fn held_requests_are_bounded_for_a_viewer_and_let_go_when_players_hang_up() -> Result<()> {
    let _turn = shared_turn();
    let origin = origin("false")?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let list = media_playlist(&origin, INDEX)?;
    let text = fetch(&origin, &list)?.body;
    let hint = text.lines().find(|line| line.starts_with("#EXT-X-PRELOAD-HINT")).context("nothing is announced")?;
    let number: u64 =
        hint.split('-').rev().nth(1).and_then(|part| part.split('.').next()?.parse().ok()).context("no number")?;
    // The segment after the one that is being made: two seconds away and more, as the source rests.
    publisher.signal("STOP")?;
    let ask = || -> Result<TcpStream> {
        let mut stream = TcpStream::connect(origin.http())?;
        write!(stream, "GET {list}&_HLS_msn={} HTTP/1.0\r\nHost: {}\r\n\r\n", number + 1, origin.http())?;
        Ok(stream)
    };
    let mut held = (0..8).map(|_| ask()).collect::<Result<Vec<_>>>()?;
    until("eight requests are held", PATIENCE, || figure(&origin, "held") == 8.0)?;
    let ninth = http::get(&origin.http(), &format!("{list}&_HLS_msn={}", number + 1))?;
    ensure!(ninth.status == 429 && ninth.header("retry-after").is_some(), "{ninth:?}");
    // The other viewers of the same address are served.
    ensure!(fetch(&origin, &media_playlist(&origin, INDEX)?)?.body.contains("#EXTINF"));
    for stream in held.drain(..) {
        stream.shutdown(Shutdown::Both)?;
    }
    until("none is held any more", Duration::from_secs(3), || figure(&origin, "held") == 0.0)?;
    publisher.signal("CONT")?;
    ensure!(fetch(&origin, &format!("{list}&_HLS_msn={number}"))?.body.contains(&format!("-{number}-")));
    publisher.kill();
    until("nobody stays", PATIENCE, || figure(&origin, "viewers") == 0.0)?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_stream_that_is_terminated_ends_its_playlists() -> Result<()> {
    let _turn = shared_turn();
    let origin = origin("false")?;
    let publisher = Source::default().publish(&origin.rtmp("clock"))?;
    origin.wait_published("clock")?;
    let list = media_playlist(&origin, INDEX)?;
    ensure!(!fetch(&origin, &list)?.body.contains("#EXT-X-ENDLIST"));
    let ended = http::post_json(&origin.http(), "/rest-api/stream/terminate", r#"{"name":"clock"}"#)?;
    ensure!(ended.status == 200, "{ended:?}");
    let mut last = None;
    until("its playlist says so, or is gone", PATIENCE, || {
        last = http::get(&origin.http(), &list).ok();
        last.as_ref().is_some_and(|last| last.status == 404 || last.body.contains("#EXT-X-ENDLIST"))
    })?;
    until("nobody finds it any more", PATIENCE, || {
        http::get(&origin.http(), INDEX).is_ok_and(|answer| answer.status == 404)
    })
    .with_context(|| format!("the playlist was {last:?}"))?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}
