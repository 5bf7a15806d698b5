//! What a hostile or broken peer does to a session, and to those of others.

use std::time::Duration;

use headwater_media::limits;
use headwater_webrtc::{Ended, WebRtc};
use tokio::net::UdpSocket;

use crate::{
    publisher::{Publisher, hub},
    viewer::{Viewer, server},
};

async fn stranger(server: &WebRtc) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.address()).await.unwrap();
    socket
}

/// Whether anything comes back within a moment.
async fn is_answered(socket: &UdpSocket) -> bool {
    let mut buffer = [0; 2_000];
    tokio::time::timeout(Duration::from_millis(100), socket.recv(&mut buffer)).await.is_ok()
}

/// RTP and RTCP headers whose counts and lengths point beyond the datagram.
pub(crate) fn shapes() -> impl Iterator<Item = Vec<u8>> {
    let firsts = [0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xb0, 0xbf];
    let seconds = [0, 96, 97, 0xe0, 200, 201, 202, 203, 204, 205, 206, 207, 223];
    firsts.into_iter().flat_map(move |first| {
        seconds.into_iter().flat_map(move |second| {
            (0..=1_500usize).step_by(37).map(move |length| {
                let mut datagram = vec![0xff; length];
                for (byte, value) in datagram.iter_mut().zip([first, second]) {
                    *byte = value;
                }
                datagram
            })
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w7_lengths_beyond_the_packet_do_no_harm() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("video", |viewer| viewer.of(true).count() > 10).await;
    for (index, datagram) in shapes().enumerate() {
        viewer.send_raw(&datagram).await;
        if index % 50 == 0 {
            viewer.run_for(Duration::from_millis(1)).await;
        }
    }
    let before = viewer.of(true).count();
    viewer.run_until("video after it", |viewer| viewer.of(true).count() > before + 50).await;
    assert_eq!(server.statistics()[0].bugs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w1_datagrams_from_an_unproven_address_are_dropped() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let stranger = stranger(&server).await;
    // The beginnings of a DTLS ClientHello, of SRTP and of SRTCP.
    for datagram in
        [&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0][..], &[128; 60], &[128, 200, 0, 1, 0, 0, 0, 0]]
    {
        for _ in 0..100 {
            stranger.send(datagram).await.unwrap();
        }
    }
    assert!(!is_answered(&stranger).await);
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("video all the same", |viewer| viewer.of(true).count() > 10).await;
    assert!(server.statistics()[0].datagrams_ignored >= 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w8_malformed_stun_gets_no_answer() {
    let server = server();
    let stranger = stranger(&server).await;
    for length in 0..200u16 {
        let mut datagram = vec![0, 1];
        datagram.extend_from_slice(&length.to_be_bytes());
        datagram.extend_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        datagram.resize(20 + usize::from(length), 0x06);
        stranger.send(&datagram).await.unwrap();
    }
    assert!(!is_answered(&stranger).await);
    assert_eq!(server.statistics()[0].bugs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w12_packets_of_any_size_from_the_source_end_no_session() {
    let (hub, server) = (hub(), server());
    let mut publisher = Publisher::new(&hub);
    publisher.write_frame();
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("the connection", |viewer| viewer.connected.is_some()).await;
    let hits = limits::WEBRTC_DATAGRAM_BYTES.hits();
    for size in (0..=3_000usize).step_by(100).chain([65_535, 1 << 20]) {
        publisher.write_packet(vec![0; size].into());
    }
    publisher.video.ring();
    viewer.run_for(Duration::from_millis(100)).await;
    tokio::spawn(publisher.run());
    let before = viewer.of(true).count();
    viewer.run_until("video after it", |viewer| viewer.of(true).count() > before + 100).await;
    assert!(limits::WEBRTC_DATAGRAM_BYTES.hits() > hits, "what does not fit is counted");
    assert_eq!(server.statistics()[0].bugs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w16_datagrams_to_a_session_that_has_ended_are_dropped_silently() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("video", |viewer| viewer.of(true).count() > 10).await;
    let session = viewer.accepted.as_ref().unwrap().session.clone();
    session.end().await;
    assert_eq!(session.ended().await, Ended::Deleted);
    viewer.run_until("the farewell", |viewer| viewer.closed).await;
    let ignored = server.statistics()[0].datagrams_ignored;
    for datagram in shapes().filter(|datagram| !datagram.is_empty()).take(500) {
        viewer.send_raw(&datagram).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!viewer.hears_anything().await);
    assert!(server.statistics()[0].datagrams_ignored > ignored + 300);
    assert_eq!(server.statistics()[0].bugs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w2_tcp_connections_that_prove_nothing_are_closed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = server();
    for bytes in [
        &[0, 4, 1, 2, 3, 4][..],
        &[0xff, 0xff],
        &[0, 20, 22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0],
    ] {
        let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut buffer = [0; 100];
        let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut buffer)).await;
        assert!(matches!(read, Ok(Ok(0) | Err(_))), "{bytes:?}: {read:?}");
    }
}
