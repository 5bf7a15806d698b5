//! Connections that are to carry the media of a stream.

use serde_json::json;

use super::client::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_media_that_no_stream_waits_for_is_closed() {
    let server = Server::start().await;
    for token in [json!("nobody's"), json!(""), json!(7), json!(null)] {
        let mut stranger = server.open(&[]).await.unwrap();
        stranger.say("connectMediaTransport", json!({ "authToken": token })).await;
        assert_eq!(stranger.hear_close().await, Some(1008), "{token}");
    }
    let mut client = server.connect().await;
    client.say("connectMediaTransport", json!({ "authToken": "x" })).await;
    assert_eq!(client.hear_of("fail").await["apiMethod"], "connectMediaTransport");
    drop(client);
    server.wait_empty().await;
}
