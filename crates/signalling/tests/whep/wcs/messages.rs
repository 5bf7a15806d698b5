//! What each message is answered with.

use serde_json::{Value, json};

use super::client::{Server, stream};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_established_once_with_a_token_of_the_server() {
    let server = Server::start().await;
    let mut client = server.open(&[]).await.unwrap();
    client.say("connection", json!({ "authToken": "mine", "appKey": "shop", "custom": { "user": "anna" } })).await;
    let told = client.hear_of("getUserData").await;
    assert_eq!((told["authToken"].as_str().unwrap().len(), &told["appKey"]), (32, &json!("shop")), "{told}");
    assert_eq!(told["custom"]["user"], "anna");
    assert_eq!((&told["sendsRenditions"], &told["takesRenditions"]), (&json!(true), &json!(true)));
    client.say("connection", json!({})).await;
    assert_eq!(client.hear_of("fail").await["apiMethod"], "connection");

    let mut other = server.open(&[]).await.unwrap();
    other.say("connection", json!({ "sipLogin": "100", "sipRegisterRequired": true })).await;
    let others = other.hear_of("getUserData").await;
    assert_ne!((&others["authToken"], others["authToken"].as_str().unwrap().len()), (&told["authToken"], 0));
    assert_eq!(other.hear_of("fail").await["apiMethod"], "registration");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_for_a_client_that_has_not_said_who_it_is() {
    let server = Server::start().await;
    let mut client = server.open(&[]).await.unwrap();
    for (message, published) in [("playStream", false), ("publishStream", true)] {
        client.say(message, stream("a", "live/cam.1", published)).await;
        assert_eq!(client.hear_status("FAILED").await["info"], "Session not ready");
    }
    for message in ["stopStream", "snapshot", "availableStream", "sendStreamEvent", "sendData", "call", "whatever"] {
        client
            .say(message, json!({ "mediaSessionId": "a", "name": "live/cam.1", "callId": "c", "operationId": "o" }))
            .await;
        client.hear_of("fail").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_refused_in_the_form_that_the_web_sdk_hears() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.say("snapshot", json!({ "mediaSessionId": "a", "name": "live/cam.1" })).await;
    let told = client.hear_of("notifyStreamEvent").await;
    assert_eq!((&told["mediaSessionId"], &told["type"]), (&json!("a"), &json!("snapshotFailed")));
    client.say("call", json!({ "callId": "c" })).await;
    let told = client.hear_of("finish").await;
    assert_eq!((&told["callId"], &told["status"]), (&json!("c"), &json!("FAILED")));
    for method in ["hold", "sessionDebug", "submitBugReport", "createRoom", "\u{202e}"] {
        client.say(method, json!({})).await;
        assert_eq!(client.hear_of("fail").await["apiMethod"], method);
    }
    client.say(&"x".repeat(1_000), Value::Null).await;
    assert_eq!(client.hear_of("fail").await["apiMethod"].as_str().unwrap().len(), 64);
    assert_eq!(server.wcs.statistics().unknown, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_for_the_application_is_acknowledged_under_its_number() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.say("sendData", json!({ "operationId": "7", "payload": { "a": [1, "b"] } })).await;
    let told = client.hear_of("DataStatusEvent").await;
    assert_eq!((&told["operationId"], &told["status"]), (&json!("7"), &json!("ACCEPTED")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_available_when_it_can_be_played() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.begin("publishStream", "p", "soon").await;
    let cases = [
        ("live/cam.1", "true", Value::Null),
        ("nobody", "false", json!("Stream not found")),
        ("../etc/passwd", "false", json!("Stream not found")),
        ("soon", "false", json!("Publish stream is not ready")),
    ];
    for (name, status, info) in cases {
        client.say("availableStream", json!({ "mediaSessionId": "a", "name": name })).await;
        let told = client.hear_of("availableStream").await;
        assert_eq!((&told["id"], &told["status"], &told["info"]), (&json!("a"), &json!(status), &info), "{name}");
    }
}
