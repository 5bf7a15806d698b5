//! What operators see of clients, tell them, and do to them.

use headwater_media::StreamName;
use headwater_signalling::wcs::Untold;
use serde_json::json;

use super::client::Server;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_connected_is_listed_with_what_it_said_of_itself() {
    let server = Server::start().await;
    let stranger = server.open(&[]).await.unwrap();
    let mut client = server.open(&[("user-agent", "Browser/1")]).await.unwrap();
    client.say("connection", json!({ "appKey": "shop", "clientVersion": "2.0", "custom": { "user": "anna" } })).await;
    let session = client.hear_of("getUserData").await["sessionId"].clone();
    let listed = server.wcs.connections();
    let [found] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((&json!(found.session), found.app_key.as_str()), (&session, "shop"));
    assert_eq!((found.client_version.as_deref(), found.user_agent.as_deref()), (Some("2.0"), Some("Browser/1")));
    assert_eq!(found.custom, Some(json!({ "user": "anna" })));
    drop((stranger, client));
    server.wait_empty().await;
    assert!(server.wcs.connections().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_the_application_comes_to_the_session_that_it_is_for() {
    let server = Server::start().await;
    let (mut client, _other) = (server.connect().await, server.connect().await);
    client.say("sendData", json!({ "operationId": "o" })).await;
    client.hear_of("DataStatusEvent").await;
    let sessions: Vec<String> = server.wcs.connections().into_iter().map(|found| found.session).collect();
    let mut told = 0;
    for session in &sessions {
        server.wcs.send_data(session, Some("op-1".into()), json!({ "to": session })).unwrap();
        told += 1;
    }
    assert_eq!(told, 2);
    let heard = client.hear_of("OnDataEvent").await;
    assert_eq!(heard["operationId"], "op-1");
    assert!(sessions.iter().any(|session| heard["payload"]["to"] == json!(session)), "{heard}");
    assert_eq!(server.wcs.send_data("nobody", None, json!({})), Err(Untold::Gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_dismissed_is_closed_with_its_streams() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.begin("playStream", "a", "live/cam.1").await;
    let session = server.wcs.connections().first().unwrap().session.clone();
    assert!(server.wcs.watch(&session, true) && server.wcs.connections().first().unwrap().is_watched);
    assert!(server.wcs.dismiss(&session));
    server.wait_empty().await;
    assert!(!server.wcs.dismiss(&session) && !server.wcs.watch(&session, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_a_stream_comes_to_its_publisher_and_to_its_viewers() {
    let server = Server::start().await;
    let (mut publisher, mut viewer) = (server.connect().await, server.connect().await);
    publisher.begin("publishStream", "p", "cam").await;
    viewer.begin("playStream", "v", "live/cam.1").await;
    for (client, id, name) in [(&mut publisher, "p", "cam"), (&mut viewer, "v", "live/cam.1")] {
        let name = StreamName::new(name).unwrap();
        // The answer is told before the stream listens to its audience.
        let mut told = 0;
        while told == 0 {
            told = server.wcs.tell_stream(&name, json!({ "number": 5 }));
            tokio::task::yield_now().await;
        }
        assert_eq!(told, 1);
        let heard = client.hear_of("notifyStreamEvent").await;
        let expected = json!({ "mediaSessionId": id, "type": "data", "payload": { "number": 5 } });
        assert_eq!(heard, expected);
    }
    assert_eq!(server.wcs.tell_stream(&StreamName::new("nobody").unwrap(), json!({})), 0);
}
