//! The web server: what is where, and what it does not put up with.

use std::time::{Duration, Instant};

use headwater_media::limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{call, get, send, start};

#[tokio::test]
async fn every_port_serves_everything() {
    let server = start("[http]\nports = [0, 0]").await;
    let ports: Vec<_> = server.listening().iter().filter(|listening| listening.what == "HTTP").collect();
    assert_eq!(ports.len(), 2);
    for listening in &ports {
        let cases = [
            ("/", 200, "Headwater"),
            ("/play/demo", 200, "Headwater"),
            ("/healthz", 200, "alive"),
            ("/readyz", 200, "ready"),
            ("/metrics", 200, "headwater_tcp_connections 1"),
            ("/rest-api/stream/find_all", 404, "not_found"),
            ("/rest-api/recorder/startup", 501, "not_implemented"),
            ("/nothing/here", 404, "Nothing"),
        ];
        for (path, status, text) in cases {
            let answer = get(listening.address, path).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
            assert!(answer.text.contains(text), "{path}: {}", answer.text);
        }
    }
    assert!(server.stop().await);
}

#[tokio::test]
async fn foreign_names_and_pages_are_refused() {
    let server = start("[http]\nports = [0]\nhosts = [\"media.example.org\"]").await;
    let address = server.address("HTTP").unwrap();
    let cases = [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421),
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421),
        ("GET /live/a.flv HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 421),
        ("GET / HTTP/1.1\r\nHost: media.example.org\r\nConnection: close\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", 200),
        (
            "POST /rest-api/stream/terminate HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            403,
        ),
        (
            "GET / HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            421,
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\n\
             Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            403,
        ),
        (
            "POST /rest-api/stream/terminate HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
             Content-Length: 2\r\nConnection: close\r\n\r\n{}",
            415,
        ),
    ];
    for (request, status) in cases {
        let answer = send(address, request).await;
        assert_eq!(answer.status, status, "{request}\n{}", answer.text);
    }
    assert!(server.stop().await);
}

#[tokio::test]
async fn too_much_or_too_slow_is_cut_off() {
    let server = start("[limits]\nhttp_header_ms = 300\nhttp_body_ms = 300\nhttp_body_bytes = 1000").await;
    let address = server.address("HTTP").unwrap();

    let answer =
        send(address, &format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(40_000))).await;
    assert_eq!(answer.status, 431);

    let answer = call(address, "find", &format!("{{\"name\": \"{}\"}}", "a".repeat(2_000))).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
    assert!(answer.text.contains("body_too_large"));

    let hits = limits::HTTP_HEADER_MS.hits();
    for start in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: local"] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "{start:?} was held for {:?}", begun.elapsed());
    }
    assert_eq!(limits::HTTP_HEADER_MS.hits(), hits + 3);

    let mut resting = TcpStream::connect(address).await.unwrap();
    resting.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answers = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), resting.read_to_end(&mut answers)).await;
    assert!(closed.is_ok() && answers.starts_with(b"HTTP/1.1 200"), "a connection that rests is held");

    let head = "POST /rest-api/stream/find HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let answer = send(address, &format!("{head}Connection: close\r\nContent-Length: 100\r\n\r\n{{")).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(server.stop().await);
    for limit in [&limits::HTTP_HEADER_MS, &limits::HTTP_BODY_MS, &limits::HTTP_BODY_BYTES] {
        limit.set(limit.default);
    }
}

#[tokio::test]
async fn a_request_cut_at_any_byte_does_no_harm() {
    let server = start("").await;
    let address = server.address("HTTP").unwrap();
    let baseline = server.load();
    let body = "{\"name\": \"a\"}";
    let request = format!(
        "POST /rest-api/stream/find HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    for end in 0..request.len() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&request.as_bytes()[..end]).await.unwrap();
    }
    assert_eq!(send(address, &request).await.status, 404);
    crate::support::until_load(&server, baseline).await;
    assert!(server.stop().await);
}
