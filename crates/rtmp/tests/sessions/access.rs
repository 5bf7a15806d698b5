//! Publishers and players before a gate: let in, refused, sent elsewhere, kept waiting, sent away.

use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use headwater_access::{Action, Asking, Client, testing::Doorman};
use headwater_flv::amf::Object;
use headwater_graph::Peer as GraphPeer;
use headwater_media::limits;
use headwater_rtmp::{
    Fault, flv_stream,
    wire::{
        chunk,
        client::{Event, Intent},
        command::Command,
    },
};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::peer::{Peer, Server};

const SOON: Duration = Duration::from_secs(10);

async fn start(server: &Server, intent: Intent, app: &str, key: &str) -> Peer {
    timeout(SOON, Peer::start(server, intent, app, key, 1 << 20)).await.unwrap()
}

/// Publishes until viewers may join.
async fn live(server: &Server, app: &str, key: &str) -> Peer {
    let mut publisher = start(server, Intent::Publish, app, key).await;
    publisher.configs().await;
    publisher.video(0, true, 0, 500).await;
    publisher
}

async fn check(app: &str, key: &str, intent: Intent, refused: Option<&str>) {
    let doorman = Doorman::default();
    let server = Server::gated(doorman.gates());
    let peer = start(&server, intent, app, key).await;
    assert_eq!(peer.refused.as_deref(), refused, "{app} {key}");
    if refused.is_some() {
        let error = peer.session.await.unwrap().unwrap_err();
        assert_eq!(error.fault(), Fault::Request, "{error}");
    }
}

#[tokio::test]
async fn who_may_not_is_told_so_in_the_words_that_encoders_and_players_show() {
    let closed = "NetConnection.Connect.Rejected: the application is closed";
    check("live?appKey=closed", "cam", Intent::Publish, Some(closed)).await;
    check("live", "secret", Intent::Publish, Some("NetStream.Publish.Rejected: the stream is secret")).await;
    check("live", "secret", Intent::Play, Some("NetStream.Play.Failed: the stream is secret")).await;
    check("live", "locked", Intent::Publish, Some("NetStream.Publish.Rejected: it needs a token")).await;
    check("live", "locked?token=open", Intent::Publish, None).await;
    check("live?token=open", "locked", Intent::Publish, None).await;
}

#[tokio::test]
async fn the_gates_hear_of_a_stream_from_its_beginning_to_its_end() {
    let doorman = Doorman::default();
    let server = Server::gated(doorman.gates());
    let mut publisher = live(&server, "live?appKey=shop&user=ann&pass=x", "cam?room=7").await;
    timeout(SOON, doorman.until("cam PUBLISHING")).await.unwrap();
    let player = start(&server, Intent::Play, "live", "cam?token=t").await;
    player.vanish().await;
    timeout(SOON, doorman.until("cam STOPPED: Stopped by session disconnect")).await.unwrap();
    publisher.command(&Command::new("deleteStream", 0.0).with(1.0)).await;
    timeout(SOON, doorman.until("cam UNPUBLISHED: Stopped by user")).await.unwrap();
    publisher.vanish().await;
    timeout(SOON, async {
        while doorman.log().iter().filter(|entry| *entry == "gone").count() < 2 {
            tokio::task::yield_now().await
        }
    })
    .await
    .unwrap();
    let expected = [
        "connect shop user ann:x",
        "Publish cam room=7",
        "cam PUBLISHING",
        "connect none",
        "Play cam token t",
        "cam PLAYING",
        "cam STOPPED: Stopped by session disconnect",
        "cam over",
        "gone",
        "cam UNPUBLISHED: Stopped by user",
        "cam over",
        "gone",
    ];
    assert_eq!(doorman.log(), expected);
    let seen = doorman.seen();
    assert_eq!((&seen[2]["videoCodec"], &seen[2]["audioCodec"]), (&"H264".into(), &"mpeg4-generic".into()));
    assert_eq!((&seen[2]["width"], &seen[2]["height"]), (&640.into(), &360.into()));
}

#[tokio::test]
async fn a_gate_may_put_another_name_in_place_of_the_one_asked_for_and_nobody_is_told() {
    let server = Server::gated(Doorman::default().gates());
    let player = start(&server, Intent::Play, "live", "alias/camera").await;
    assert_eq!(player.refused.as_deref(), Some("NetStream.Play.StreamNotFound: there is no live stream alias/camera"));
    let _publisher = live(&server, "live", "alias/camera").await;
    assert!(server.context.hub().find(&"alias/camera".parse().unwrap()).is_none());
    let rival = start(&server, Intent::Publish, "live", "alias/camera").await;
    let refused = rival.refused.unwrap();
    assert!(refused.starts_with("NetStream.Publish.BadName: the stream alias/camera is"), "{refused}");
    let mut player = start(&server, Intent::Play, "live", "camera").await;
    assert!(player.see(1).await[0].is_config());
}

#[tokio::test]
async fn a_leave_that_is_taken_back_ends_publisher_and_player() {
    for key in ["publisher", "player"] {
        // Two doormen, so that it is seen of each side alone.
        let (doorman, other) = (Doorman::default(), Doorman::default());
        let server = Server::gated(if key == "publisher" { doorman.gates() } else { other.gates() });
        let mut publisher = live(&server, "live", "cam").await;
        let mut player = start(&server, Intent::Play, "live", "cam").await;
        let doorman = if key == "publisher" { doorman } else { other };
        assert!(!player.see(2).await.is_empty());
        doorman.revoke();
        let said = timeout(SOON, async {
            loop {
                match if key == "publisher" { publisher.event().await } else { player.event().await } {
                    Some(Event::Refused { code, reason }) => break format!("{code}: {reason}"),
                    Some(Event::Ended) => break "ended".to_owned(),
                    Some(_) => {}
                    None => break "closed".to_owned(),
                }
            }
        });
        let expected = ["NetStream.Publish.Rejected: the leave has been taken back", "ended"];
        assert_eq!(said.await.unwrap(), expected[usize::from(key == "player")]);
        let status = if key == "publisher" { "cam FAILED: the leave has been taken back" } else { "cam over" };
        timeout(SOON, doorman.until(status)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_does_not_come_is_a_refusal_in_time() {
    let doorman = Doorman::default();
    let server = Server::gated(doorman.gates());
    let peer = Peer::start(&server, Intent::Publish, "live?appKey=slow", "cam", 1 << 20).await;
    let refused = peer.refused.unwrap();
    assert!(refused.starts_with("NetConnection.Connect.Rejected: it was not decided in time"), "{refused}");
    assert!(limits::GATE_MS.hits() > 0);
    let peer = Peer::start(&server, Intent::Publish, "live", "slow", 1 << 20).await;
    assert!(peer.refused.unwrap().starts_with("NetStream.Publish.Rejected: it was not decided in time"));
}

#[tokio::test]
async fn who_leaves_before_it_is_decided_is_forgotten_and_others_do_not_wait() {
    let doorman = Doorman::default();
    let server = Server::gated(doorman.gates());
    let waiting = tokio::spawn({
        let (io, session) = server.open(1 << 20);
        let url = headwater_rtmp::RtmpUrl::parse("rtmp://h/live/slow").unwrap();
        let (context, stop) = (server.context.clone(), server.stop.clone());
        let publication = context.hub().publish("pulled".parse().unwrap(), GraphPeer::new("RTMP pull", "1")).unwrap();
        async move {
            let pull = headwater_rtmp::client::play(io, &url, publication, &context, &stop);
            let _ = timeout(Duration::from_millis(300), pull).await;
            session.await.unwrap()
        }
    });
    timeout(SOON, doorman.until("Play slow")).await.unwrap();
    let _publisher = live(&server, "live", "cam").await;
    assert_eq!(start(&server, Intent::Play, "live", "cam").await.refused, None, "nobody else waits");
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.fault(), Fault::Network, "{error}");
    server.until("connections", 1).await;
    doorman.decide();
    let peer = start(&server, Intent::Publish, "live", "slow").await;
    assert_eq!(peer.refused, None, "what is decided late is decided all the same");
}

#[tokio::test]
async fn what_a_publisher_sends_before_it_is_let_in_is_bounded() {
    let doorman = Doorman::default();
    let server = Server::gated(doorman.gates());
    let (mut io, _session) = server.open(16 << 10);
    let mut hello = BytesMut::from(&[&[3][..], &[0; 2 * 1_536]].concat()[..]);
    let connect = Command::new("connect", 1.0).with_object(Object::new().with("app", "live?appKey=slow"));
    chunk::write_message(&connect.message(0), chunk::COMMAND, 128, &mut hello);
    io.write_all(&hello).await.unwrap();
    timeout(SOON, doorman.until("connect slow")).await.unwrap();
    let media = [0; 1 << 10];
    let mut taken = 0;
    while timeout(Duration::from_millis(200), io.write_all(&media)).await.is_ok() {
        taken += media.len();
        assert!(taken < 1 << 20, "everything is read");
    }
    let bound = limits::RTMP_COMMAND_BYTES.get_usize();
    assert!(taken >= bound && taken < 2 * bound, "{taken}");
}

#[tokio::test]
async fn a_viewer_by_http_ends_when_its_leave_is_taken_back() {
    let doorman = Doorman::default();
    let server = Server::gated(doorman.gates());
    let _publisher = live(&server, "live", "cam").await;
    let peer = GraphPeer::new("HTTP-FLV", "1");
    let asking = Asking::new(Action::Play, "cam".parse().unwrap(), "1");
    let admitted = server.context.admit_viewer(&Client::new(peer.clone()), asking).await.unwrap();
    let subscription = server.context.hub().subscribe(&"cam".parse().unwrap(), peer).await.unwrap();
    let mut body = Box::pin(flv_stream(&server.context, subscription, admitted, false));
    assert!(body.next().await.is_some());
    doorman.revoke();
    timeout(SOON, async { while body.next().await.is_some() {} }).await.unwrap();
    drop(body);
    timeout(SOON, doorman.until("cam FAILED: the leave has been taken back")).await.unwrap();
}
