use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::Request};
use bytes::Bytes;
use futures_util::StreamExt;
use headwater_access::testing::Doorman;
use headwater_graph::{HubOptions, LaneWriter, Peer, Publication};
use headwater_media::{AudioFormat, ClockRate, Format, Frame, StreamName, TrackParameters, VideoFormat};
use headwater_net::TokioEnvironment;
use headwater_websocket::{Visitor, converse};
use serde_json::Value;
use tokio::{io::DuplexStream, task::JoinHandle, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, protocol::Role},
};
use tower::ServiceExt;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn video(width: u32) -> TrackParameters {
    let format = Format::Video(VideoFormat { width, height: 360, frame_rate: None });
    TrackParameters { codec: Codec::Vp8, clock_rate: ClockRate::VIDEO, format, config: Bytes::new() }
}

fn audio() -> TrackParameters {
    let format = Format::Audio(AudioFormat { sample_rate: 48_000, channels: 2 });
    TrackParameters { codec: Codec::Opus, clock_rate: ClockRate::OPUS, format, config: Bytes::new() }
}

/// A picture each 40 ms, the first of ten one to start at; its number is its first byte.
fn picture(number: i64, bytes: usize) -> Frame {
    let data = Bytes::from(vec![number as u8; bytes]);
    Frame { dts: number * 3_600, pts: number * 3_600, random_access: number % 10 == 0, data }
}

fn sound(number: i64) -> Frame {
    Frame { dts: number * 960, pts: number * 960, random_access: true, data: Bytes::from_static(b"opus") }
}

struct Stage {
    hub: Hub,
    wsplayer: WsPlayer,
}

struct Source {
    publication: Publication,
    video: LaneWriter<Frame>,
    audio: LaneWriter<Frame>,
}

/// The viewer's end of a connection, and the task at the server's.
struct Page {
    socket: WebSocketStream<DuplexStream>,
    session: JoinHandle<()>,
}

fn name() -> StreamName {
    StreamName::new("camera").unwrap()
}

impl Stage {
    fn new(gates: Gates) -> Stage {
        let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
        Stage { wsplayer: WsPlayer::new(hub.clone(), gates), hub }
    }

    fn publish(&self) -> Source {
        let mut publication = self.hub.publish(name(), Peer::new("TEST", "source")).unwrap();
        let video = publication.add_frames(video(640)).unwrap();
        let audio = publication.add_frames(audio()).unwrap();
        publication.ready();
        Source { publication, video, audio }
    }

    async fn watch(&self, query: &str, buffer: usize) -> Page {
        self.watch_named("camera", query, buffer).await
    }

    async fn watch_named(&self, name: &str, query: &str, buffer: usize) -> Page {
        let (here, there) = tokio::io::duplex(buffer);
        let asked = StreamName::new(name).unwrap();
        let visitor = Visitor::new(&WsPlayer::TERMS, asked, None, &HeaderMap::new(), Some(query));
        let session = tokio::spawn(converse(self.wsplayer.clone(), there, visitor));
        Page { socket: WebSocketStream::from_raw_socket(here, Role::Client, None).await, session }
    }
}

impl Source {
    fn pictures(&mut self, numbers: std::ops::Range<i64>) {
        for number in numbers {
            self.video.push(picture(number, 100));
        }
        self.video.ring();
    }
}

/// What a page is sent.
#[derive(Debug, PartialEq)]
enum Told {
    Message(Value),
    /// Track, flags, decode time in milliseconds, first byte.
    Frame(u8, u8, i64, u8),
    Close(u16),
}

impl Page {
    async fn next(&mut self) -> Told {
        let next = timeout(PATIENCE, self.socket.next()).await.expect("nothing more is said");
        match next.unwrap().unwrap() {
            tungstenite::Message::Text(text) => Told::Message(serde_json::from_str(&text).unwrap()),
            tungstenite::Message::Binary(bytes) => {
                let dts = i64::from_be_bytes(bytes[4..12].try_into().unwrap());
                Told::Frame(bytes[0], bytes[1], dts / 1_000, bytes[20])
            }
            tungstenite::Message::Close(close) => Told::Close(close.unwrap().code.into()),
            other => panic!("{other:?}"),
        }
    }

    async fn message(&mut self) -> Value {
        match self.next().await {
            Told::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_viewer_is_told_the_tracks_and_starts_at_the_newest_group_with_its_sound() {
    let stage = Stage::new(Gates::default());
    let mut source = stage.publish();
    source.pictures(0..23);
    (0..50).for_each(|number| source.audio.push(sound(number)));
    source.audio.ring();
    let mut page = stage.watch("", 1 << 20).await;
    let tracks = page.message().await;
    assert_eq!(tracks["tracks"][0]["codec"], "vp8");
    assert_eq!((&tracks["tracks"][1]["codec"], &tracks["tracks"][1]["sampleRate"]), (&"opus".into(), &48_000.into()));
    assert_eq!(page.next().await, Told::Frame(0, 1, 800, 20));
    assert_eq!(page.next().await, Told::Frame(1, 1, 800, b'o'));
    assert_eq!(page.next().await, Told::Frame(1, 1, 820, b'o'));
    assert_eq!(page.next().await, Told::Frame(0, 0, 840, 21));
    assert_eq!(stage.wsplayer.statistics().viewers, 1);
    assert_eq!(source.publication.stream().viewer_count(), 1);
    page.socket.close(None).await.unwrap();
    page.session.await.unwrap();
    assert_eq!((stage.wsplayer.statistics().viewers, source.publication.stream().viewer_count()), (0, 0));
}

#[tokio::test]
async fn another_size_is_told_before_its_first_picture_and_the_end_with_its_reason() {
    let stage = Stage::new(Gates::default());
    let mut source = stage.publish();
    source.pictures(0..2);
    let mut page = stage.watch("", 1 << 20).await;
    page.message().await;
    assert_eq!(page.next().await, Told::Frame(0, 1, 0, 0));
    assert_eq!(page.next().await, Told::Frame(0, 0, 40, 1));
    source.video.set_parameters(video(1_280));
    source.pictures(10..11);
    assert_eq!(page.message().await["tracks"][0]["width"], 1_280);
    assert_eq!(page.next().await, Told::Frame(0, 1, 400, 10));
    source.video.discontinuity();
    source.pictures(20..21);
    assert_eq!(page.next().await, Told::Frame(0, 3, 800, 20));
    source.publication.end("no more of this");
    let end = page.message().await;
    assert_eq!((&end["type"], &end["reason"]), (&"end".into(), &"no more of this".into()));
    assert_eq!(page.next().await, Told::Close(1000));
}

#[tokio::test]
async fn a_viewer_that_takes_too_little_skips_to_the_newest_group_and_is_told_so() {
    let stage = Stage::new(Gates::default());
    let mut source = stage.publish();
    source.pictures(0..1);
    let mut page = stage.watch("", 1_000).await;
    page.message().await;
    assert_eq!(page.next().await, Told::Frame(0, 1, 0, 0));
    // As long as nothing is taken the session writes what has room, and then reads no more.
    for number in 1..205 {
        source.video.push(picture(number, 20_000));
        source.video.ring();
        tokio::task::yield_now().await;
    }
    let (mut skipped, mut after) = (0, None);
    while after.is_none() {
        match page.next().await {
            Told::Message(message) => skipped = message["frames"].as_i64().unwrap(),
            Told::Frame(_, flags, time, _) if skipped > 0 => after = Some((flags, time)),
            Told::Frame(..) => {}
            Told::Close(code) => panic!("{code}"),
        }
    }
    assert_eq!(after, Some((3, 8_000)), "after {skipped} frames");
    assert!(skipped > 100, "{skipped}");
    assert_eq!(stage.wsplayer.statistics().skipped, skipped as u64);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_words() {
    let stage = Stage::new(Gates::default());
    let mut page = stage.watch("", 4_096).await;
    let error = page.message().await;
    assert_eq!((&error["type"], &error["code"]), (&"error".into(), &"not-live".into()));
    assert!(error["message"].as_str().unwrap().contains("camera"), "{error}");
    assert_eq!(page.next().await, Told::Close(4404));
}

#[tokio::test]
async fn a_stream_in_codecs_that_the_viewer_does_not_take_is_refused_and_half_of_one_is_sent() {
    let stage = Stage::new(Gates::default());
    let mut source = stage.publish();
    source.pictures(0..1);
    source.audio.push(sound(0));
    let mut page = stage.watch("codecs=h264,aac", 4_096).await;
    assert_eq!(page.message().await["code"], "codec");
    assert_eq!(page.next().await, Told::Close(4406));
    let mut page = stage.watch("codecs=h264,opus", 4_096).await;
    let tracks = page.message().await;
    assert_eq!((&tracks["tracks"][0]["kind"], &tracks["missing"][0]["kind"]), (&"audio".into(), &"video".into()));
    assert_eq!(page.next().await, Told::Frame(1, 1, 0, b'o'));
}

#[tokio::test]
async fn the_gates_decide_and_may_take_their_leave_back() {
    let doorman = Doorman::default();
    let stage = Stage::new(doorman.gates());
    let mut source = stage.publish();
    source.pictures(0..1);
    let mut page = stage.watch_named("locked", "token=wrong", 4_096).await;
    assert_eq!(page.message().await["code"], "refused");
    assert_eq!(page.next().await, Told::Close(4403));
    let mut page = stage.watch_named("locked", "token=open", 4_096).await;
    assert_eq!(page.message().await["code"], "not-live");
    let mut page = stage.watch("", 4_096).await;
    page.message().await;
    page.next().await;
    doorman.revoke();
    assert_eq!(page.message().await["type"], "end");
    assert_eq!(page.next().await, Told::Close(1000));
    page.session.await.unwrap();
    let log = doorman.log();
    assert!(log.iter().any(|line| line.contains("PLAYING")), "{log:?}");
}

#[tokio::test]
async fn viewers_are_told_when_the_server_stops() {
    let stage = Stage::new(Gates::default());
    let mut source = stage.publish();
    source.pictures(0..1);
    let mut page = stage.watch("", 4_096).await;
    page.message().await;
    page.next().await;
    stage.wsplayer.stop().await;
    assert_eq!(page.message().await["reason"], "the server is stopping");
    assert_eq!(page.next().await, Told::Close(1001));
}

async fn status(path: &str, version: &str) -> u16 {
    let hub = Hub::new(Arc::new(TokioEnvironment::current()), HubOptions::default());
    let request = Request::get(path).header("upgrade", "WebSocket").header("connection", "keep-alive, Upgrade");
    let request = request.header("sec-websocket-version", version);
    let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(Body::empty()).unwrap();
    assert_eq!(is_wsplayer(path, request.headers()), path.starts_with("/ws/"), "{path}");
    WsPlayer::new(hub, Gates::default()).router().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_handshake_for_a_stream_is_answered_and_others_are_refused() {
    for (path, version, expected) in [
        ("/ws/room/camera?token=x", "13", 101),
        ("/ws/camera", "8", 426),
        ("/ws/", "13", 400),
        ("/ws/-camera", "13", 400),
        ("/wsp", "13", 400),
    ] {
        assert_eq!(status(path, version).await, expected, "{path}");
    }
    assert!(!is_wsplayer("/ws/camera", &HeaderMap::new()));
}
