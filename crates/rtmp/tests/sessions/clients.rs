//! Our client against our server, and HTTP-FLV.

use std::time::Duration;

use futures_util::StreamExt;
use headwater_access::{Action, Admitted, Asking, Client};
use headwater_flv::tag::{TagKind, TagReader};
use headwater_graph::{Peer as GraphPeer, Subscription};
use headwater_media::{StreamName, TrackKind};
use headwater_rtmp::{RtmpError, RtmpUrl, client, flv_stream};
use tokio_util::sync::CancellationToken;

use crate::peer::{Peer, Server};

fn name(text: &str) -> StreamName {
    StreamName::new(text).unwrap()
}

async fn subscribe(server: &Server, key: &str) -> Subscription {
    let peer = GraphPeer::new("test", "1");
    tokio::time::timeout(Duration::from_secs(5), server.context.hub().subscribe(&name(key), peer))
        .await
        .unwrap()
        .unwrap()
}

async fn admitted(server: &Server) -> Admitted {
    let client = Client::new(GraphPeer::new("HTTP-FLV", "1"));
    server.context.admit_viewer(&client, Asking::new(Action::Play, name("cam"), "1")).await.unwrap()
}

async fn live(server: &Server) -> Peer {
    let mut publisher = server.publisher("cam").await;
    publisher.configs().await;
    publisher.video(0, true, 80, 3_000).await;
    publisher.audio(10).await;
    publisher
}

async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come to pass");
}

#[tokio::test]
async fn a_stream_pushed_to_another_server_plays_there_as_it_is() {
    let (here, there) = (Server::new(), Server::new());
    let mut publisher = live(&here).await;
    let (io, _session) = there.open(1 << 16);
    let url = RtmpUrl::parse("rtmp://there/live/copy").unwrap();
    let (context, stop) = (here.context.clone(), CancellationToken::new());
    let subscription = subscribe(&here, "cam").await;
    let pushing = {
        let stop = stop.clone();
        tokio::spawn(async move { client::publish(io, &url, subscription, &context, &stop).await })
    };
    let stream = until(|| there.context.hub().find(&name("copy"))).await;
    until(|| (stream.tracks().len() == 2).then_some(())).await;
    let mut player = there.player("copy").await;
    let sent = publisher.video(40, false, 40, 2_000).await;
    let seen = player.see(5).await;
    assert!(seen.iter().any(|seen| seen.body == sent));
    stop.cancel();
    assert!(pushing.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_stream_pulled_from_another_server_plays_here_as_it_is() {
    let (here, there) = (Server::new(), Server::new());
    let mut publisher = live(&there).await;
    let (io, _session) = there.open(1 << 16);
    let url = RtmpUrl::parse("rtmp://there/live/cam").unwrap();
    let (context, stop) = (here.context.clone(), CancellationToken::new());
    let publication = here.context.hub().publish(name("pulled"), GraphPeer::new("RTMP pull", "1")).unwrap();
    let pulling = {
        let stop = stop.clone();
        tokio::spawn(async move { client::play(io, &url, publication, &context, &stop).await })
    };
    let mut player = here.player("pulled").await;
    let sent = publisher.video(40, false, 40, 2_000).await;
    let seen = player.see(5).await;
    assert!(seen.iter().any(|seen| seen.body == sent));
    let video = here.context.hub().find(&name("pulled")).unwrap().track(TrackKind::Video).unwrap();
    assert_eq!(video.native().parameters().unwrap().video().unwrap().width, 640);
    stop.cancel();
    assert!(pulling.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_pull_of_nothing_says_why_and_leaves_the_name_free() {
    let (here, there) = (Server::new(), Server::new());
    let (io, _session) = there.open(1 << 16);
    let url = RtmpUrl::parse("rtmp://there/live/nothing").unwrap();
    let publication = here.context.hub().publish(name("pulled"), GraphPeer::new("RTMP pull", "1")).unwrap();
    let result = client::play(io, &url, publication, &here.context, &CancellationToken::new()).await;
    assert!(matches!(result, Err(RtmpError::Refused { code, .. }) if &*code == "NetStream.Play.StreamNotFound"));
    assert!(here.context.hub().find(&name("pulled")).is_none());
}

#[tokio::test]
async fn http_flv_carries_the_same_tags() {
    let server = Server::new();
    let mut publisher = live(&server).await;
    let subscription = subscribe(&server, "cam").await;
    let mut body = std::pin::pin!(flv_stream(&server.context, subscription, admitted(&server).await, false));
    let mut sent = Vec::new();
    for at in 1..5u32 {
        sent.push(publisher.video(at * 40, false, 0, if at == 3 { 100_000 } else { 900 }).await);
    }
    let mut reader = TagReader::new();
    let mut tags = Vec::new();
    while tags.iter().filter(|tag: &&headwater_flv::tag::Tag| tag.kind == TagKind::Video).count() < 6 {
        reader.push(&body.next().await.unwrap().unwrap());
        while let Some(tag) = reader.pull().unwrap() {
            tags.push(tag);
        }
    }
    assert_eq!(tags[0].kind, TagKind::Script);
    let video: Vec<_> = tags.iter().filter(|tag| tag.kind == TagKind::Video).collect();
    assert!(video[2..].iter().map(|tag| &tag.body[..]).eq(sent.iter().map(|body| &body[..])));
    assert_eq!(video[2].timestamp, 40);
    assert_eq!(server.count("viewers"), 1);
}

#[tokio::test(start_paused = true)]
async fn http_flv_ends_with_its_stream_and_counts_no_viewer_that_takes_nothing() {
    let server = Server::new();
    let mut publisher = live(&server).await;
    let stuck = flv_stream(&server.context, subscribe(&server, "cam").await, admitted(&server).await, false);
    let mut stuck = Box::pin(stuck);
    assert!(stuck.next().await.is_some());
    let live = flv_stream(&server.context, subscribe(&server, "cam").await, admitted(&server).await, false);
    let reading = tokio::spawn(live.for_each(|_| async {}));
    for at in 1..300u32 {
        publisher.audio(at * 100).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.count("viewers"), 1, "the stuck one is gone");
    assert!(stuck.next().await.is_none());
    publisher.vanish().await;
    reading.await.unwrap();
    assert_eq!(server.count("viewers"), 0);
}
