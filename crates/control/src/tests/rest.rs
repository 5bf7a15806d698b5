//! The calls of the REST API.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use super::{Server, frame};

/// `name mediaSessionId` of each object of an answer, sorted.
fn brief(answer: &Value) -> Vec<String> {
    let objects = answer.as_array().unwrap();
    let mut brief: Vec<_> = objects
        .iter()
        .map(|object| format!("{} {}", object["name"].as_str().unwrap(), object["mediaSessionId"].as_str().unwrap()))
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
    let published = found.as_array().unwrap().iter().find(|object| object["published"] == true).unwrap();
    let expected = json!({
        "name": "live/cam-1", "mediaSessionId": "rtmp-live/cam-1", "sessionId": "rtmp-live/cam-1",
        "mediaType": "publish", "status": "PUBLISHING", "mediaProvider": "RTMP", "hasVideo": true, "hasAudio": true,
        "videoCodec": "H264", "audioCodec": "mpeg4-generic/48000/2", "width": 1280, "height": 720, "fps": 30.0,
        "remoteAddress": "192.0.2.7:5000", "userAgent": "OBS \"x\"\r\n\u{1b}[31m", "viewers": 1, "bFrames": true,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&published[field], value, "{field}");
    }
    assert!(published["remarks"][0].as_str().unwrap().contains("B-frames"));
    assert!(published["createDate"].as_u64().unwrap() > 1_700_000_000_000);

    let played = found.as_array().unwrap().iter().find(|object| object["published"] == false).unwrap();
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
        (json!({"mediaSessionIds": ["v2", "rtmp-b", "nobody"]}), &["a v2", "b rtmp-b"]),
        (json!({"mediaType": "publish"}), &["a rtmp-a", "b rtmp-b"]),
        (json!({"status": "PLAYING"}), &["a v1", "a v2"]),
        (json!({"hasVideo": true, "hasAudio": true, "name": "b"}), &["b rtmp-b"]),
        (json!({"mediaProvider": "WebRTC", "width": 1280}), &["a v1", "a v2"]),
        (json!({"name": "b", "status": null}), &["b rtmp-b"]),
    ];
    for (filter, expected) in cases {
        let (status, found) = server.post("find", filter.clone()).await;
        assert_eq!(status, 200, "{filter}");
        assert_eq!(brief(&found), *expected, "{filter}");
    }
    let (_, found) = server.post("find", json!({"name": "b", "display": ["metrics"]})).await;
    assert_eq!(found[0]["metrics"]["VIDEO_WIDTH"], 1280);
    let (status, refusal) = server.post("find", json!({"name": "c"})).await;
    assert_eq!((status.as_u16(), refusal["code"].as_str()), (404, Some("not_found")));
    assert_eq!(refusal["message"], "There is no stream and no viewer with name \"c\".");
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let server = Server::new();
    let _source = server.publish("a");
    let json_type = ("content-type", "application/json");
    type Case = (&'static str, &'static str, (&'static str, &'static str), u16, &'static str);
    let cases: &[Case] = &[
        ("POST", "stream/find", json_type, 400, "bad_json"),
        ("POST", "stream/find", ("content-type", "text/plain"), 415, "not_json"),
        ("POST", "stream/find", ("content-type", "application/x-www-form-urlencoded"), 415, "not_json"),
        ("POST", "stream/terminate", ("content-type", "multipart/form-data"), 415, "not_json"),
        ("GET", "stream/find", json_type, 405, "wrong_method"),
        ("GET", "stream/terminate", json_type, 405, "wrong_method"),
        ("POST", "stream/terminate", ("origin", "http://evil.example"), 403, "foreign_origin"),
        ("POST", "recorder/startup", json_type, 501, "not_implemented"),
        ("POST", "nothing", json_type, 404, "unknown_call"),
    ];
    for (method, call, (name, value), status, code) in cases {
        let request = Request::builder().method(*method).uri(format!("/rest-api/{call}")).header("host", "localhost");
        let request = request.header(*name, *value).body(Body::from("{")).unwrap();
        let (found, refusal) = server.send(request).await;
        assert_eq!((found.as_u16(), refusal["code"].as_str()), (*status, Some(*code)), "{method} {call} {value}");
        assert!(refusal["message"].as_str().unwrap().ends_with('.'), "{refusal}");
    }
    let cases = [
        (json!({"nmae": "a"}), "unknown_field", Some("nmae")),
        (json!({"name": 5}), "bad_value", Some("name")),
        (json!({"published": "yes"}), "bad_value", Some("published")),
        (json!({"mediaSessionIds": "x"}), "bad_value", Some("mediaSessionIds")),
        (json!({"mediaSessionIds": [1]}), "bad_value", Some("mediaSessionIds")),
        (json!(["a"]), "bad_json", None),
        (json!({"name": {"$ne": ""}}), "bad_value", Some("name")),
    ];
    for (body, code, field) in cases {
        let (status, refusal) = server.post("find", body.clone()).await;
        assert_eq!(
            (status.as_u16(), refusal["code"].as_str(), refusal["field"].as_str()),
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
        let request = Request::post("/rest-api/stream/find").header("content-type", "application/json");
        let (status, _) = server.send(request.body(Body::from(whole[..end].to_owned())).unwrap()).await;
        let expected = if end == 0 || end == whole.len() { 200 } else { 400 };
        assert_eq!(status, expected, "{:?}", &whole[..end]);
    }
}

#[tokio::test]
async fn terminate_ends_a_viewer_or_a_publisher_and_says_why() {
    let server = Server::new();
    let source = server.publish("a");
    let (first, second) = (server.watch("a", "v1").await, server.watch("a", "v2").await);
    assert_eq!(server.post("terminate", json!({"mediaSessionId": "v1"})).await.0, 200);
    assert_eq!(first.ended().await, "Stopped by rest /terminate");
    assert_eq!(second.has_ended(), None);
    assert_eq!(server.post("terminate", json!({"mediaSessionId": "v9"})).await.0, 404);

    let publisher = source._publication.terminated();
    assert_eq!(server.post("terminate", json!({"name": "a", "published": true})).await.0, 200);
    assert_eq!(publisher.await, "Stopped by rest /terminate");
    drop(source);
    assert_eq!(second.ended().await, "Stopped by rest /terminate");
}

#[tokio::test]
async fn an_empty_terminate_ends_everything() {
    let server = Server::new();
    let sources = [server.publish("a"), server.publish("b")];
    let request = Request::post("/rest-api/stream/terminate").body(Body::empty()).unwrap();
    assert_eq!(server.send(request).await.0, 200);
    for source in sources {
        assert_eq!(source._publication.terminated().await, "Stopped by rest /terminate");
    }
}
