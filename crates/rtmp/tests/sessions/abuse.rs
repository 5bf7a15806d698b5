//! Attack rows that need a whole session.

use std::time::Duration;

use headwater_media::limits;
use headwater_rtmp::{Fault, wire::MessageKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peer::Server;

#[tokio::test(start_paused = true)]
async fn attack_r3_a_handshake_dripped_byte_by_byte_is_cut_off_in_time() {
    let server = Server::new();
    let (mut io, session) = server.open(4_096);
    let begun = tokio::time::Instant::now();
    let drip = tokio::spawn(async move {
        for _ in 0..1_000 {
            if io.write_all(&[3]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let error = session.await.unwrap().unwrap_err();
    assert_eq!(error.fault(), Fault::Network);
    assert!(error.to_string().contains("handshake"), "{error}");
    assert!(limits::RTMP_HANDSHAKE_MS.hits() > 0);
    let time = begun.elapsed();
    assert!(time < limits::RTMP_HANDSHAKE_MS.get_duration() + Duration::from_secs(2), "{time:?}");
    drip.abort();
}

#[tokio::test(start_paused = true)]
async fn attack_r3_a_client_that_never_connects_or_never_starts_is_cut_off() {
    let server = Server::new();
    let (mut io, session) = server.open(1 << 16);
    io.write_all(&[&[3][..], &[0; 2 * 1_536]].concat()).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = io.read_to_end(&mut all).await;
    });
    let error = session.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("did not send connect"), "{error}");
    assert!(limits::RTMP_CONNECT_MS.hits() > 0);
    reading.await.unwrap();
}

#[tokio::test]
async fn attack_r3_connections_in_the_handshake_are_bounded_and_those_who_finish_make_room() {
    let server = Server::new();
    let address = server.listen();
    let usual = limits::RTMP_ARRIVING.get();
    limits::RTMP_ARRIVING.set(3);
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    let mut player = server.tcp_player(address, "cam", None).await;
    server.until("arriving", 0).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    server.until("arriving", 3).await;
    let mut refused = tokio::net::TcpStream::connect(address).await.unwrap();
    assert!(matches!(refused.read(&mut [0; 1]).await, Ok(0) | Err(_)), "one too many is closed at once");
    assert_eq!((server.count("arriving"), server.count("errors_limit")), (3, 1));
    assert!(limits::RTMP_ARRIVING.hits() > 0);
    assert_eq!(player.see(2).await.len(), 2, "who plays goes on");
    drop(idle.pop());
    server.until("arriving", 2).await;
    let mut another = server.tcp_player(address, "cam", None).await;
    assert_eq!(another.see(2).await.len(), 2);
    limits::RTMP_ARRIVING.set(usual);
}

#[tokio::test]
async fn a_viewer_too_many_bytes_behind_is_counted_as_that() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 1_000).await;
    let play = headwater_rtmp::wire::client::Intent::Play;
    let mut slow = crate::peer::Peer::start(&server, play, "live", "cam", 32 << 10).await;
    slow.see(3).await;
    let before = limits::VIEWER_LAG_BYTES.hits();
    for at in 1..12u32 {
        publisher.video(at * 40, at == 11, 0, 1 << 20).await;
    }
    server.until_received(11 << 20).await;
    let seen = slow.see(2).await;
    assert_eq!(seen.last().map(|seen| seen.timestamp), Some(440));
    assert!(limits::VIEWER_LAG_BYTES.hits() > before);
}

#[tokio::test(start_paused = true)]
async fn a_silent_publisher_is_closed_although_it_pings() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 100).await;
    let begun = tokio::time::Instant::now();
    for _ in 0..30 {
        if publisher.session.is_finished() {
            break;
        }
        publisher.send(MessageKind::Acknowledgement, 0, &[0, 0, 0, 1]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let error = publisher.session.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("no media"), "{error}");
    assert!(begun.elapsed() < limits::RTMP_SILENCE_MS.get_duration() + Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn attack_r6_a_player_that_takes_nothing_holds_no_memory_and_is_closed() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 50_000).await;
    let player =
        crate::peer::Peer::start(&server, headwater_rtmp::wire::client::Intent::Play, "live", "cam", 4_096).await;
    for at in 1..400u32 {
        publisher.video(at * 40, at % 25 == 0, 0, 1_000).await;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(server.count("bytes_sent") < 20_000, "nothing is queued for it");
    let error = player.session.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("takes nothing"), "{error}");
    assert!(limits::RTMP_WRITE_MS.hits() > 0);
}

#[tokio::test]
async fn attack_r8_hostile_names_are_refused_in_words() {
    let server = Server::new();
    let long = "x".repeat(10_000);
    for key in ["../../etc/passwd", "a b", "<script>alert(1)</script>", "a/b/c/d/e", long.as_str()] {
        let words = server.publisher(key).await.refused.unwrap();
        assert!(words.contains("NetStream.Publish.BadName") && words.contains("stream name"), "{words}");
        assert!(server.player(key).await.refused.is_some());
    }
    assert!(server.context.hub().streams().is_empty());
}

#[tokio::test]
async fn attack_r7_malformed_media_is_counted_and_the_stream_goes_on() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    let mut player = server.player("cam").await;
    let bad: &[&[u8]] = &[
        &[0x17],
        &[0x17, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1],
        &[0x17, 0, 0, 0, 0, 9, 9, 9],
        &[0x12, 1, 2, 3],
        b"\x97\x00",
        b"\x96\x31av01",
        b"\x91vvc1xxxx",
    ];
    for body in bad {
        publisher.send(MessageKind::Video, 20, body).await;
        publisher.send(MessageKind::Audio, 20, &[&[0x90][..], body].concat()).await;
    }
    publisher.send(MessageKind::Data0, 20, &[8, 1, 2, 3]).await;
    publisher.video(40, false, 0, 600).await;
    assert_eq!(player.see(4).await.last().unwrap().body.len(), 609);
    assert!(server.count("media_malformed") >= bad.len() as u64);
}

#[tokio::test]
async fn a_broken_session_ends_alone() {
    let server = Server::new();
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    let (mut io, session) = server.open(1 << 16);
    io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    drop(io);
    let error = session.await.unwrap().unwrap_err();
    assert_eq!((error.fault(), server.count("errors_peer")), (Fault::Peer, 1));
    assert!(error.to_string().starts_with("not RTMP"), "{error}");
    let mut player = server.player("cam").await;
    assert_eq!(player.see(2).await.len(), 2);
}
