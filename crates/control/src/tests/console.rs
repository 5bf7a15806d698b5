//! What a page that runs servers asks.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request},
    response::{IntoResponse, Response},
};
use headwater_graph::BoxFuture;
use headwater_media::{StreamName, limits};
use serde_json::{Value, json};

use super::Server;
use crate::{Cdn, Hop, HopObject, NodeObject, NotRemoved};

/// Names and sessions of a page, in their order.
fn brief(page: &Value) -> Vec<&str> {
    page["streams"].as_array().unwrap().iter().map(|object| object["mediaSessionId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_page_has_what_fits_in_order_and_says_how_much_there_is() {
    let server = Server::new();
    let _sources = ["b", "a/Door", "c"].map(|name| server.publish(name));
    let mut viewers = Vec::new();
    for (name, session) in [("b", "v1"), ("b", "v2"), ("c", "v3")] {
        viewers.push(server.watch(name, session).await);
    }
    viewers[1].viewer().count_sent(9_000);
    let cases: &[(Value, usize, &[&str])] = &[
        (json!({}), 3, &["rtmp-a/Door", "rtmp-b", "rtmp-c"]),
        (json!({"descending": true}), 3, &["rtmp-c", "rtmp-b", "rtmp-a/Door"]),
        (json!({"sort": "viewers", "descending": true}), 3, &["rtmp-b", "rtmp-c", "rtmp-a/Door"]),
        (json!({"offset": 1, "limit": 1}), 3, &["rtmp-b"]),
        (json!({"offset": 9}), 3, &[]),
        (json!({"search": " dOOr"}), 1, &["rtmp-a/Door"]),
        (json!({"search": "192.0.2.7:5000", "limit": 1}), 3, &["rtmp-a/Door"]),
        (json!({"name": "c"}), 1, &["rtmp-c"]),
        (json!({"name": "nobody"}), 0, &[]),
        (json!({"mediaProvider": "WebRTC"}), 0, &[]),
        (json!({"published": false, "name": "b"}), 2, &["v1", "v2"]),
        (json!({"published": false, "sort": "bytesSent", "descending": true, "limit": 1}), 3, &["v2"]),
        (json!({"published": false, "search": "V3"}), 1, &["v3"]),
        (json!({"published": false, "status": "PUBLISHING"}), 0, &[]),
    ];
    for (wanted, found, expected) in cases {
        let (status, page) = server.post("page", wanted.clone()).await;
        assert_eq!(status, 200, "{wanted}");
        assert_eq!((page["found"].as_u64(), brief(&page)), (Some(*found as u64), expected.to_vec()), "{wanted}");
    }
    let (_, page) = server.post("page", json!({"published": false})).await;
    assert_eq!(page["byProvider"], json!({"WebRTC": 3}));
    for (wrong, field) in
        [(json!({"sort": "size"}), "sort"), (json!({"offset": -1}), "offset"), (json!({"nam": 1}), "nam")]
    {
        let (status, refusal) = server.post("page", wrong).await;
        assert_eq!((status.as_u16(), refusal["field"].as_str()), (400, Some(field)));
    }
}

#[tokio::test]
async fn no_page_is_longer_than_its_limit() {
    let server = Server::new();
    let most = limits::REST_PAGE.get_usize();
    let _sources: Vec<_> = (0..most + 3).map(|index| server.publish(&format!("cam-{index:04}"))).collect();
    for (limit, expected) in [(json!(null), 50), (json!(1_000_000), most), (json!(0), 0)] {
        let (_, page) = server.post("page", json!({ "limit": limit })).await;
        assert_eq!((page["found"].as_u64(), brief(&page).len()), (Some(most as u64 + 3), expected));
    }
}

#[tokio::test]
async fn a_server_tells_its_figures() {
    let server = Server::new();
    let _source = server.publish("cam");
    let viewer = server.watch("cam", "v1").await;
    server.call("node/figures", json!({})).await;
    viewer.viewer().count_sent(5_000);
    let (status, figures) = server.call("node/figures", json!({})).await;
    assert_eq!(status, 200);
    let expected = json!({
        "node": "headwater", "role": "ORIGIN", "clustered": false, "bytesOut": 5_000, "streams": {"RTMP": 1},
        "viewers": {"WebRTC": 1}, "streamsPaused": 0, "clients": 2,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&figures[field], value, "{field}");
    }
    assert!(figures["processors"].as_u64() > Some(0) && figures["memoryBytes"].as_u64() > Some(1_000), "{figures}");
    assert_eq!(figures["caller"], Value::Null, "nobody is known here");
}

/// One of two servers; keeps what is asked of the other.
#[derive(Default)]
struct Pair(Mutex<Vec<(String, HeaderMap, SocketAddr)>>);

impl Cdn for Pair {
    fn own(&self) -> (String, String) {
        ("one".into(), "EDGE".into())
    }

    fn ask(&self, node: &str, call: Request<Body>, client: SocketAddr) -> Option<BoxFuture<'static, Response>> {
        self.0.lock().unwrap().push((call.uri().path().to_owned(), call.headers().clone(), client));
        (node == "two").then(|| -> BoxFuture<'static, Response> { Box::pin(async { "from two".into_response() }) })
    }

    fn nodes(&self) -> Vec<NodeObject> {
        Vec::new()
    }

    fn hops(&self) -> Vec<Hop> {
        Vec::new()
    }

    fn trace(&self, _: &StreamName) -> Vec<HopObject> {
        Vec::new()
    }

    fn locate(&self, _: &StreamName) -> Vec<String> {
        Vec::new()
    }

    fn remove(&self, _: &str) -> Result<(), NotRemoved> {
        Err(NotRemoved::Unknown)
    }
}

fn call(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::post(path).header("content-type", "application/json").header("host", "one.example");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let remote: SocketAddr = "192.0.2.9:7".parse().unwrap();
    request.extension(ConnectInfo(remote)).body(Body::from("{}")).unwrap()
}

#[tokio::test]
async fn a_call_that_names_another_server_is_passed_on_to_it_and_no_other_is() {
    let pair = Arc::new(Pair::default());
    let server = Server::with(|control| control.with_cdn(pair.clone()));
    const PATH: &str = "/rest-api/node/figures";
    let (_, own) = server.send(call(PATH, &[("headwater-node", "one")])).await;
    assert_eq!(
        (own["node"].as_str(), own["role"].as_str(), own["clustered"].as_bool()),
        (Some("one"), Some("EDGE"), Some(true))
    );
    assert!(pair.0.lock().unwrap().is_empty());

    let fields = [
        ("headwater-node", "two"),
        ("authorization", "Bearer mine"),
        ("origin", "http://one.example"),
        ("cookie", "a=b"),
    ];
    let (status, answer) = server.send(call(PATH, &fields)).await;
    assert_eq!((status.as_u16(), answer), (200, json!("from two")));
    let (path, headers, client) = pair.0.lock().unwrap().pop().unwrap();
    assert_eq!((path.as_str(), client.to_string().as_str()), (PATH, "192.0.2.9:7"));
    assert_eq!(headers["authorization"], "Bearer mine");
    for gone in ["headwater-node", "origin", "cookie"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }

    // What is refused here goes nowhere.
    let (status, refusal) =
        server.send(call(PATH, &[("headwater-node", "two"), ("origin", "http://evil.example")])).await;
    assert_eq!((status.as_u16(), refusal["code"].as_str()), (403, Some("foreign_origin")));
    let (status, _) = server.send(call("/rest-api/events", &[("headwater-node", "two")])).await;
    assert_eq!(status.as_u16(), 400);
    assert!(pair.0.lock().unwrap().is_empty());
    let (status, refusal) = server.send(call(PATH, &[("headwater-node", "three")])).await;
    assert_eq!((status.as_u16(), refusal["code"].as_str()), (404, Some("unknown_node")));
}
