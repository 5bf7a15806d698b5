use axum::{response::IntoResponse, routing::any};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::routes::Routes;

/// What a server answers to one request that comes over loopback.
async fn answer(request: &str) -> String {
    let mut routes = Routes::default();
    let direct = |_: SocketAddr, _: axum::http::request::Parts| -> BoxFuture<'static, Response> {
        Box::pin(async { "direct".into_response() })
    };
    routes.add_direct(|path| path.starts_with("/media/"), Arc::new(direct));
    let router = Router::new().fallback(any(async || "routed"));
    let front = Front::new(router, routes.take_direct(), Hosts::default());
    let (mut ours, theirs) = duplex(1 << 16);
    let local = "127.0.0.1:1".parse().unwrap();
    ours.write_all(format!("{request}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    converse(theirs, Ends { local, remote: local }, &builder(), &front, CancellationToken::new()).await;
    let mut text = String::new();
    ours.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn what_is_answered_without_a_router_is_so_for_plain_gets_under_a_known_name_alone() {
    for (request, status, body) in [
        ("GET /media/a HTTP/1.1\r\nHost: localhost", "200", "direct"),
        ("GET /media/a HTTP/1.1\r\nHost: 127.0.0.1:8080", "200", "direct"),
        ("GET /media/a HTTP/1.1\r\nHost: evil.example", "421", "unknown_host"),
        ("GET /media/a HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket", "200", "routed"),
        ("POST /media/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0", "200", "routed"),
        ("GET /page HTTP/1.1\r\nHost: localhost", "200", "routed"),
    ] {
        let text = answer(request).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains(body), "{request}: {text}");
    }
}
