//! Clients before a gate: let in, refused, sent elsewhere, kept waiting, sent away.

use std::time::Duration;

use headwater_access::testing::Doorman;
use headwater_media::{StreamName, limits};
use headwater_signalling::Entrance;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::client::{Client, Server, stream};

const SOON: Duration = Duration::from_secs(10);

async fn server() -> (Doorman, Server) {
    let doorman = Doorman::default();
    let server = Server::gated(Entrance::new(doorman.gates())).await;
    (doorman, server)
}

async fn connect(server: &Server, data: Value) -> Client {
    let mut client = server.open(&[]).await.unwrap();
    client.say("connection", data).await;
    client
}

fn with_custom(id: &str, name: &str, published: bool, custom: Value) -> Value {
    let mut stream = stream(id, name, published);
    stream["custom"] = custom;
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_not_connect_is_told_why_and_sent_away() {
    let (doorman, server) = server().await;
    let mut client = server.open(&[("user-agent", "test")]).await.unwrap();
    let custom = json!({ "user": "ann", "pass": "x", "room": 7 });
    let said = json!({ "appKey": "closed", "authToken": "t", "clientVersion": "2.0", "custom": custom });
    client.say("connection", said).await;
    let told = client.hear_of("fail").await;
    assert_eq!((&told["apiMethod"], &told["info"]), (&json!("connect"), &json!("the application is closed")));
    assert_eq!(client.hear_close().await, Some(1008));
    assert_eq!(doorman.log(), ["connect closed token t user ann:x room=7"]);
    let seen = &doorman.seen()[0];
    assert_eq!((&seen["clientVersion"], &seen["custom"]), (&json!("2.0"), &custom));
    server.wait_empty().await;
    assert!(server.wcs.connections().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_before_it_is_let_in_is_done_afterwards_in_order() {
    let (doorman, server) = server().await;
    let mut client = connect(&server, json!({ "appKey": "slow" })).await;
    timeout(SOON, doorman.until("connect slow")).await.unwrap();
    // More than are read at a time: the rest waits in the network.
    let count = limits::WCS_UNDECIDED.get() * 2;
    for at in 0..count {
        client.say("availableStream", json!({ "mediaSessionId": at.to_string(), "name": "live/cam.1" })).await;
    }
    let mut other = server.connect().await;
    other.begin("playStream", "b", "live/cam.1").await;
    let read = server.wcs.statistics().messages;
    // Besides its own: what the other says.
    assert!(read <= 1 + limits::WCS_UNDECIDED.get() + 2, "{read} have been read");
    doorman.decide();
    client.hear_of("getUserData").await;
    for at in 0..count {
        assert_eq!(client.hear_of("availableStream").await["id"], at.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_is_pinged_and_forgotten_when_it_goes() {
    let (doorman, server) = server().await;
    let usual = limits::WCS_PING_MS.get();
    limits::WCS_PING_MS.set(20);
    let mut client = connect(&server, json!({ "appKey": "slow" })).await;
    use futures_util::StreamExt;
    let said = timeout(SOON, client.0.next()).await.unwrap().unwrap().unwrap();
    limits::WCS_PING_MS.set(usual);
    assert!(said.to_text().unwrap().contains("ping"), "{said}");
    drop(client);
    server.wait_empty().await;
    doorman.decide();
    assert_eq!(doorman.log(), ["connect slow"], "nobody has been let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_does_not_come_is_a_refusal_in_time() {
    let (_doorman, server) = server().await;
    let usual = limits::GATE_MS.get();
    // Others of this process wait for less than that.
    limits::GATE_MS.set(2_000);
    let mut client = connect(&server, json!({ "appKey": "slow" })).await;
    let told = client.hear_of("fail").await;
    limits::GATE_MS.set(usual);
    assert!(told["info"].as_str().unwrap().contains("not decided in time"), "{told}");
    assert_eq!(client.hear_close().await, Some(1008));
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_that_are_waited_for_are_bounded() {
    let (doorman, server) = server().await;
    let mut client = server.connect().await;
    let usual = limits::GATE_WAITING.get();
    limits::GATE_WAITING.set(2);
    for id in ["a", "b", "c"] {
        client.say("playStream", stream(id, "slow", false)).await;
    }
    let told = client.hear_status("FAILED").await;
    limits::GATE_WAITING.set(usual);
    assert_eq!(told["info"], "Restricted access");
    assert!(told["reason"].as_str().unwrap().contains("limit of 2 decisions"), "{told}");
    doorman.decide();
    client.hear_status("PENDING").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_may_not_be_had_fails_with_the_reason() {
    let (doorman, server) = server().await;
    let mut client = server.connect().await;
    for (message, published) in [("playStream", false), ("publishStream", true)] {
        client.say(message, stream("a", "secret", published)).await;
        let told = client.hear_status("FAILED").await;
        let words = (&told["info"], &told["reason"]);
        assert_eq!(words, (&json!("Restricted access"), &json!("the stream is secret")));
    }
    client.say("publishStream", stream("a", "locked", true)).await;
    assert_eq!(client.hear_status("FAILED").await["reason"], "it needs a token");
    client.say("publishStream", with_custom("a", "locked", true, json!({ "token": "open" }))).await;
    client.hear_status("PENDING").await;
    timeout(SOON, doorman.until("Publish locked token open")).await.unwrap();
    timeout(SOON, doorman.until("locked PENDING")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_not_told_the_name_that_a_gate_has_put_in_place_of_its_own() {
    let (doorman, server) = server().await;
    let mut viewer = server.connect().await;
    viewer.begin("playStream", "v", "alias/live/cam.1").await;
    assert_eq!(server.scene.publication.stream().viewer_count(), 1);
    viewer.say("getRenditions", json!({ "mediaSessionId": "v" })).await;
    assert_eq!(viewer.hear_of("renditions").await["info"], Value::Null);
    viewer.say("stopStream", json!({ "mediaSessionId": "v", "name": "alias/live/cam.1" })).await;
    assert_eq!(viewer.hear_status("STOPPED").await["name"], "alias/live/cam.1");
    viewer.say("playStream", stream("w", "alias/nothing", false)).await;
    viewer.hear_status("PENDING").await;
    let told = viewer.hear_status("FAILED").await;
    assert!(told["reason"].as_str().unwrap().contains("alias/nothing"), "{told}");

    let mut publisher = server.connect().await;
    publisher.begin("publishStream", "p", "alias/new").await;
    assert!(server.scene.hub.find(&StreamName::new("new").unwrap()).is_some());
    publisher.say("publishStream", stream("q", "alias/live/cam.1", true)).await;
    let told = publisher.hear_status("FAILED").await;
    assert!(told["reason"].as_str().unwrap().contains("the stream alias/live/cam.1 is"), "{told}");
    timeout(SOON, doorman.until("alias/live/cam.1 FAILED: Stream name is already in use")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_and_publishers_of_one_stream_under_two_names_are_one_audience() {
    let (_doorman, server) = server().await;
    let mut viewer = server.connect().await;
    viewer.begin("playStream", "v", "alias/live/cam.1").await;
    assert_eq!(server.wcs.tell_stream(&StreamName::new("live/cam.1").unwrap(), json!("hello")), 1);
    assert_eq!(viewer.hear_of("notifyStreamEvent").await["payload"], "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_that_is_taken_back_ends_the_stream_and_not_the_client() {
    let (doorman, server) = server().await;
    let mut client = server.connect().await;
    client.begin("playStream", "v", "live/cam.1").await;
    doorman.revoke();
    let told = client.hear_status("FAILED").await;
    assert_eq!(
        (&told["info"], &told["reason"]),
        (&json!("Restricted access"), &json!("the leave has been taken back"))
    );
    timeout(SOON, doorman.until("live/cam.1 FAILED: Restricted access")).await.unwrap();
    timeout(SOON, doorman.until("live/cam.1 over")).await.unwrap();
    client.say("availableStream", json!({ "mediaSessionId": "a", "name": "live/cam.1" })).await;
    client.hear_of("availableStream").await;
    drop(client);
    timeout(SOON, doorman.until("gone")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn data_goes_to_the_application_in_order_and_each_is_answered() {
    let (doorman, server) = server().await;
    let mut client = server.connect().await;
    for (id, payload) in [("1", "slow"), ("2", "no"), ("3", "yes")] {
        client.say("sendData", json!({ "operationId": id, "payload": payload })).await;
    }
    timeout(SOON, doorman.until("OnDataEvent slow")).await.unwrap();
    client.say("availableStream", json!({ "mediaSessionId": "a", "name": "live/cam.1" })).await;
    client.hear_of("availableStream").await;
    doorman.decide();
    for (id, status, info) in [
        ("1", "ACCEPTED", Value::Null),
        ("2", "FAILED", json!("the application wants none of it")),
        ("3", "ACCEPTED", Value::Null),
    ] {
        let told = client.hear_of("DataStatusEvent").await;
        assert_eq!(told, json!({ "operationId": id, "status": status, "info": info }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_nobody_takes_is_bounded_and_dropped_with_its_client() {
    let (doorman, server) = server().await;
    let mut client = server.connect().await;
    let usual = limits::WCS_DATA.get();
    limits::WCS_DATA.set(2);
    client.say("sendData", json!({ "operationId": "0", "payload": "slow" })).await;
    timeout(SOON, doorman.until("OnDataEvent slow")).await.unwrap();
    for id in ["1", "2", "3"] {
        client.say("sendData", json!({ "operationId": id, "payload": "slow" })).await;
    }
    let told = client.hear_of("DataStatusEvent").await;
    limits::WCS_DATA.set(usual);
    assert_eq!((&told["operationId"], &told["status"]), (&json!("3"), &json!("FAILED")), "{told}");
    drop(client);
    // Sooner than the application has to decide.
    timeout(SOON / 2, doorman.until("gone")).await.unwrap();
    server.wait_empty().await;
}
