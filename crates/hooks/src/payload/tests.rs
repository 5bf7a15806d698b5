use headwater_access::Secret;
use headwater_graph::Peer;

use super::*;

fn client() -> Client {
    let remote = "192.0.2.7:4000".parse().unwrap();
    let credentials = Credentials {
        token: Some(Secret::new("t0")),
        user: Some(("anna".into(), Secret::new("pw"))),
        parameters: vec![("room".into(), Secret::new("1")), ("name".into(), Secret::new("evil"))],
    };
    let facts = Facts::from_iter([("custom".to_owned(), json!({ "room": "of the page" }))]);
    Client { credentials, facts, ..Client::new(Peer::new("RTMP", "s1").with_remote(remote)) }
}

fn asking() -> Asking {
    let facts = json!({ "hasVideo": true, "sdp": "v=0", "sessionId": "another", "published": false });
    let Value::Object(facts) = facts else { unreachable!() };
    Asking { facts, ..Asking::new(Action::Publish, "camera".parse().unwrap(), "m1") }
}

#[test]
fn a_stream_object_is_that_of_wcs_and_a_peer_cannot_forge_what_it_is_about() {
    let client = client();
    let identity = identity("n@127.0.0.1", "shop", &client);
    let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_234);
    let facts = stream(&identity, &client, &asking(), now);
    let expected = json!({
        "nodeId": "n@127.0.0.1", "appKey": "shop", "sessionId": "s1", "mediaSessionId": "m1", "name": "camera",
        "published": true, "mediaType": "publish", "mediaProvider": "RTMP", "status": "PENDING", "record": false,
        "createDate": 1234, "hasVideo": true, "sdp": "v=0", "remoteAddress": "192.0.2.7:4000",
        "custom": { "room": "of the page", "name": "evil" },
    });
    assert_eq!(Value::Object(facts), expected);
}

#[test]
fn credentials_are_in_what_decides_and_not_in_events() {
    let client = client();
    let identity = identity("n", "shop", &client);
    let plain = stream(&identity, &client, &asking(), SystemTime::now());
    let mut asked = plain.clone();
    let newer = Credentials { token: Some(Secret::new("t1")), ..Credentials::default() };
    add_credentials(&mut asked, &newer, &client.credentials);
    assert_eq!((&asked["token"], &asked["user"], &asked["password"]), (&json!("t1"), &json!("anna"), &json!("pw")));
    let change = Change { status: "PUBLISHING".into(), info: Some("well".into()), facts: Facts::new() };
    let event = status(&without_large(plain), &change);
    assert_eq!((&event["status"], &event["info"]), (&json!("PUBLISHING"), &json!("well")));
    for absent in ["token", "user", "password", "sdp"] {
        assert_eq!(event.get(absent), None, "{absent}");
    }
}

#[test]
fn only_fields_that_may_be_changed_are() {
    let sent = Facts::from_iter([("name".to_owned(), json!("camera")), ("record".to_owned(), json!(false))]);
    for (answer, fields, expected) in [
        (json!({ "name": "hidden" }), vec!["name"], json!({ "name": "hidden" })),
        (json!({ "name": "camera" }), vec!["name"], json!({})),
        (json!({ "name": "hidden", "record": true }), vec!["record"], json!({ "record": true })),
        (json!({ "sessionId": "x", "published": false }), vec!["sessionId", "published"], json!({})),
        (json!({ "name": "hidden" }), vec![], json!({})),
    ] {
        let Value::Object(answer) = answer else { unreachable!() };
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        assert_eq!(Value::Object(overwritten(&sent, answer, &fields)), expected);
    }
}

#[test]
fn excluded_fields_are_left_out() {
    let facts = Facts::from_iter([("a".to_owned(), json!(1)), ("b".to_owned(), json!(2))]);
    assert_eq!(body(&facts, &["a".to_owned()]), br#"{"b":2}"#);
}
