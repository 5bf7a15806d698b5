//! Pushes and pulls: what begins one, what refuses it, how it is shown.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::Server;

/// A port that takes connections and says nothing; gives the first bytes of each.
async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("rtmp://{}/live", listener.local_addr().unwrap());
    (listener, address)
}

async fn only(server: &Server, call: &str) -> Value {
    let (status, found) = server.call(call, json!({})).await;
    assert_eq!((status.as_u16(), found.as_array().map(Vec::len)), (200, Some(1)), "{found}");
    found[0].clone()
}

#[tokio::test]
async fn a_push_connects_is_shown_muted_and_ended() {
    let server = Server::new();
    let _source = server.publish("cam");
    let (listener, url) = listener().await;
    let body = json!({ "streamName": "cam", "rtmpUrl": url, "options": { "action": "mute" } });
    let (status, push) = server.call("push/startup", body.clone()).await;
    assert_eq!(status, 200, "{push}");
    assert_eq!((&push["streamName"], &push["muted"], &push["width"]), (&json!("rtmp_cam"), &json!(true), &json!(1280)));
    let (mut taken, _) = listener.accept().await.unwrap();
    let mut version = [0];
    taken.read_exact(&mut version).await.unwrap();
    assert_eq!(version, [3], "an RTMP handshake begins with its version");
    assert_eq!(server.call("push/startup", body).await.0, 409);

    let id = json!({ "mediaSessionId": push["mediaSessionId"] });
    assert_eq!(server.call("push/unmute", id.clone()).await.0, 200);
    assert_eq!(only(&server, "push/find_all").await["muted"], false);
    assert_eq!(server.call("push/mute", id.clone()).await.0, 200);
    for (filter, status) in [
        (json!({ "streamName": "cam" }), 200),
        (json!({ "streamName": "rtmp_cam", "rtmpUrl": url }), 200),
        (json!({ "streamName": "other" }), 404),
        (json!({ "rtmpUrl": "rtmp://a.example/live" }), 404),
        (json!({ "strem": "cam" }), 400),
    ] {
        assert_eq!(server.call("push/find", filter.clone()).await.0, status, "{filter}");
    }
    assert_eq!(server.call("push/terminate", id.clone()).await.0, 200);
    assert_eq!(taken.read_to_end(&mut Vec::new()).await.map(|_| ()).map_err(|error| error.kind()), Ok(()));
    tokio::time::timeout(Duration::from_secs(5), async {
        while server.call("push/find_all", json!({})).await.0 != 404 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(server.call("push/terminate", id).await.0, 404);
}

#[tokio::test]
async fn a_push_without_a_server_waits_tries_again_and_says_why() {
    let server = Server::new();
    let source = server.publish("cam");
    let (listener, url) = listener().await;
    drop(listener);
    let url = format!("{url}/top-secret-key?token=hidden");
    let body = json!({ "streamName": "cam", "rtmpUrl": url, "rtmpTransponderFullUrl": true });
    let (status, push) = server.call("push/startup", body).await;
    assert_eq!((status.as_u16(), &push["streamName"]), (200, &json!("cam")), "{push}");
    let shown = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            let push = only(&server, "push/find_all").await;
            if push["failures"].as_u64() > Some(1) {
                return push;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(shown["status"], "PENDING");
    assert!(shown["info"].as_str().unwrap().contains("no connection"), "{shown}");
    assert!(!shown.to_string().contains("secret") && !shown.to_string().contains("hidden"), "{shown}");
    assert_eq!(server.call("push/find", json!({ "rtmpUrl": url })).await.0, 200, "found by what was asked for");
    source._publication.end("the test is over");
    tokio::time::timeout(Duration::from_secs(5), async {
        while server.call("push/find_all", json!({})).await.0 != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_cannot_be_pushed_or_pulled_is_refused_with_the_field_at_fault() {
    let server = Server::new();
    let _source = server.publish("cam");
    let push = |stream: &str, url: &str| json!({ "streamName": stream, "rtmpUrl": url });
    let pull = |url: &str, name: &str| json!({ "uri": url, "localStreamName": name });
    let local = "rtmp://127.0.0.1/live";
    for (call, body, status, code, field) in [
        ("push/startup", push("none", local), 404, "not_found", "streamName"),
        ("push/startup", push("../x", local), 400, "bad_value", "streamName"),
        ("push/startup", json!({ "streamName": "cam" }), 400, "missing_field", "rtmpUrl"),
        ("push/startup", push("cam", "file:///etc/passwd"), 400, "bad_url", "rtmpUrl"),
        ("push/startup", push("cam", "rtmp://u:p@127.0.0.1/live"), 400, "bad_url", "rtmpUrl"),
        ("push/startup", push("cam", "rtmp://no-such-host.invalid/live"), 400, "unknown_host", "rtmpUrl"),
        ("push/startup", push("cam", "rtmp://169.254.169.254/live"), 403, "forbidden_address", "rtmpUrl"),
        ("push/startup", push("cam", "rtmp://[::1]/live"), 403, "forbidden_address", "rtmpUrl"),
        (
            "push/startup",
            json!({ "streamName": "cam", "rtmpUrl": local, "options": { "action": "sound_on" } }),
            400,
            "missing_field",
            "options",
        ),
        (
            "push/startup",
            json!({ "streamName": "cam", "rtmpUrl": local, "options": { "action": "sing" } }),
            400,
            "bad_value",
            "options",
        ),
        (
            "push/startup",
            json!({ "streamName": "cam", "rtmpUrl": local, "options": { "action": "sound_on", "soundFile": "a.wav" } }),
            404,
            "no_sounds",
            "soundFile",
        ),
        ("push/sound_on", json!({ "mediaSessionId": "x" }), 400, "missing_field", "soundFile"),
        ("pull/rtmp/pull", pull("rtmp://10.0.0.1/live/x", "x"), 403, "forbidden_address", "uri"),
        ("pull/rtmp/pull", pull("rtmp://127.0.0.1/live/x", "cam"), 409, "name_taken", "localStreamName"),
        ("pull/rtmp/pull", pull("rtmp://127.0.0.1/live/x", "a b"), 400, "bad_value", "localStreamName"),
        ("pull/rtmp/pull", pull("http://127.0.0.1/live/x", "x"), 400, "bad_url", "uri"),
        ("pull/rtmp/pull", pull("rtmp://127.0.0.1/x", "x"), 400, "bad_url", "uri"),
        (
            "pull/rtmp/pull",
            json!({ "uri": "rtmp://127.0.0.1/live/x", "record": true }),
            501,
            "not_implemented",
            "record",
        ),
        ("pull/rtmp/terminate", json!({}), 400, "missing_field", "uri"),
    ] {
        let (found, refusal) = server.call(call, body.clone()).await;
        let said = (found.as_u16(), refusal["code"].as_str().unwrap(), refusal["field"].as_str().unwrap());
        assert_eq!(said, (status, code, field), "{call} {body}: {refusal}");
    }
    for call in ["push/find_all", "pull/rtmp/find_all"] {
        assert_eq!(server.call(call, json!({})).await.0, 404, "{call}");
    }
    for call in ["push/terminate", "push/mute", "push/unmute", "push/sound_on", "push/sound_off"] {
        assert_eq!(server.call(call, json!({ "mediaSessionId": "x", "soundFile": "a.wav" })).await.0, 404, "{call}");
    }
    assert_eq!(server.call("pull/rtmp/terminate", json!({ "uri": "rtmp://a.example/live/x" })).await.0, 404);
}

#[tokio::test]
async fn a_pull_connects_is_shown_and_ended_by_its_address() {
    let server = Server::new();
    let (listener, url) = listener().await;
    let uri = format!("{url}/cam?token=hidden");
    let body = json!({ "uri": uri });
    assert_eq!(server.call("pull/rtmp/pull", body.clone()).await.0, 200);
    let (mut taken, _) = listener.accept().await.unwrap();
    let pull = only(&server, "pull/rtmp/find_all").await;
    assert!(pull["localStreamName"].as_str().unwrap().starts_with("pulled/127.0.0.1-"), "{pull}");
    assert!(!pull.to_string().contains("hidden"), "{pull}");
    assert_eq!(server.call("pull/rtmp/pull", body).await.0, 409);
    assert_eq!(server.call("pull/rtmp/find", json!({ "uri": uri, "status": "FAILED" })).await.0, 404);
    assert_eq!(server.call("pull/rtmp/find", json!({ "uri": uri })).await.0, 200);
    assert_eq!(server.call("pull/rtmp/terminate", json!({ "uri": uri })).await.0, 200);
    assert!(taken.read_to_end(&mut Vec::new()).await.is_ok());
}

#[tokio::test]
async fn no_more_relays_begin_than_the_limit_allows() {
    use headwater_media::limits;

    let server = Server::new();
    let _source = server.publish("cam");
    let (_listener, url) = listener().await;
    // Other tests of this process have a few of their own, on servers of their own.
    for number in 0..limits::RELAYS.get() {
        let body = json!({ "streamName": "cam", "rtmpUrl": format!("{url}/{number}") });
        let (status, refusal) = server.call("push/startup", body).await;
        assert_eq!(status, 200, "{number}: {refusal}");
    }
    let (status, refusal) = server.call("push/startup", json!({ "streamName": "cam", "rtmpUrl": url })).await;
    assert_eq!((status.as_u16(), &refusal["code"]), (503, &json!("too_many")));
    assert!(limits::RELAYS.hits() > 0);
}
