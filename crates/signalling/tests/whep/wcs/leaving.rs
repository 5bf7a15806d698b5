//! When a client leaves, or the server does.

use headwater_graph::StreamState;

use super::client::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_streams_of_a_client_end_with_its_connection() {
    let server = Server::start().await;
    for politely in [true, false] {
        let mut client = server.connect().await;
        client.begin("publishStream", "p", "camera").await;
        client.begin("playStream", "v", "live/cam.1").await;
        assert_eq!(server.wcs.statistics().streams, 2);
        assert_eq!(server.scene.hub.streams().len(), 2);
        if politely {
            client.0.close(None).await.unwrap();
        }
        drop(client);
        server.wait_empty().await;
        assert_eq!(server.scene.hub.streams().len(), 1, "the name is free again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_the_middle_of_a_request_leaves_nothing() {
    let server = Server::start().await;
    for message in ["playStream", "publishStream"] {
        let mut client = server.connect().await;
        let request = super::client::stream(
            "x",
            if message == "playStream" { "live/cam.1" } else { "camera" },
            message != "playStream",
        );
        client.say(message, request).await;
        drop(client);
        server.wait_empty().await;
    }
    let streams = server.scene.hub.streams();
    assert_eq!((streams.len(), streams[0].state()), (1, StreamState::Live));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_server_stops_clients_are_told_and_it_waits_for_them() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.begin("playStream", "v", "live/cam.1").await;
    server.wcs.stop().await;
    assert_eq!(client.hear_close().await, Some(1001));
    server.wait_empty().await;
}
