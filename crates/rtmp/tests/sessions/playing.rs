use std::time::Duration;

use headwater_media::StreamName;
use headwater_rtmp::{
    RtmpConfig,
    wire::{MessageKind, client::Intent, server::MediaKind},
};

use crate::peer::{LegacyPlayer, Peer, Seen, Server};

fn of(kind: MediaKind, seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|seen| seen.kind == kind && !seen.is_config()).collect()
}

pub(crate) fn assert_never_backwards(seen: &[Seen]) {
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let times: Vec<u32> = seen.iter().filter(|seen| seen.kind == kind).map(|seen| seen.timestamp).collect();
        assert!(times.is_sorted(), "{kind:?}: {times:?}");
    }
}

#[tokio::test]
async fn a_player_gets_the_very_bytes_that_were_published() {
    for config in [
        RtmpConfig { merge_window_ms: 0, chunk_size: 128 },
        RtmpConfig { merge_window_ms: 100, chunk_size: 4_096 },
        RtmpConfig::default(),
    ] {
        let server = Server::with(config);
        let mut publisher = server.publisher("cam").await;
        publisher.configs().await;
        let mut sent = vec![publisher.video(1_000, true, 80, 20_000).await];
        let mut player = server.player("cam?token=x").await;
        for frame in 1..10u32 {
            sent.push(publisher.video(1_000 + frame * 40, false, 40, 5_000).await);
        }
        let seen = player.see(11).await;
        assert!(seen[0].is_config(), "decoders first get their parameters");
        let video = of(MediaKind::Video, &seen);
        let bodies: Vec<_> = video.iter().map(|seen| seen.body.to_vec()).collect();
        assert_eq!(bodies.len(), sent.len().min(bodies.len()));
        assert_eq!(bodies, sent[..bodies.len()]);
        assert_eq!(video[0].timestamp, 0, "a player's time begins at zero");
        assert_eq!(video[1].timestamp, 40);
    }
}

#[tokio::test]
async fn sound_and_picture_come_in_order_of_time() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 1_000).await;
    let mut player = server.player("cam").await;
    for at in 1..20u32 {
        publisher.audio(at * 40 - 20).await;
        publisher.video(at * 40, false, 0, 1_000).await;
    }
    let seen = player.see(30).await;
    assert_never_backwards(&seen);
    assert!(of(MediaKind::Audio, &seen).len() > 10 && of(MediaKind::Video, &seen).len() > 10);
}

#[tokio::test]
async fn a_late_joiner_starts_at_the_newest_group() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    for at in 0..40u32 {
        publisher.video(at * 40, at % 15 == 0, 0, 500).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut player = server.player("cam").await;
    let seen = player.see(1 + 1 + 9).await;
    let video = of(MediaKind::Video, &seen);
    assert!(video[0].is_key());
    assert_eq!(&video[0].body[9..12], &[(1_200u32) as u8, (1_201 ^ 1) as u8 ^ 1, 0xb2][..], "the frame of 1200 ms");
}

#[tokio::test]
async fn timestamps_past_the_extended_field_and_the_wrap_play_on_evenly() {
    for start in [0xff_fff0_u32 - 40, u32::MAX - 60] {
        let server = Server::new();
        let mut publisher = server.publisher("cam").await;
        publisher.configs().await;
        publisher.video(start, true, 0, 9_000).await;
        let mut player = server.player("cam").await;
        for at in 1..10u32 {
            publisher.video(start.wrapping_add(at * 40), false, 0, 9_000).await;
        }
        let seen = player.see(11).await;
        let times: Vec<u32> = of(MediaKind::Video, &seen).iter().map(|seen| seen.timestamp).collect();
        assert_eq!(times, (0..times.len() as u32).map(|at| at * 40).collect::<Vec<_>>());
        assert_eq!(server.count("timeline_breaks"), 0);
    }
}

#[tokio::test]
async fn a_publisher_who_comes_back_resumes_for_the_player_who_stayed() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(5_000, true, 0, 500).await;
    let mut player = server.player("cam").await;
    publisher.video(5_040, false, 0, 500).await;
    let mut seen = player.see(4).await;
    publisher.vanish().await;
    tokio::time::sleep(Duration::from_millis(100)).await;

    let mut again = server.publisher("cam").await;
    assert_eq!(again.refused, None);
    again.configs().await;
    again.video(0, true, 0, 700).await;
    again.video(40, false, 0, 700).await;
    let resumed = player.see(2).await;
    let first = resumed.iter().find(|seen| seen.kind == MediaKind::Video && !seen.is_config()).unwrap();
    assert!(first.is_key() && first.body.len() == 709);
    assert!(first.timestamp >= 100, "the pause counts: {}", first.timestamp);
    seen.extend(resumed);
    assert_never_backwards(&seen);
    assert!(!player.ended);
}

#[tokio::test(start_paused = true)]
async fn a_player_is_told_when_the_publisher_does_not_come_back() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    let mut player = server.player("cam").await;
    publisher.vanish().await;
    player.see(100).await;
    assert!(player.ended);
    assert!(player.session.await.unwrap().is_ok());
    assert!(server.context.hub().find(&StreamName::new("cam").unwrap()).is_none());
}

#[tokio::test]
async fn a_change_of_the_picture_reaches_the_player_as_a_new_sequence_header() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    let mut player = server.player("cam").await;
    player.see(3).await;
    let av1: &[u8] = &[0x81, 0x00, 0x0c, 0x00];
    publisher.send(MessageKind::Video, 40, &[b"\x90av01", av1].concat()).await;
    publisher.send(MessageKind::Video, 40, b"\x91av01\x32\x01\x00").await;
    let seen = player.see(2).await;
    assert_eq!(seen[0].body, [b"\x90av01", av1].concat());
    assert_eq!(seen[1].body, b"\x91av01\x32\x01\x00"[..]);
}

#[tokio::test]
async fn a_second_publisher_is_refused_in_words_and_the_first_goes_on() {
    let server = Server::new();
    let mut first = server.publisher("cam").await;
    first.configs().await;
    first.video(0, true, 0, 500).await;
    let second = server.publisher("cam").await;
    let words = second.refused.unwrap();
    assert!(words.contains("NetStream.Publish.BadName") && words.contains("published already"), "{words}");
    let mut player = server.player("cam").await;
    first.video(40, false, 0, 600).await;
    assert_eq!(player.see(4).await.last().unwrap().body.len(), 609);
}

#[tokio::test]
async fn other_applications_are_part_of_the_name() {
    let server = Server::new();
    let publisher = Peer::start(&server, Intent::Publish, "studio/one", "cam", 1 << 16).await;
    assert_eq!(publisher.refused, None);
    assert!(server.context.hub().find(&StreamName::new("studio/one/cam").unwrap()).is_some());
}

#[tokio::test]
async fn a_player_of_nothing_is_told_so() {
    let server = Server::new();
    let player = server.player("nobody").await;
    let words = player.refused.unwrap();
    assert!(words.contains("NetStream.Play.StreamNotFound") && words.contains("no live stream nobody"), "{words}");
}

#[tokio::test]
async fn a_slow_player_harms_nobody_and_goes_on_at_a_key_frame() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 20_000).await;
    let mut slow = Peer::start(&server, Intent::Play, "live", "cam", 32 << 10).await;
    let mut fast = server.player("cam").await;
    let fast = tokio::spawn(async move { fast.see(302).await });
    for at in 1..300u32 {
        publisher.video(at * 40, at % 25 == 0, 0, 20_000).await;
        if at % 5 == 0 {
            slow.deaf_for(Duration::from_millis(1)).await;
        }
    }
    let seen = fast.await.unwrap();
    assert_eq!(of(MediaKind::Video, &seen).len(), 300, "the fast player misses nothing");

    let late = slow.see(30).await;
    let video = of(MediaKind::Video, &late);
    assert_never_backwards(&late);
    let gap = video.windows(2).position(|pair| pair[1].timestamp - pair[0].timestamp > 40).expect("frames skipped");
    assert!(video[gap + 1].is_key(), "what follows a gap can be decoded");
    assert!(server.count("frames_skipped") > 0);
}

#[tokio::test]
async fn after_all_have_left_nothing_stays() {
    let server = Server::new();
    for round in 0..3u32 {
        let key = format!("cam{round}");
        let mut publisher = server.publisher(&key).await;
        publisher.configs().await;
        publisher.video(0, true, 0, 500).await;
        let player = server.player(&key).await;
        assert_eq!((server.count("publishers"), server.count("viewers")), (1, 1));
        player.vanish().await;
        publisher.vanish().await;
    }
    for name in ["connections", "publishers", "viewers"] {
        assert_eq!(server.count(name), 0, "{name}");
    }
}

#[tokio::test]
async fn a_stream_ended_by_order_ends_its_publisher() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    let player = server.player("cam").await;
    server.context.hub().find(&StreamName::new("cam").unwrap()).unwrap().terminate("the operator said so");
    while let Some(event) = publisher.event().await {
        if let headwater_rtmp::wire::client::Event::Refused { reason, .. } = event {
            publisher.refused = Some(reason.to_string());
        }
    }
    assert_eq!(publisher.refused.as_deref(), Some("the operator said so"));
    drop(player);
    publisher.vanish().await;
    assert!(server.context.hub().streams().is_empty());
}

#[tokio::test]
async fn stopping_the_server_ends_its_sessions() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    let mut player = server.player("cam").await;
    let (idle, waiting) = server.open(1_000);
    server.stop.cancel();
    player.see(100).await;
    assert!(player.ended);
    drop(idle);
    let _ = waiting.await.unwrap();
    publisher.vanish().await;
    assert_eq!(server.count("connections"), 1, "only the player's, who still reads");
    player.vanish().await;
    assert_eq!(server.count("connections"), 0);
}

#[tokio::test]
async fn sound_that_a_player_cannot_take_is_kept_from_it_and_the_picture_goes_on() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    let (io, _session) = server.open(1 << 20);
    let mut player = LegacyPlayer::start(io).await;
    publisher.send(MessageKind::Audio, 20, b"\x90OpusOpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00").await;
    publisher.send(MessageKind::Audio, 20, b"\x91Opus\xfc\xff\xfe").await;
    publisher.video(40, false, 0, 600).await;
    let bodies = player.until(|body| body.len() == 609).await;
    assert!(!bodies.iter().any(|body| body[0] >> 4 == 9 && body[1..].starts_with(b"Opus")), "it does not know FourCC");
}
