//! How a WebSocket begins, or does not.

use http::{Method, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Error;

use super::client::Server;

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_do_not_get_in_over_loopback_unless_they_are_named() {
    let server = Server::with(&["https://shop.example"]).await;
    for (origin, gets_in) in [
        ("https://shop.example", true),
        ("http://localhost:3000", true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        match server.open(&[("origin", origin)]).await {
            Ok(_) => assert!(gets_in, "{origin}"),
            Err(Error::Http(response)) => assert_eq!((gets_in, response.status().as_u16()), (false, 403), "{origin}"),
            Err(error) => panic!("{origin}: {error}"),
        }
    }
    assert_eq!(server.wcs.statistics().foreign, 2);
    server.wait_empty().await;
}

/// Method, headers, and the status of the answer.
type Case<'a> = (Method, &'a [(&'a str, &'a str)], u16);

#[tokio::test(flavor = "multi_thread")]
async fn only_a_whole_handshake_is_one() {
    let server = Server::start().await;
    let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let version = ("Sec-WebSocket-Version", "13");
    let cases: [Case<'_>; 6] = [
        (Method::GET, &[key, version], 101),
        (Method::GET, &[key], 400),
        (Method::GET, &[version], 400),
        (Method::GET, &[key, ("Sec-WebSocket-Version", "8")], 400),
        (Method::GET, &[("Sec-WebSocket-Key", "short"), version], 400),
        (Method::POST, &[key, version], 405),
    ];
    for (method, headers, status) in cases {
        let mut request = format!("{method} /any/path?x HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\n");
        request.push_str("Connection: keep-alive, Upgrade\r\nContent-Length: 0\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = vec![0; 1_024];
        let length = stream.read(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{request}{head}");
        // The answer to the key that RFC 6455 §1.3 has as its example.
        let accepted = head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=");
        assert_eq!(accepted, status == 101, "{head}");
    }
}

/// Whoever may send compressed messages may send bombs.
#[tokio::test(flavor = "multi_thread")]
async fn attack_h7_compression_is_not_agreed_on() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = vec![0; 1_024];
    let length = stream.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && !head.contains("extensions"), "{head}");
    // A message that says it is compressed breaks the protocol (RFC 6455 §5.2).
    stream.write_all(&[0xc1, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.starts_with(&[0x88]) && rest.get(2..4) == Some(&1_002u16.to_be_bytes()[..]), "{rest:?}");
    server.wait_empty().await;
}

#[test]
fn an_upgrade_is_known_by_its_head() {
    let check = |headers: &[(&str, &str)], expected: bool| {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let request = request.body(()).unwrap();
        assert_eq!(headwater_signalling::wcs::is_upgrade(request.headers()), expected, "{headers:?}");
    };
    check(&[("upgrade", "websocket"), ("connection", "Upgrade")], true);
    check(&[("upgrade", "WebSocket"), ("connection", "keep-alive, upgrade")], true);
    check(&[("upgrade", "h2c"), ("connection", "upgrade")], false);
    check(&[("upgrade", "websocket")], false);
    check(&[("connection", "upgrade")], false);
    check(&[], false);
}
