//! Who may watch, and what players may ask for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::{http, players, shared_turn};

use super::{PATIENCE, beside, fetch, media_playlist};

fn published(origin: &Origin, address: &str) -> Result<Program> {
    let publisher = Source::default().publish(address)?;
    origin.wait_published("clock")?;
    Ok(publisher)
}

/// The key goes with every address, so that a player and a cache before the server can show it again.
#[test]
fn a_key_in_the_address_lets_a_player_in_and_is_carried_into_every_address() -> Result<()> {
    let _turn = shared_turn();
    let keys = r#"["publish:**:in-key-4711", "play:**:out-key-4711"]"#;
    let origin = Origin::configured(&[("ACCESS__STREAM_KEYS", keys), ("ACCESS__PLAY", "authenticated")])?;
    let publisher = Source::default().publish(&origin.rtmp("clock?token=in-key-4711"))?;
    until("the encoder publishes", PATIENCE, || origin.log().contains("an RTMP publisher begins"))?;
    for query in ["", "?token=in-key-4711", "?token=wrong"] {
        let answer = http::get(&origin.http(), &format!("/clock/index.m3u8{query}"))?;
        ensure!(matches!(answer.status, 401 | 403), "{query}: {answer:?}");
        let direct = http::get(&origin.http(), &format!("/clock/_main.m3u8{query}"))?;
        ensure!(direct.status == answer.status, "past the way in, {query}: {direct:?}");
    }
    let list = media_playlist(&origin, "/clock/index.m3u8?token=out-key-4711&tracking=a%20b")?;
    let text = fetch(&origin, &list)?.body;
    let carried = "?token=out-key-4711&tracking=a+b";
    let addresses = text.lines().filter(|line| line.contains("_main-"));
    for address in addresses.clone() {
        ensure!(address.contains(carried), "{address}");
    }
    ensure!(addresses.count() > 10, "{text}");
    players::probe(&origin.page("/clock/index.m3u8?token=out-key-4711"))?;
    ensure!(!origin.log().contains("out-key-4711"), "the key is in the log");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

#[test]
fn what_lies_far_ahead_is_refused_and_what_comes_next_is_held_until_it_is_there() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let publisher = published(&origin, &origin.rtmp("clock"))?;
    let list = media_playlist(&origin, "/clock/index.m3u8")?;
    let text = fetch(&origin, &list)?.body;
    let (sequence, _) = next_part(&text)?;
    for far in [format!("_HLS_msn={}", sequence + 3), "_HLS_msn=99999999999".to_owned(), "_HLS_part=1".to_owned()] {
        let answer = http::get(&origin.http(), &format!("{list}&{far}"))?;
        ensure!(answer.status == 400, "{far}: {answer:?}");
    }
    for _ in 0..5 {
        let text = fetch(&origin, &list)?.body;
        let (sequence, part) = next_part(&text)?;
        let asked = Instant::now();
        let answer = fetch(&origin, &format!("{list}&_HLS_msn={sequence}&_HLS_part={part}"))?;
        let (now, part_now) = next_part(&answer.body)?;
        ensure!((now, part_now) > (sequence, part), "{sequence}.{part} is not in what is given: {now}.{part_now}");
        ensure!(asked.elapsed() < Duration::from_millis(600), "held for {:?}", asked.elapsed());
        ensure!(answer.header("cache-control") == Some("max-age=12"), "{}", answer.head);
    }
    // The part that is announced is held as well, and comes whole.
    let text = fetch(&origin, &list)?.body;
    let hint = text.lines().find_map(|line| line.strip_prefix("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\""));
    let hint = beside(&list, hint.context("no hint")?.trim_end_matches('"'));
    let part = fetch(&origin, &hint)?;
    ensure!(part.body.contains("moof") && part.header("content-type") == Some("video/mp4"), "{}", part.head);
    ensure!(part.header("cache-control").is_some_and(|value| value.contains("immutable")), "{}", part.head);
    // Nobody guesses the address of another part.
    let (front, key) = hint.trim_end_matches(".m4s").split_at(hint.len() - ".m4s".len() - 16);
    let other = key.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect::<String>();
    let guessed = format!("{front}{other}.m4s");
    ensure!(fetch(&origin, &hint).is_ok() && http::get(&origin.http(), &guessed)?.status == 404, "{guessed}");
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// The place of the part that a playlist announces.
fn next_part(playlist: &str) -> Result<(u64, u64)> {
    let hint = playlist.lines().find(|line| line.starts_with("#EXT-X-PRELOAD-HINT")).context("no hint")?;
    let numbers = hint.split('-').rev().nth(1).context("no number")?;
    let (sequence, part) = numbers.split_once('.').with_context(|| hint.to_owned())?;
    Ok((sequence.parse()?, part.parse()?))
}

#[test]
fn playlists_are_compressed_pages_of_other_sites_may_read_and_ranges_are_cut() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let publisher = published(&origin, &origin.rtmp("clock"))?;
    let list = media_playlist(&origin, "/clock/index.m3u8")?;
    let plain = fetch(&origin, &list)?;
    ensure!(plain.header("access-control-allow-origin") == Some("*"), "{}", plain.head);
    let packed = http::exchange(&origin.http(), "GET", &list, &["Accept-Encoding: gzip"], "")?;
    ensure!(packed.header("content-encoding") == Some("gzip"), "{}", packed.head);
    let bytes = |answer: &http::Answer| answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    ensure!(bytes(&packed) < bytes(&plain).map(|plain| plain / 2), "{} {}", packed.head, plain.head);
    let segment = plain.body.lines().find(|line| !line.starts_with('#')).context("no segment")?;
    let segment = beside(&list, segment);
    let ranged = http::exchange(&origin.http(), "GET", &segment, &["Range: bytes=4-7"], "")?;
    ensure!(ranged.status == 206 && ranged.body == "moof", "{ranged:?}");
    let beyond = http::exchange(&origin.http(), "GET", &segment, &["Range: bytes=99999999-"], "")?;
    ensure!(beyond.status == 416, "{beyond:?}");
    let head = http::exchange(&origin.http(), "HEAD", &segment, &[], "")?;
    ensure!(head.status == 200 && head.body.is_empty() && bytes(&head) > Some(1_000), "{head:?}");
    ensure!(http::get(&origin.http(), "/nobody/index.m3u8")?.status == 404);
    publisher.kill();
    origin.stop()?;
    Ok(())
}
