//! Clients that say too much, too fast, too slowly or nonsense.

use std::{sync::Arc, time::Duration};

use futures_util::SinkExt;
use headwater_access::{Gates, SERVER_HEADER, Servers};
use headwater_media::limits;
use headwater_signalling::Entrance;
use serde_json::json;
use tokio::{io::AsyncWriteExt, time::timeout};
use tokio_tungstenite::tungstenite::Message;

use super::client::Server;

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_in_words_and_does_not_end_the_connection() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let deep = format!("{{\"message\":\"sendData\",\"data\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let wide = format!("{{\"message\":\"sendData\",\"data\":[{}]}}", vec!["{}"; 5_000].join(","));
    let custom = json!({ "message": "playStream", "data": [{ "custom": "x".repeat(20_000) }] }).to_string();
    for text in ["", "{", "null", "{\"data\":[]}", &deep, &wide, &custom, "{\"message\":\"a\",\"message\":7,\"x\"}"] {
        client.send(text).await;
        let told = client.hear_of("fail").await;
        assert!(!told["info"].as_str().unwrap().is_empty(), "{text}");
    }
    client.say("sendData", json!({ "operationId": "1" })).await;
    client.hear_of("DataStatusEvent").await;
    assert_eq!(server.wcs.statistics().malformed, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_limit_is_closed_with_its_code() {
    let server = Server::start().await;
    let too_large = "x".repeat(limits::WCS_MESSAGE_BYTES.get_usize() + 1);
    let mut client = server.connect().await;
    let _ = client.0.send(Message::text(too_large)).await;
    // What was not read stands against the close; some clients see the reset alone.
    assert!(matches!(client.hear_close().await, Some(1009) | None));

    let mut client = server.connect().await;
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.hear_close().await, Some(1003));

    for flood in [Message::text("{\"message\":\"pong\"}"), Message::Ping(vec![0; 100].into())] {
        let mut client = server.connect().await;
        for _ in 0..=limits::WCS_MESSAGES_PER_SECOND.get() {
            if client.0.feed(flood.clone()).await.is_err() {
                break;
            }
        }
        let _ = client.0.flush().await;
        assert!(matches!(client.hear_close().await, Some(1008) | None));
    }
    assert!(limits::WCS_MESSAGE_BYTES.hits() > 0 && limits::WCS_MESSAGES_PER_SECOND.hits() >= 2);
    server.wait_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_or_never_ends_is_closed() {
    let server = Server::start().await;
    limits::WCS_CONNECT_MS.set(300);
    let mut silent = server.open(&[]).await.unwrap();
    assert_eq!(silent.hear_close().await, Some(1008));
    // A frame of 40,000 bytes of which only some come.
    let mut slow = server.open(&[]).await.unwrap();
    slow.0.get_mut().write_all(&[0x81, 0xfe, 0x9c, 0x40, 1, 2, 3, 4, 5, 6]).await.unwrap();
    assert_eq!(slow.hear_close().await, Some(1008));
    // A message of ever more frames.
    let mut endless = server.open(&[]).await.unwrap();
    let fragment = [0x01, 0x81, 0, 0, 0, 0, b'x'];
    endless.0.get_mut().write_all(&fragment).await.unwrap();
    while endless.0.get_mut().write_all(&[0x00, 0x81, 0, 0, 0, 0, b'x']).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    limits::WCS_CONNECT_MS.set(limits::WCS_CONNECT_MS.default);
    server.wait_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_answers_pings_stays_and_one_that_does_not_is_closed() {
    let server = Server::start().await;
    limits::WCS_PING_MS.set(50);
    limits::WCS_SILENCE_MS.set(400);
    let (mut alive, mut gone) = (server.connect().await, server.connect().await);
    // Hearing answers pings; waiting for the close does not.
    let (closed, heard) = tokio::join!(gone.hear_close(), timeout(Duration::from_secs(1), alive.hear()));
    assert_eq!(closed, Some(1008));
    assert!(heard.is_err(), "{heard:?}");
    alive.say("sendData", json!({ "operationId": "1" })).await;
    alive.hear_of("DataStatusEvent").await;
    limits::WCS_PING_MS.set(limits::WCS_PING_MS.default);
    limits::WCS_SILENCE_MS.set(limits::WCS_SILENCE_MS.default);
}

struct Trusting;

impl Servers for Trusting {
    fn recognise(&self, shown: &str) -> Option<String> {
        (shown == "proof").then(|| "edge1".to_owned())
    }
}

/// A browser may be in a tunnel; what another server fetches is sent nowhere else meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_sent_nothing_more_long_before_a_browser_is() {
    let gates = Gates::default();
    gates.set_servers(Arc::new(Trusting));
    let server = Server::gated(Entrance::new(gates)).await;
    limits::WCS_SERVER_SILENCE_MS.set(2_000);
    let hits = limits::WCS_SERVER_SILENCE_MS.hits();
    let (mut alive, mut gone, mut page) = (
        server.open(&[(SERVER_HEADER, "proof")]).await.unwrap(),
        server.open(&[(SERVER_HEADER, "proof")]).await.unwrap(),
        server.connect().await,
    );
    for client in [&mut alive, &mut gone] {
        client.say("connection", json!({ "appKey": "defaultApp" })).await;
        client.hear_of("getUserData").await;
    }
    gone.begin("playStream", "v", "live/cam.1").await;
    let stream = server.scene.publication.stream().clone();
    assert_eq!(stream.viewer_count(), 1);
    // Hearing answers pings.
    let (closed, heard) = tokio::join!(gone.hear_close(), timeout(Duration::from_secs(4), alive.hear()));
    assert_eq!((closed, stream.viewer_count()), (Some(1008), 0));
    assert!(heard.is_err(), "{heard:?}");
    assert_eq!(limits::WCS_SERVER_SILENCE_MS.hits(), hits + 1);
    for client in [&mut alive, &mut page] {
        client.say("sendData", json!({ "operationId": "1" })).await;
        client.hear_of("DataStatusEvent").await;
    }
    limits::WCS_SERVER_SILENCE_MS.set(limits::WCS_SERVER_SILENCE_MS.default);
}

/// Numbers that no field holds, names that are said twice, and text where a number belongs.
#[tokio::test(flavor = "multi_thread")]
async fn attack_h8_numbers_and_names_of_any_kind_do_no_harm() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let digits = "9".repeat(20_000);
    let numbers = [
        "1e999",
        "-1e999",
        "1e-999",
        "18446744073709551616",
        "-9223372036854775809",
        "-1",
        "0.5",
        "\"12\"",
        "\"x\"",
        "null",
        "[]",
        "{}",
        "true",
        &digits,
    ];
    for number in numbers {
        for field in ["width", "height", "bitrate", "quality", "minBitrate", "maxBitrate", "mediaSessionId", "name"] {
            let message = format!(
                r#"{{"message":"playStream","message":"playStream","data":[{{"{field}":{number},"{field}":{number}}}]}}"#
            );
            client.send(&message).await;
            // Refused as a message or as a stream; either way in words.
            let (_, told) = client.hear().await;
            assert!(told[0]["info"].as_str().is_some_and(|info| !info.is_empty()), "{field} {number:.20}: {told}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    client.say("sendData", json!({ "operationId": "1" })).await;
    client.hear_of("DataStatusEvent").await;
    server.scene.ask(http::Method::GET, "/live/cam.1/whep", &[], "").await;
    assert_eq!(server.wcs.statistics().streams, 0);
}
