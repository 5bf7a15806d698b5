//! The stream of events for operators.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use futures_util::StreamExt;
use headwater_media::limits;
use serde_json::Value;
use tower::ServiceExt;

use super::Server;
use crate::{Journal, ServerEvent};

/// What one reader is sent.
struct Reading(BodyDataStream);

impl Reading {
    async fn open(server: &Server, query: &str, last: Option<&str>) -> Reading {
        let mut request = Request::get(format!("/rest-api/events{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Reading(answer.into_body().into_data_stream())
    }

    /// The next event: its id and its JSON.
    async fn next(&mut self) -> (String, Value) {
        let bytes = tokio::time::timeout(Duration::from_secs(60), self.0.next()).await.unwrap().unwrap().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        (field("id: "), serde_json::from_str(&field("data: ")).unwrap())
    }

    async fn types<const COUNT: usize>(&mut self) -> [String; COUNT] {
        let mut types = std::array::from_fn(|_| String::new());
        for kind in &mut types {
            *kind = self.next().await.1["type"].as_str().unwrap().to_owned();
        }
        types
    }
}

fn follow(server: &Server) -> tokio::task::JoinHandle<()> {
    let control = server.control.clone();
    tokio::spawn(async move { control.run().await })
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_streams_viewers_and_limits_is_told_in_its_order() {
    let server = Server::new();
    let following = follow(&server);
    tokio::task::yield_now().await;
    let mut reading = Reading::open(&server, "", None).await;
    let source = server.publish("cam");
    let viewer = server.watch("cam", "v1").await;
    drop(viewer);
    drop(source);
    let (id, published) = reading.next().await;
    assert!(id.ends_with("-1"), "{id}");
    assert_eq!((&published["type"], &published["stream"]), (&"published".into(), &"cam".into()));
    assert_eq!((&published["protocol"], &published["session"]), (&"RTMP".into(), &"rtmp-cam".into()));
    assert!(published["time"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(reading.types().await, ["viewer_joined", "viewer_left", "unpublished"]);
    limits::FLV_MOD_EX.hit();
    let mut hit = reading.next().await.1;
    // Tests beside this one hit other limits.
    while hit["limit"] != "flv_mod_ex" {
        assert_eq!(hit["type"], "limit_hit");
        hit = reading.next().await.1;
    }
    assert_eq!(hit["times"], 1);
    following.abort();
}

#[tokio::test(start_paused = true)]
async fn a_push_is_told_of_from_its_beginning_to_its_end() {
    let server = Server::new();
    let following = follow(&server);
    tokio::task::yield_now().await;
    let mut reading = Reading::open(&server, "?types=push,pull", None).await;
    let _source = server.publish("cam");
    // Nobody listens there.
    let body = serde_json::json!({"streamName": "cam", "rtmpUrl": "rtmp://127.0.0.1:9/live", "rtmpStreamFormat": "", "options": {}});
    let (status, pushed) = server.call("push/startup", body).await;
    assert_eq!(status, 200, "{pushed}");
    let (_, told) = reading.next().await;
    assert_eq!(
        (&told["type"], &told["stream"], &told["id"]),
        (&"push".into(), &"cam".into(), &pushed["mediaSessionId"])
    );
    server.call("push/terminate", serde_json::json!({"mediaSessionId": pushed["mediaSessionId"]})).await;
    let mut status = told["status"].clone();
    while status != "GONE" {
        status = reading.next().await.1["status"].clone();
    }
    following.abort();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_back_gets_what_it_has_missed_and_is_told_what_is_lost() {
    let server = Server::new();
    let journal = server.control.journal();
    let tell = |count: u64| {
        for number in 0..count {
            journal.tell(&ServerEvent::Paused { stream: format!("s{number}") });
        }
    };
    let mut reading = Reading::open(&server, "", None).await;
    tell(3);
    let (first, _) = reading.next().await;
    drop(reading);
    let mut again = Reading::open(&server, "", Some(&first)).await;
    assert_eq!(again.next().await.1["stream"], "s1");

    tell(limits::EVENTS_KEPT.get());
    let (_, lost) = again.next().await;
    assert_eq!((&lost["type"], &lost["count"]), (&"lost".into(), &1.into()), "the one that it had not read");
    let mut other_run = Reading::open(&server, "?types=paused", Some("0-7")).await;
    let (id, lost) = other_run.next().await;
    assert_eq!((&lost["type"], lost.get("count")), (&"lost".into(), None));
    let (next, _) = other_run.next().await;
    assert_ne!(id, next, "whoever comes back with that id goes on behind it");

    for hostile in ["", "-", "x", "99999999999999999999-1", "0-", "-5", "0-18446744073709551616"] {
        Reading::open(&server, "", Some(hostile)).await;
    }
    let mut ahead =
        Reading::open(&server, "", Some(&format!("{}-18446744073709551615", first.split('-').next().unwrap()))).await;
    tell(1);
    assert_eq!(ahead.next().await.1["stream"], "s0");
}

#[tokio::test(start_paused = true)]
async fn readers_are_bounded_and_end_with_the_server() {
    let server = Server::new();
    let mut readers = Vec::new();
    for _ in 0..limits::EVENTS_READERS.get() {
        readers.push(Reading::open(&server, "", None).await);
    }
    let request = || Request::get("/rest-api/events").body(Body::empty()).unwrap();
    let (status, refusal) = server.send(request()).await;
    assert_eq!((status.as_u16(), refusal["code"].as_str()), (503, Some("too_many")));
    drop(readers.pop());
    let mut last = Reading::open(&server, "", None).await;
    server.control.journal().close();
    assert!(last.0.next().await.is_none(), "it ends");
    drop(last);
    assert_eq!(server.send(request()).await.0, 200, "and later ones at once");
}

#[tokio::test(start_paused = true)]
async fn a_reader_to_whom_nothing_happens_is_sent_comments() {
    let server = Server::new();
    let mut reading = Reading::open(&server, "", None).await;
    let bytes = tokio::time::timeout(Duration::from_secs(20), reading.0.next()).await.unwrap().unwrap().unwrap();
    assert!(bytes.starts_with(b":"), "{bytes:?}");
}

#[test]
fn the_name_of_each_event_is_its_type() {
    let events = [
        ServerEvent::Paused { stream: "a".into() },
        ServerEvent::LimitHit { limit: "a".into(), times: 1 },
        ServerEvent::MediaBlocked { server: "a".into(), reason: "b".into() },
        ServerEvent::ConfigurationReloaded { changed: vec!["log.level".into()] },
        ServerEvent::ConfigurationRefused { reason: "x".into() },
        ServerEvent::ClientGone(crate::Party::default()),
        ServerEvent::Lost { count: None },
    ];
    let journal = Journal::new();
    for event in events {
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["type"], event.name());
        journal.tell(&event);
    }
}
