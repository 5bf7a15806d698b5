//! Connections that are to carry the media of a stream.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use headwater_graph::{LaneWriter, Peer, Publication};
use headwater_media::{ClockRate, Codec, Format, Frame, StreamName, TrackParameters, VideoFormat};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::client::{Client, Server, stream};

/// A stream whose only picture is its name.
fn publish(server: &Server, name: &'static str) -> (Publication, LaneWriter<Frame>) {
    let peer = Peer::new("TEST", name);
    let mut publication = server.scene.hub.publish(StreamName::new(name).unwrap(), peer).unwrap();
    let format = Format::Video(VideoFormat::default());
    let config = Bytes::from_static(b"config");
    let parameters = TrackParameters { codec: Codec::H264, clock_rate: ClockRate::VIDEO, format, config };
    let mut video = publication.add_frames(parameters).unwrap();
    publication.ready();
    video.push(Frame { dts: 0, pts: 0, random_access: true, data: Bytes::from_static(name.as_bytes()) });
    video.ring();
    (publication, video)
}

/// A client that chose its own token; and the token of its session.
async fn connect(server: &Server) -> (Client, Value) {
    let mut client = server.open(&[]).await.unwrap();
    client.say("connection", json!({ "authToken": "chosen" })).await;
    let token = client.hear_of("getUserData").await["authToken"].take();
    (client, token)
}

async fn play(client: &mut Client, name: &str) {
    let mut request = stream(name, name, false);
    request["mediaProvider"] = json!("MSE");
    client.say("playStream", request).await;
}

/// A connection for media: what its first message ends with, or the code it is closed with.
async fn carry(server: &Server, token: &Value) -> Result<Bytes, Option<u16>> {
    let mut socket = server.open(&[]).await.unwrap();
    socket.say("connectMediaTransport", json!({ "authToken": token })).await;
    loop {
        match socket.0.next().await {
            Some(Ok(Message::Binary(message))) => return Ok(message.slice(message.len() - 5..)),
            Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_media_carries_a_stream_of_its_own_session_only() {
    let server = Server::start().await;
    let (_first, _second) = (publish(&server, "north"), publish(&server, "south"));
    let (mut anna, annas) = connect(&server).await;
    let (mut eve, eves) = connect(&server).await;
    assert_ne!(annas, eves);
    play(&mut anna, "north").await;
    anna.hear_status("PENDING").await;
    anna.hear_of("setRemoteSDP").await;
    // Both came with the same token from the same address, and eve knows hers.
    for token in [json!("chosen"), eves.clone()] {
        assert_eq!(carry(&server, &token).await, Err(Some(1008)), "{token}");
    }
    play(&mut eve, "south").await;
    eve.hear_status("PENDING").await;
    eve.hear_of("setRemoteSDP").await;
    assert_eq!(carry(&server, &eves).await, Ok(Bytes::from_static(b"south")));
    assert_eq!(carry(&server, &annas).await, Ok(Bytes::from_static(b"north")));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_players_of_a_session_are_answered_one_after_the_other() {
    let server = Server::start().await;
    let (_first, _second) = (publish(&server, "north"), publish(&server, "south"));
    let (mut anna, token) = connect(&server).await;
    for name in ["north", "south"] {
        play(&mut anna, name).await;
    }
    let answered = answer(&mut anna).await;
    // Their connections may come in any order: it has to be clear whose the next one is.
    let both = tokio::time::timeout(Duration::from_millis(300), answer(&mut anna)).await;
    assert!(both.is_err(), "{answered} and {both:?} are answered at once");
    assert_eq!(carry(&server, &token).await.unwrap(), answered.as_bytes());
    let answered = answer(&mut anna).await;
    assert_eq!(carry(&server, &token).await.unwrap(), answered.as_bytes());
}

/// Which stream is answered next.
async fn answer(client: &mut Client) -> String {
    loop {
        if let (message, data) = client.hear().await
            && message == "setRemoteSDP"
        {
            return data[0].as_str().unwrap().to_owned();
        }
    }
}

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
