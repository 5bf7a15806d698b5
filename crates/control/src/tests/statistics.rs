//! The statistics page of WCS.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use super::{Server, frame};

async fn page(server: &Server, query: &str) -> Value {
    let request = Request::get(format!("/rest-api/statistics{query}")).body(Body::empty()).unwrap();
    let (status, page) = server.send(request).await;
    assert_eq!(status, 200, "{query}");
    page
}

#[tokio::test]
async fn groups_are_told_in_text_and_in_json_with_the_same_figures() {
    let server = Server::new();
    let mut source = server.publish("live/cam");
    source.video.push(frame(0, 0));
    let _viewers = (server.watch("live/cam", "v1").await, server.watch("live/cam", "v2").await);
    let json = page(&server, "?format=json").await;
    assert_eq!(json["streams_stats"]["streams_rtmp_in"], 1);
    assert_eq!(json["streams_stats"]["streams_webrtc_out"], 2);
    assert_eq!(json["streams_stats"]["streams_viewers"], 2);
    assert_eq!(json["streams_stats"]["streams_rtsp_in"], 0);
    assert_eq!(json["port_stats"]["ports_media_quarantine"], 0);
    assert_eq!(json["transcoding_stats"]["transcoding_video_full_info"]["live/cam"]["distributors"], json!({}));
    assert!(json["core_stats"]["core_threads"].as_u64().unwrap() > 0 || cfg!(not(target_os = "linux")));
    let (total, free) = (&json["system_stats"]["system_memory_total"], &json["system_stats"]["system_memory_free"]);
    assert!(total.as_u64() >= free.as_u64(), "{total} {free}");

    let Value::String(text) = page(&server, "").await else { panic!() };
    assert!(text.starts_with("-----Connection Stats-----\nconnections="), "{text}");
    for (_, group) in json.as_object().unwrap() {
        for key in group.as_object().unwrap().keys().filter(|key| *key != "transcoding_video_full_info") {
            assert!(text.lines().any(|line| line.starts_with(&format!("{key}="))), "{key} is not in\n{text}");
        }
    }
    assert!(text.lines().all(|line| line.starts_with('-') || line.split('=').count() == 2), "{text}");
}

#[tokio::test]
async fn only_the_groups_that_are_wanted_are_told() {
    let server = Server::new();
    let some = page(&server, "?action=stat&format=json&groups=port_stats,connections_stats,nothing").await;
    let names: Vec<&String> = some.as_object().unwrap().keys().collect();
    assert_eq!(names, ["connections_stats", "port_stats"]);
    assert_eq!(page(&server, "?groups=nothing").await, json!(""));
    let Value::String(metrics) = page(&server, "?format=prometheus").await else { panic!() };
    assert!(metrics.contains("headwater_info{version=") && metrics.ends_with("# EOF\n"), "{metrics}");
}

#[tokio::test]
async fn the_address_of_wcs_is_answered_ahead_of_the_page_that_is_there() {
    use tower::ServiceExt;
    let server = Server::new();
    let pages = axum::Router::new().route("/", axum::routing::any(|| async { "the page" }));
    let router = server.control.put_statistics_ahead(pages);
    let cases = [
        ("GET", "/?action=stat", "-----Port"),
        ("GET", "/?preventCache=1&action=stat&groups=port_stats", "-----Port"),
        ("GET", "/", "the page"),
        ("GET", "/?action=statistics", "the page"),
        ("POST", "/?action=stat", "the page"),
    ];
    for (method, address, expected) in cases {
        let request = Request::builder().method(method).uri(address).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(expected), "{method} {address}");
    }
}
