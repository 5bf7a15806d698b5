//! The API as its clients see it, over a hub with a source and viewers in memory.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use headwater_graph::{
    BoxFuture, Environment, Hub, HubOptions, LaneWriter, Peer, Publication, Subscription,
};
use headwater_media::{
    AudioFormat, ClockRate, Codec, Format, Frame, StreamName, TrackParameters, VideoFormat, limits,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{Control, Readiness};

pub(crate) struct Tokio;

impl Environment for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }
}

struct Server {
    hub: Hub,
    control: Control,
    router: Router,
}

struct Source {
    _publication: Publication,
    video: LaneWriter<Frame>,
}

impl Server {
    fn new() -> Server {
        let options = HubOptions {
            grace: Duration::ZERO,
            ..HubOptions::default()
        };
        let hub = Hub::new(Arc::new(Tokio), options);
        let control = Control::new(hub.clone(), Readiness::new(), Vec::new());
        let router = control.router();
        Server {
            hub,
            control,
            router,
        }
    }

    fn publish(&self, name: &str) -> Source {
        let peer = Peer::new("RTMP", format!("rtmp-{name}"))
            .with_remote("192.0.2.7:5000".parse().unwrap())
            .with_user_agent("OBS \"x\"\r\n\u{1b}[31m");
        let mut publication = self
            .hub
            .publish(StreamName::new(name).unwrap(), peer)
            .unwrap();
        let video = publication.add_frames(video()).unwrap();
        publication.add_frames(audio()).unwrap();
        publication.ready();
        Source {
            _publication: publication,
            video,
        }
    }

    async fn watch(&self, name: &str, session: &str) -> Subscription {
        let name = StreamName::new(name).unwrap();
        self.hub
            .subscribe(&name, Peer::new("WebRTC", session))
            .await
            .unwrap()
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            serde_json::from_slice(&body)
                .unwrap_or(Value::String(String::from_utf8_lossy(&body).into_owned())),
        )
    }

    async fn post(&self, call: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::post(format!("/rest-api/stream/{call}"))
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    async fn metrics(&self) -> String {
        match self
            .send(Request::get("/metrics").body(Body::empty()).unwrap())
            .await
        {
            (StatusCode::OK, Value::String(text)) => text,
            other => panic!("{other:?}"),
        }
    }
}

fn video() -> TrackParameters {
    TrackParameters {
        codec: Codec::H264,
        clock_rate: ClockRate::VIDEO,
        format: Format::Video(VideoFormat {
            width: 1280,
            height: 720,
            frame_rate: Some(29.97),
        }),
        config: bytes::Bytes::new(),
    }
}

fn audio() -> TrackParameters {
    TrackParameters {
        codec: Codec::Aac,
        clock_rate: ClockRate::OPUS,
        format: Format::Audio(AudioFormat {
            sample_rate: 48_000,
            channels: 2,
        }),
        config: bytes::Bytes::new(),
    }
}

fn frame(index: i64, pts: i64) -> Frame {
    Frame {
        dts: index * 3_600,
        pts: pts * 3_600,
        random_access: index == 0,
        data: vec![0; 1_000].into(),
    }
}

/// `name type published` of each object of an answer, sorted.
fn brief(answer: &Value) -> Vec<String> {
    let objects = answer.as_array().unwrap();
    let mut brief: Vec<_> = objects
        .iter()
        .map(|object| {
            format!(
                "{} {}",
                object["name"].as_str().unwrap(),
                object["mediaSessionId"].as_str().unwrap()
            )
        })
        .collect();
    brief.sort();
    brief
}

#[tokio::test]
async fn a_publisher_and_its_viewers_are_found_with_what_is_known_of_them() {
    let server = Server::new();
    let mut source = server.publish("live/cam-1");
    let viewer = server.watch("live/cam-1", "viewer-1").await;
    viewer.viewer().count_sent(5_000);
    for (index, pts) in [(0, 0), (1, 3), (2, 2)] {
        source.video.push(frame(index, pts));
    }

    let (status, found) = server.post("find_all", json!({})).await;
    assert_eq!(status, 200);
    let published = found
        .as_array()
        .unwrap()
        .iter()
        .find(|object| object["published"] == true)
        .unwrap();
    let expected = json!({
        "name": "live/cam-1", "mediaSessionId": "rtmp-live/cam-1", "sessionId": "rtmp-live/cam-1",
        "mediaType": "publish", "status": "PUBLISHING", "mediaProvider": "RTMP", "hasVideo": true, "hasAudio": true,
        "videoCodec": "H264", "audioCodec": "mpeg4-generic/48000/2", "width": 1280, "height": 720, "fps": 30.0,
        "remoteAddress": "192.0.2.7:5000", "userAgent": "OBS \"x\"\r\n\u{1b}[31m", "viewers": 1, "bFrames": true,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&published[field], value, "{field}");
    }
    assert!(
        published["remarks"][0]
            .as_str()
            .unwrap()
            .contains("B-frames")
    );
    assert!(published["createDate"].as_u64().unwrap() > 1_700_000_000_000);

    let played = found
        .as_array()
        .unwrap()
        .iter()
        .find(|object| object["published"] == false)
        .unwrap();
    let expected = json!({
        "name": "live/cam-1", "mediaSessionId": "viewer-1", "mediaType": "play", "status": "PLAYING",
        "mediaProvider": "WebRTC", "bytesSent": 5_000,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&played[field], value, "{field}");
    }
}

#[tokio::test]
async fn find_looks_at_any_field() {
    let server = Server::new();
    let _sources = (server.publish("a"), server.publish("b"));
    let _viewers = (server.watch("a", "v1").await, server.watch("a", "v2").await);
    let cases: &[(Value, &[&str])] = &[
        (json!({"name": "a"}), &["a rtmp-a", "a v1", "a v2"]),
        (json!({"name": "a", "published": true}), &["a rtmp-a"]),
        (json!({"published": false}), &["a v1", "a v2"]),
        (json!({"mediaSessionId": "v2"}), &["a v2"]),
        (
            json!({"mediaSessionIds": ["v2", "rtmp-b", "nobody"]}),
            &["a v2", "b rtmp-b"],
        ),
        (json!({"mediaType": "publish"}), &["a rtmp-a", "b rtmp-b"]),
        (json!({"status": "PLAYING"}), &["a v1", "a v2"]),
        (
            json!({"hasVideo": true, "hasAudio": true, "name": "b"}),
            &["b rtmp-b"],
        ),
        (
            json!({"mediaProvider": "WebRTC", "width": 1280}),
            &["a v1", "a v2"],
        ),
        (json!({"name": "b", "status": null}), &["b rtmp-b"]),
    ];
    for (filter, expected) in cases {
        let (status, found) = server.post("find", filter.clone()).await;
        assert_eq!(status, 200, "{filter}");
        assert_eq!(brief(&found), *expected, "{filter}");
    }
    let (_, found) = server
        .post("find", json!({"name": "b", "display": ["metrics"]}))
        .await;
    assert_eq!(found[0]["metrics"]["VIDEO_WIDTH"], 1280);
    let (status, refusal) = server.post("find", json!({"name": "c"})).await;
    assert_eq!(
        (status.as_u16(), refusal["code"].as_str()),
        (404, Some("not_found"))
    );
    assert_eq!(
        refusal["message"],
        "There is no stream and no viewer with name \"c\"."
    );
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let server = Server::new();
    let _source = server.publish("a");
    let json_type = ("content-type", "application/json");
    type Case = (
        &'static str,
        &'static str,
        (&'static str, &'static str),
        u16,
        &'static str,
    );
    let cases: &[Case] = &[
        ("POST", "stream/find", json_type, 400, "bad_json"),
        (
            "POST",
            "stream/find",
            ("content-type", "text/plain"),
            415,
            "not_json",
        ),
        (
            "POST",
            "stream/find",
            ("content-type", "application/x-www-form-urlencoded"),
            415,
            "not_json",
        ),
        (
            "POST",
            "stream/terminate",
            ("content-type", "multipart/form-data"),
            415,
            "not_json",
        ),
        ("GET", "stream/find", json_type, 405, "wrong_method"),
        ("GET", "stream/terminate", json_type, 405, "wrong_method"),
        (
            "POST",
            "stream/terminate",
            ("origin", "http://evil.example"),
            403,
            "foreign_origin",
        ),
        ("POST", "pull/startup", json_type, 501, "not_implemented"),
        ("POST", "nothing", json_type, 501, "not_implemented"),
    ];
    for (method, call, (name, value), status, code) in cases {
        let request = Request::builder()
            .method(*method)
            .uri(format!("/rest-api/{call}"))
            .header("host", "localhost");
        let request = request.header(*name, *value).body(Body::from("{")).unwrap();
        let (found, refusal) = server.send(request).await;
        assert_eq!(
            (found.as_u16(), refusal["code"].as_str()),
            (*status, Some(*code)),
            "{method} {call} {value}"
        );
        assert!(
            refusal["message"].as_str().unwrap().ends_with('.'),
            "{refusal}"
        );
    }
    let cases = [
        (json!({"nmae": "a"}), "unknown_field", Some("nmae")),
        (json!({"name": 5}), "bad_value", Some("name")),
        (json!({"published": "yes"}), "bad_value", Some("published")),
        (
            json!({"mediaSessionIds": "x"}),
            "bad_value",
            Some("mediaSessionIds"),
        ),
        (
            json!({"mediaSessionIds": [1]}),
            "bad_value",
            Some("mediaSessionIds"),
        ),
        (json!(["a"]), "bad_json", None),
        (json!({"name": {"$ne": ""}}), "bad_value", Some("name")),
    ];
    for (body, code, field) in cases {
        let (status, refusal) = server.post("find", body.clone()).await;
        assert_eq!(
            (
                status.as_u16(),
                refusal["code"].as_str(),
                refusal["field"].as_str()
            ),
            (400, Some(code), field),
            "{body}"
        );
    }
    let deep = "[".repeat(100_000);
    let request = Request::post("/rest-api/stream/find").header("content-type", "application/json");
    let (status, _) = server.send(request.body(Body::from(deep)).unwrap()).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn every_cut_of_a_body_is_answered() {
    let server = Server::new();
    let _source = server.publish("a");
    let whole = r#"{"name": "a", "mediaSessionIds": ["rtmp-a"], "display": ["metrics"]}"#;
    for end in 0..=whole.len() {
        let request =
            Request::post("/rest-api/stream/find").header("content-type", "application/json");
        let (status, _) = server
            .send(request.body(Body::from(whole[..end].to_owned())).unwrap())
            .await;
        let expected = if end == 0 || end == whole.len() {
            200
        } else {
            400
        };
        assert_eq!(status, expected, "{:?}", &whole[..end]);
    }
}

#[tokio::test]
async fn terminate_ends_a_viewer_or_a_publisher_and_says_why() {
    let server = Server::new();
    let source = server.publish("a");
    let (first, second) = (server.watch("a", "v1").await, server.watch("a", "v2").await);
    assert_eq!(
        server
            .post("terminate", json!({"mediaSessionId": "v1"}))
            .await
            .0,
        200
    );
    assert_eq!(first.ended().await, "Stopped by rest /terminate");
    assert_eq!(second.has_ended(), None);
    assert_eq!(
        server
            .post("terminate", json!({"mediaSessionId": "v9"}))
            .await
            .0,
        404
    );

    let publisher = source._publication.terminated();
    assert_eq!(
        server
            .post("terminate", json!({"name": "a", "published": true}))
            .await
            .0,
        200
    );
    assert_eq!(publisher.await, "Stopped by rest /terminate");
    drop(source);
    assert_eq!(second.ended().await, "Stopped by rest /terminate");
}

#[tokio::test]
async fn an_empty_terminate_ends_everything() {
    let server = Server::new();
    let sources = [server.publish("a"), server.publish("b")];
    let request = Request::post("/rest-api/stream/terminate")
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(request).await.0, 200);
    for source in sources {
        assert_eq!(
            source._publication.terminated().await,
            "Stopped by rest /terminate"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rates_and_totals_are_kept_also_of_those_who_left() {
    let server = Server::new();
    let control = server.control.clone();
    let books = tokio::spawn(async move { control.run().await });
    tokio::task::yield_now().await;
    let mut source = server.publish("a");
    let viewer = server.watch("a", "v1").await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    for index in 0..50 {
        source.video.push(frame(index, index));
    }
    viewer.viewer().count_sent(20_000);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (_, found) = server
        .post("find", json!({"name": "a", "published": true}))
        .await;
    assert_eq!(
        (found[0]["bitrate"].as_u64(), found[0]["fps"].as_f64()),
        (Some(200_000), Some(25.0)),
        "{found}"
    );
    let (_, found) = server.post("find", json!({"published": false})).await;
    assert_eq!(found[0]["bitrate"].as_u64(), Some(80_000));

    viewer.viewer().count_sent(1_000);
    drop(viewer);
    drop(source);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let metrics = server.metrics().await;
    for line in [
        "headwater_bytes_in_total{protocol=\"RTMP\"} 50000",
        "headwater_items_in_total{protocol=\"RTMP\"} 50",
        "headwater_bytes_out_total{protocol=\"WebRTC\"} 21000",
        "headwater_publishers_opened_total{protocol=\"RTMP\"} 1",
        "headwater_viewers_opened_total{protocol=\"WebRTC\"} 1",
        "headwater_viewers_closed_total{protocol=\"WebRTC\"} 1",
        "headwater_streams_ended_total 1",
    ] {
        assert!(
            metrics.lines().any(|found| found.starts_with(line)),
            "{line}\n{metrics}"
        );
    }
    assert!(
        !metrics
            .lines()
            .any(|line| line.starts_with("headwater_viewers{")),
        "{metrics}"
    );
    books.abort();
}

#[tokio::test]
async fn metrics_are_well_formed_and_their_number_does_not_depend_on_streams() {
    let server = Server::new();
    let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    let _source = server.publish("a");
    let before = lines(&server.metrics().await);
    let _more: Vec<_> = (0..50)
        .map(|index| server.publish(&format!("s{index}")))
        .collect();
    limits::SDP_LINES.hit();
    let metrics = server.metrics().await;
    assert_eq!(lines(&metrics), before);
    assert!(metrics.ends_with("# EOF\n"));
    for line in metrics.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            assert!(
                ["HELP ", "TYPE ", "EOF"]
                    .iter()
                    .any(|kind| comment.starts_with(kind)),
                "{line}"
            );
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(
            name.starts_with("headwater_") && value.parse::<f64>().is_ok(),
            "{line}"
        );
    }
    assert!(
        metrics.contains("headwater_streams{protocol=\"RTMP\"} 51"),
        "{metrics}"
    );
    assert!(metrics.contains("headwater_limit_hits_total{limit=\"sdp_lines\"}"));
    for name in [
        "cpu_seconds_total",
        "resident_memory_bytes",
        "open_fds",
        "threads",
    ] {
        let start = format!("headwater_process_{name} ");
        let line = metrics
            .lines()
            .find(|line| line.starts_with(&start))
            .unwrap();
        assert!(
            cfg!(not(target_os = "linux"))
                || line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() >= 0.0
        );
    }
}
