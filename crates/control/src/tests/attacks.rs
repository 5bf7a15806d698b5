//! What hostile callers, names and addresses make of the API: nothing.

use serde_json::json;

use super::*;
use crate::authorisation::RULES;

/// Names that climb out of folders, or mean something to a shell, a file system or a page.
fn hostile_names() -> Vec<String> {
    let steps = ["..", "../..", "%2e%2e", "..%2f", "..%5c", "..\\", "%252e%252e%252f", "\u{2025}", "\u{ff0e}\u{ff0e}"];
    let targets = ["etc/passwd", "windows\\win.ini", "x", "x.toml", "", "\0"];
    let climbing = steps.iter().flat_map(|step| {
        targets.iter().flat_map(move |target| {
            [format!("{step}/{target}"), format!("live/{step}/{target}"), format!("{step}{target}")]
        })
    });
    let others =
        ["/etc/passwd", "C:\\x", "\\\\host\\share", "~root", "-rf", "$(id)", "`id`", "a;id", "a|id", "a&b", "a\nb"];
    let shown =
        ["<script>", "\"onload=x", "a b", "a'b", "\u{202e}x", "a\u{1b}[31m", "*", "?", "a:b", ".", ".hidden", ""];
    let long = ["x".repeat(129), "x/".repeat(5), "a/".repeat(10_000)];
    climbing.chain(others.iter().chain(&shown).map(|name| (*name).to_owned())).chain(long).collect()
}

#[tokio::test]
async fn attack_p1_names_that_climb_out_of_folders_are_refused_by_every_call() {
    let server = Server::new();
    let _source = server.publish("cam");
    let names = hostile_names();
    assert!(names.len() > 180, "{}", names.len());
    for name in &names {
        for (call, body) in [
            ("push/startup", json!({ "streamName": name, "rtmpUrl": "rtmp://127.0.0.1/live" })),
            ("pull/rtmp/pull", json!({ "uri": "rtmp://127.0.0.1/live/x", "localStreamName": name })),
            ("stream/event/send", json!({ "streamName": name, "payload": 1 })),
        ] {
            let (status, refusal) = server.call(call, body).await;
            assert_eq!((status.as_u16(), &refusal["code"]), (400, &json!("bad_value")), "{call} {name:?}: {refusal}");
        }
        let (status, _) = server.post("find", json!({ "name": name })).await;
        assert_eq!(status, 404, "{name:?}");
    }
}

#[tokio::test]
async fn attack_p3_nothing_is_changed_by_get() {
    let server = Server::new();
    let _source = server.publish("cam");
    for rule in RULES.iter().filter(|rule| rule.changes) {
        for query in ["", "?name=cam&streamName=cam&mediaSessionId=rtmp-cam"] {
            let request = Request::get(format!("{}{query}", rule.path)).body(Body::empty()).unwrap();
            assert_eq!(server.send(request).await.0, 405, "{}", rule.path);
        }
    }
    assert_eq!(server.post("find_all", json!({})).await.0, 200, "the stream is there still");
    assert!(server.clients.take().is_empty());
}

#[tokio::test]
async fn attack_p4_markup_in_what_peers_choose_stays_json_and_is_called_back_by_nobody() {
    let server = Server::new();
    let _source = server.publish("cam");
    for query in ["", "?callback=alert", "?jsonp=alert&cb=alert"] {
        let request = Request::get(format!("/rest-api/stream/find_all{query}")).body(Body::empty()).unwrap();
        let answer = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json", "{query}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let read: Value = serde_json::from_slice(&body).unwrap();
        assert!(read[0]["userAgent"].as_str().unwrap().contains("\u{1b}[31m") && body.starts_with(b"["), "{read}");
        assert!(!body.contains(&0x1b), "an escape of a terminal is not sent as it is");
    }
}

#[tokio::test]
async fn attack_p6_no_spelling_of_an_address_inside_is_connected_to() {
    let server = Server::new();
    let _source = server.publish("cam");
    for host in [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a00:1]",
        "167772161",
        "0x0a000001",
        "012.0.0.1",
        "10.1",
    ] {
        for (call, body) in [
            ("push/startup", json!({ "streamName": "cam", "rtmpUrl": format!("rtmp://{host}/live") })),
            ("pull/rtmp/pull", json!({ "uri": format!("rtmp://{host}/live/x"), "localStreamName": "x" })),
        ] {
            let (status, refusal) = server.call(call, body).await;
            let code = refusal["code"].as_str().unwrap_or_default();
            let refusals = [(403, "forbidden_address"), (400, "unknown_host"), (400, "bad_url")];
            assert!(refusals.contains(&(status.as_u16(), code)), "{call} {host}: {status} {refusal}");
        }
    }
    for url in
        ["file:///etc/passwd", "concat:/etc/passwd|x", "http://example.org/x", "rtmp:/live/x", "pipe:0", "data:,x"]
    {
        let (status, refusal) = server.call("pull/rtmp/pull", json!({ "uri": url, "localStreamName": "x" })).await;
        assert_eq!((status.as_u16(), &refusal["code"]), (400, &json!("bad_url")), "{url}: {refusal}");
    }
}
