//! Clients that stay connected: listed, spoken to, sent away.

use serde_json::json;

use super::{Server, clients::Told};

#[tokio::test]
async fn clients_are_found_by_what_they_said_of_themselves() {
    let server = Server::new();
    let (status, found) = server.call("connection/find_all", json!({})).await;
    assert_eq!((status.as_u16(), found.as_array().unwrap().len()), (200, 2), "{found}");
    assert_eq!((&found[0]["sessionId"], &found[0]["status"]), (&json!("s1"), &json!("ESTABLISHED")));
    for (filter, expected) in [
        (json!({ "sessionId": "s2" }), 1),
        (json!({ "appKey": "shop" }), 1),
        (json!({ "clientVersion": "2.0" }), 2),
        (json!({ "clientVersion": "2.0", "appKey": "other" }), 0),
        (json!({ "status": "FAILED" }), 0),
    ] {
        let (status, found) = server.call("connection/find", filter.clone()).await;
        assert_eq!(status == 200, expected > 0, "{filter}");
        assert_eq!(found.as_array().map_or(0, Vec::len), expected, "{filter}");
    }
    let (status, refusal) = server.call("connection/find", json!({ "sesionId": "s1" })).await;
    assert_eq!((status.as_u16(), &refusal["field"]), (400, &json!("sesionId")));
}

#[tokio::test]
async fn orders_come_to_the_client_that_they_are_for() {
    let server = Server::new();
    for (call, body, status, told) in [
        ("connection/terminate", json!({ "sessionId": "s1" }), 200, Some(Told::Terminated("s1".into()))),
        ("connection/terminate", json!({ "sessionId": "s9" }), 404, None),
        ("connection/terminate", json!({}), 400, None),
        ("connection/set_log_level", json!({ "sessionId": "s1", "logLevel": "debug" }), 200, Some(Told::Watched(true))),
        ("connection/set_log_level", json!({ "sessionId": "s1", "logLevel": "INFO" }), 200, Some(Told::Watched(false))),
        ("connection/set_log_level", json!({ "sessionId": "s1", "logLevel": "loud" }), 400, None),
        ("connection/set_log_level", json!({ "sessionId": "s9", "logLevel": "INFO" }), 404, None),
        (
            "data/send",
            json!({ "nodeId": "n", "operationId": "o", "sessionId": "s2", "payload": { "a": [1] } }),
            200,
            Some(Told::Data("s2".into(), Some("o".into()), json!({ "a": [1] }))),
        ),
        ("data/send", json!({ "payload": 1 }), 400, None),
        ("data/send", json!({ "sessionId": "s9", "payload": 1 }), 404, None),
        ("data/send", json!({ "sessionIds": vec!["s9"; 1_001] }), 400, None),
    ] {
        let (found, refusal) = server.call(call, body.clone()).await;
        assert_eq!(found, status, "{call} {body}: {refusal}");
        assert_eq!(server.clients.take().pop(), told, "{call} {body}");
    }
}

#[tokio::test]
async fn data_for_several_comes_to_those_who_are_there_and_says_who_is_not() {
    let server = Server::new();
    let body = json!({ "sessionIds": ["s1", "gone", "s2"], "payload": "x" });
    let (status, refusal) = server.call("data/send", body).await;
    assert_eq!((status.as_u16(), &refusal["field"]), (404, &json!("sessionIds")));
    assert!(refusal["message"].as_str().unwrap().contains("\"gone\""), "{refusal}");
    assert_eq!(server.clients.take().len(), 2);
    let (status, refusal) = server.call("data/send", json!({ "sessionId": "choked", "payload": "x" })).await;
    assert_eq!((status.as_u16(), &refusal["code"]), (409, &json!("not_taken")));
}

#[tokio::test]
async fn an_event_is_sent_to_a_live_stream_and_to_no_other() {
    let server = Server::new();
    let _source = server.publish("cam");
    let body = json!({ "streamName": "cam", "payload": { "number": 5 } });
    assert_eq!(server.call("stream/event/send", body).await.0, 200);
    assert_eq!(server.clients.take(), [Told::Event("cam".into(), json!({ "number": 5 }))]);
    for (body, status) in [
        (json!({ "streamName": "none", "payload": {} }), 404),
        (json!({ "streamName": "../x", "payload": {} }), 400),
        (json!({ "payload": {} }), 400),
        (json!({ "streamName": 5 }), 400),
    ] {
        let (found, refusal) = server.call("stream/event/send", body.clone()).await;
        assert_eq!((found.as_u16(), &refusal["field"]), (status, &json!("streamName")), "{body}");
    }
    assert!(server.clients.take().is_empty());
}
