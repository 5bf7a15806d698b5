//! Media over the web server: where it is, and that nothing of its viewers stays behind.

use std::{sync::Arc, time::Duration};

use headwater_graph::{Hub, LaneWriter, Peer, Publication};
use headwater_media::{AudioFormat, ClockRate, Codec, Format, Frame, StreamName, TrackParameters, limits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

use crate::support::{call, get, send, start, until, until_load};

/// A stream of G.711 silence, which needs no configuration.
struct Silence {
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Silence {
    fn publish(hub: &Hub, name: &str, bytes: usize) -> Silence {
        let mut publication = hub.publish(StreamName::new(name).unwrap(), Peer::new("test", "source")).unwrap();
        let rate = ClockRate::new(8_000).unwrap();
        let parameters = TrackParameters {
            codec: Codec::Pcma,
            clock_rate: rate,
            format: Format::Audio(AudioFormat { sample_rate: 8_000, channels: 1 }),
            config: bytes::Bytes::new(),
        };
        let writer = publication.add_frames(parameters).unwrap();
        publication.ready();
        let stop = Arc::new(Notify::new());
        let task = tokio::spawn(send_silence(publication, writer, bytes, stop.clone()));
        Silence { stop, task }
    }

    async fn end(self) {
        self.stop.notify_one();
        self.task.await.unwrap();
    }
}

async fn send_silence(publication: Publication, mut writer: LaneWriter<Frame>, bytes: usize, stop: Arc<Notify>) {
    let terminated = publication.terminated();
    let mut ended = std::pin::pin!(async {
        tokio::select! {
            reason = terminated => reason,
            () = stop.notified() => "done".to_owned(),
        }
    });
    for index in 0_i64.. {
        let time = index * 160;
        writer.push(Frame { dts: time, pts: time, random_access: true, data: vec![0xd5; bytes].into() });
        writer.ring();
        tokio::select! {
            reason = ended.as_mut() => return publication.end(&reason),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
}

async fn watch(address: std::net::SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn http_flv_is_at_the_name_of_the_stream() {
    let server = start("").await;
    let address = server.address("HTTP").unwrap();
    let source = Silence::publish(server.hub(), "live/room/cam", 160);
    let mut viewer = watch(address, "/live/room/cam.flv").await;
    let mut received = Vec::new();
    while !received.windows(4).any(|bytes| bytes == b"FLV\x01") {
        assert!(viewer.read_buf(&mut received).await.unwrap() > 0);
    }
    let head = String::from_utf8_lossy(&received).to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: video/x-flv"), "{head}");

    let cases =
        [("/live/room/none.flv", 404, "there is no live stream"), ("/a%20b.flv", 400, "a stream name may hold only")];
    for (path, status, text) in cases {
        let answer = get(address, path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text.contains(text), "{}", answer.text);
    }
    source.end().await;
    assert!(server.stop().await);
}

#[tokio::test]
async fn http_flv_can_be_switched_off() {
    let server = start("[http_flv]\nenabled = false").await;
    let source = Silence::publish(server.hub(), "a", 160);
    assert_eq!(get(server.address("HTTP").unwrap(), "/a.flv").await.status, 404);
    source.end().await;
    assert!(server.stop().await);
}

#[tokio::test]
async fn whep_is_at_the_name_of_the_stream() {
    let server = start("").await;
    let address = server.address("HTTP").unwrap();
    let options = "OPTIONS /live/cam/whep HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(send(address, options).await.status, 204);
    for page in ["play/cam", "assets/cam"] {
        let options = options.replace("live/cam", page);
        assert_eq!(send(address, &options).await.status, 204, "a stream may be called {page}");
        assert_eq!(send(address, &options.replace("whep", "whip")).await.status, 204);
    }
    let post = "POST /live/cam/whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n\
                Content-Length: 3\r\nConnection: close\r\n\r\nv=0";
    let answer = send(address, post).await;
    assert!((400..500).contains(&answer.status), "{}", answer.text);
    assert!(server.stop().await);
}

#[tokio::test]
async fn viewers_leave_nothing_behind() {
    let server = start("").await;
    let address = server.address("HTTP").unwrap();
    let rtmp = server.address("RTMP").unwrap();
    let source = Silence::publish(server.hub(), "a", 160);
    let stream = server.hub().find(&StreamName::new("a").unwrap()).unwrap();
    let baseline = server.load();
    for _ in 0..3 {
        let mut connections = Vec::new();
        for _ in 0..10 {
            connections.push(watch(address, "/a.flv").await);
            connections.push(TcpStream::connect(rtmp).await.unwrap());
        }
        until("ten viewers", || stream.viewer_count() == 10).await;
        drop(connections);
        until("no viewer", || stream.viewer_count() == 0).await;
        until_load(&server, baseline).await;
    }
    let answer = call(address, "find", "{\"name\": \"a\"}").await;
    assert!(answer.text.contains("\"viewers\":0"), "{}", answer.text);
    source.end().await;
    assert!(server.stop().await);
}

#[tokio::test]
async fn stopping_ends_the_bodies_of_viewers() {
    let server = start("").await;
    let address = server.address("HTTP").unwrap();
    let source = Silence::publish(server.hub(), "a", 160);
    let stream = server.hub().find(&StreamName::new("a").unwrap()).unwrap();
    let mut viewer = watch(address, "/a.flv").await;
    until("a viewer", || stream.viewer_count() == 1).await;
    let stopped = tokio::spawn(server.stop());
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), viewer.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "the body is not whole");
    assert!(stopped.await.unwrap());
    source.task.await.unwrap();
}

#[tokio::test]
async fn a_viewer_that_takes_nothing_is_cut_off() {
    let server = start("[limits]\nhttp_write_ms = 300\nrtmp_write_ms = 300").await;
    let address = server.address("HTTP").unwrap();
    let source = Silence::publish(server.hub(), "a", 400_000);
    let baseline = server.load();
    let hits = limits::HTTP_WRITE_MS.hits();
    let viewer = watch(address, "/a.flv").await;
    until("the limit is hit", || limits::HTTP_WRITE_MS.hits() > hits).await;
    until_load(&server, baseline).await;
    drop(viewer);
    source.end().await;
    assert!(server.stop().await);
    for limit in [&limits::HTTP_WRITE_MS, &limits::RTMP_WRITE_MS] {
        limit.set(limit.default);
    }
}
