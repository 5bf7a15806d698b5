//! Players over real sockets, who are written to together: each sees what it would see alone.

use std::{net::SocketAddr, time::Duration};

use headwater_flv::amf::Value;
use headwater_rtmp::{
    RtmpConfig,
    wire::{MessageKind, command::Command, server::MediaKind},
};

use crate::{
    peer::{Peer, Seen, Server},
    playing::assert_never_backwards,
};

/// A frame of a few kilobytes, whose number can be read back from its time.
const SIZE: usize = 3_000;
/// Milliseconds between two frames: few, so that a busy machine makes no player late by media time.
const STEP: u32 = 4;
/// What a socket that shall be full soon buffers.
const SMALL: u32 = 4_096;

/// A picture like no other.
const LAST: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 9];

async fn live(config: RtmpConfig) -> (Server, SocketAddr, Peer) {
    let server = Server::with(config);
    let address = server.listen();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    send(&mut publisher, 0, 1).await;
    (server, address, publisher)
}

/// Sends frames `from..to` and their sound, with a group of 25.
async fn send(publisher: &mut Peer, from: u32, to: u32) {
    for at in from..to {
        publisher.send(MessageKind::Video, at * STEP, &body(at)).await;
        publisher.audio(at * STEP + 1).await;
        if at % 4 == 0 {
            // As an encoder would: not all at once.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn frames(seen: &[Seen], kind: MediaKind) -> Vec<&Seen> {
    seen.iter().filter(|seen| seen.kind == kind && !seen.is_config()).collect()
}

/// Reads until the player has seen the picture of that time, by its own clock.
async fn see_until(player: &mut Peer, found: impl Fn(&Seen) -> bool) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        let next = player.see(1).await;
        assert_eq!(next.len(), 1, "nothing more comes after {} messages", seen.len());
        let is_found = found(&next[0]);
        seen.extend(next);
        if is_found {
            return seen;
        }
    }
}

/// The picture of frame `at`: its body says its time.
fn is_frame(seen: &Seen, at: u32) -> bool {
    seen.kind == MediaKind::Video && !seen.is_config() && body(at) == seen.body
}

fn body(at: u32) -> Vec<u8> {
    let mut body = vec![if at.is_multiple_of(25) { 0x17 } else { 0x27 }, 1, 0, 0, 40];
    body.extend((SIZE as u32).to_be_bytes());
    body.extend(at.to_be_bytes().iter().cycle().take(SIZE));
    body
}

fn assert_gapless(seen: &[Seen], from: u32, to: u32) {
    let video = frames(seen, MediaKind::Video);
    assert_eq!(video.len() as u32, to - from);
    for (seen, at) in video.iter().zip(from..to) {
        assert_eq!(seen.body, body(at), "frame {at}");
    }
    let steps: Vec<u32> = video.windows(2).map(|pair| pair[1].timestamp - pair[0].timestamp).collect();
    assert!(steps.iter().all(|step| *step == STEP), "{steps:?}");
    assert_never_backwards(seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_who_came_at_different_times_all_see_every_frame_by_their_own_clock() {
    for (merge_window_ms, chunk_size) in [(0, 128), (0, 65_536), (20, 4_096)] {
        let (server, address, mut publisher) = live(RtmpConfig { merge_window_ms, chunk_size }).await;
        let mut players = Vec::new();
        for round in 0..8u32 {
            let mut player = server.tcp_player(address, "cam", None).await;
            players.push(tokio::spawn(async move { see_until(&mut player, |seen| is_frame(seen, 160)).await }));
            send(&mut publisher, round * 20 + 1, round * 20 + 21).await;
        }
        send(&mut publisher, 161, 162).await;
        for player in players {
            let seen = player.await.unwrap();
            let video = frames(&seen, MediaKind::Video);
            assert_eq!(video[0].timestamp, 0, "a player's time begins at zero");
            assert!(video[0].is_key());
            let first = (0..).step_by(25).find(|at| video[0].body == body(*at)).unwrap();
            assert_gapless(&seen, first, 161);
            let sound = frames(&seen, MediaKind::Audio);
            assert!(sound.windows(2).all(|pair| pair[1].timestamp - pair[0].timestamp == STEP));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_who_does_not_read_harms_none_beside_it_and_goes_on_with_what_can_be_decoded() {
    let (server, address, mut publisher) = live(RtmpConfig::default()).await;
    let mut slow = server.tcp_player(address, "cam", Some(SMALL)).await;
    let mut fast = Vec::new();
    for _ in 0..3 {
        let mut player = server.tcp_player(address, "cam", None).await;
        fast.push(tokio::spawn(async move {
            let mut seen = see_until(&mut player, |seen| seen.body == LAST).await;
            seen.pop();
            seen
        }));
    }
    server.until("together", 4).await;
    let mut at = 1;
    while server.count("together") > 3 {
        send(&mut publisher, at, at + 20).await;
        at += 20;
        assert!(at < 20_000, "its socket is never full");
    }
    send(&mut publisher, at, at + 1_000).await;
    publisher.send(MessageKind::Video, (at + 1_000) * STEP, LAST).await;
    for player in fast {
        assert_gapless(&player.await.unwrap(), 0, at + 1_000);
    }
    let end = at + 1_020;
    let reading = tokio::spawn(async move {
        let seen = see_until(&mut slow, |seen| is_frame(seen, end)).await;
        (slow, seen)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    send(&mut publisher, at + 1_001, at + 1_050).await;
    let (_slow, seen) = reading.await.unwrap();
    assert_never_backwards(&seen);
    let video = frames(&seen, MediaKind::Video);
    assert!(server.count("frames_skipped") > 0);
    for pair in video.windows(2) {
        assert!(pair[1].timestamp - pair[0].timestamp == STEP || pair[1].is_key(), "what follows a gap can be decoded");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_takes_one_player_out_and_leaves_the_others() {
    let (server, address, mut publisher) = live(RtmpConfig::default()).await;
    let mut one = server.tcp_player(address, "cam", None).await;
    let mut other = server.tcp_player(address, "cam", None).await;
    send(&mut publisher, 1, 30).await;
    see_until(&mut one, |seen| is_frame(seen, 29)).await;
    one.command(&Command::new("pause", 0.0).with(true).with(0.0)).await;
    let mut at = 30;
    loop {
        send(&mut publisher, at, at + 1).await;
        at += 1;
        if one.is_quiet(Duration::from_millis(300)).await {
            break;
        }
    }
    assert!(at < 60, "it is never paused");
    one.command(&Command::new("pause", 0.0).with(false).with(0.0)).await;
    send(&mut publisher, at, 90).await;
    let seen = see_until(&mut one, |seen| is_frame(seen, 89)).await;
    let video = frames(&seen, MediaKind::Video);
    assert!(video[0].is_key());
    assert_gapless(&seen, if video[0].body == body(50) { 50 } else { 75 }, 90);
    let seen = see_until(&mut other, |seen| is_frame(seen, 89)).await;
    assert_gapless(&seen, 0, 90);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_are_answered_between_two_messages() {
    let (server, address, mut publisher) = live(RtmpConfig::default()).await;
    let mut player = server.tcp_player(address, "cam", None).await;
    let playing = tokio::spawn(async move {
        let mut seen = Vec::new();
        for number in 0..50u32 {
            player.send(MessageKind::UserControl, 0, &[&[0, 6][..], &number.to_be_bytes()].concat()).await;
            seen.extend(player.see(4).await);
        }
        seen.extend(see_until(&mut player, |seen| is_frame(seen, 200)).await);
        seen
    });
    send(&mut publisher, 1, 201).await;
    assert_gapless(&playing.await.unwrap(), 0, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_codec_and_a_publisher_who_comes_back_reach_all() {
    let (server, address, mut publisher) = live(RtmpConfig::default()).await;
    let mut players = Vec::new();
    for _ in 0..4 {
        players.push(server.tcp_player(address, "cam", None).await);
    }
    send(&mut publisher, 1, 10).await;
    let av1: &[u8] = &[0x81, 0x00, 0x0c, 0x00];
    publisher.send(MessageKind::Video, 10 * STEP, &[b"\x90av01", av1].concat()).await;
    publisher.send(MessageKind::Video, 10 * STEP, b"\x91av01\x32\x01\x00").await;
    publisher.send(MessageKind::Video, 11 * STEP, b"\xa1av01\x32\x01\x01").await;
    for player in &mut players {
        let seen = see_until(player, |seen| seen.body == b"\xa1av01\x32\x01\x01"[..]).await;
        assert_never_backwards(&seen);
        let pictures: Vec<&Seen> = seen.iter().filter(|seen| seen.kind == MediaKind::Video).collect();
        let header = pictures.iter().position(|seen| seen.body == [b"\x90av01", av1].concat()).unwrap();
        assert_eq!(pictures[header + 1].body, b"\x91av01\x32\x01\x00"[..]);
        let before: Vec<Seen> = pictures[..header].iter().map(|seen| (*seen).clone()).collect();
        assert_gapless(&before, 0, 10);
    }
    publisher.vanish().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut again = server.publisher("cam").await;
    again.configs().await;
    send(&mut again, 0, 20).await;
    for player in &mut players {
        let seen = see_until(player, |seen| is_frame(seen, 19)).await;
        assert_never_backwards(&seen);
        assert!(frames(&seen, MediaKind::Video)[0].is_key());
        assert_gapless(&seen, 0, 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_players_have_left_or_were_told_of_the_end_nothing_stays() {
    let (server, address, mut publisher) = live(RtmpConfig::default()).await;
    let mut players = Vec::new();
    for _ in 0..6 {
        players.push(server.tcp_player(address, "cam", None).await);
    }
    send(&mut publisher, 1, 30).await;
    for player in &mut players {
        see_until(player, |seen| is_frame(seen, 29)).await;
    }
    server.until("together", 6).await;
    let mut stays = players.split_off(3);
    drop(players);
    server.until("viewers", 3).await;
    send(&mut publisher, 30, 40).await;
    stays[0].command(&Command::new("closeStream", 0.0).with(Value::Null)).await;
    server.until("viewers", 2).await;
    let stream = server.context.hub().streams().pop().unwrap();
    let bytes: Vec<u64> = stream.viewers().iter().map(|viewer| viewer.bytes_sent()).collect();
    assert_eq!(bytes.len(), 2);
    stream.terminate("the operator said so");
    drop(stream);
    for player in &mut stays[1..] {
        let seen = player.see(1_000).await;
        assert!(player.ended, "the end is told");
        assert_gapless(&seen, 30, 40);
    }
    drop(stays);
    for name in ["together", "viewers", "connections", "publishers"] {
        server.until(name, 0).await;
    }
    assert!(server.count("frames_sent") >= 6 * 30 * 2, "what is sent together is counted for each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_players_who_read_and_stop_at_random_see_nothing_that_is_torn() {
    let (server, address, mut publisher) = live(RtmpConfig::default()).await;
    let mut players = Vec::new();
    for number in 0..12u64 {
        let mut player = server.tcp_player(address, "cam", Some(SMALL << (number % 3))).await;
        players.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut at = number;
            loop {
                let next = player.see(1).await;
                let end = next.iter().any(|seen| is_frame(seen, 1_500));
                assert!(!next.is_empty());
                seen.extend(next);
                at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if at >> 32 & 0x7f == 0 {
                    tokio::time::sleep(Duration::from_millis(at >> 40 & 0x3f)).await;
                }
                if end {
                    return seen;
                }
            }
        }));
    }
    send(&mut publisher, 1, 1_502).await;
    for player in players {
        let seen = player.await.unwrap();
        assert_never_backwards(&seen);
        let video = frames(&seen, MediaKind::Video);
        for pair in video.windows(2) {
            assert!(pair[1].timestamp - pair[0].timestamp == STEP || pair[1].is_key());
            let at = pair[1].body.len();
            assert_eq!(at, SIZE + 9, "whole frames");
        }
    }
}
