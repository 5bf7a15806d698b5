//! Several shards at one port.

use headwater_graph::Peer;
use headwater_media::Codec;
use headwater_net::Quota;
use headwater_webrtc::{Config, Fragment, Offer, PublishOptions, WebRtc};

use crate::{
    publisher::{Publisher, hub, name},
    sender::{Plan, Sender, offer, reader},
    viewer::Viewer,
};

const SHARDS: usize = 3;
/// By so many sessions the shard that reads the port may lead before publishers go elsewhere, and one more.
const READER_FULL: usize = 65;

fn server() -> WebRtc {
    let config = Config { port: 0, shards: SHARDS, ..Config::default() };
    WebRtc::start(&config, &Quota::connections()).unwrap()
}

fn sessions(server: &WebRtc) -> Vec<u64> {
    server.statistics().iter().map(|shard| shard.sessions).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_of_all_shards_are_served_at_one_port_by_udp_and_by_tcp() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewers = Vec::new();
    for tcp in [false, false, false, true, true, true] {
        viewers.push(Viewer::try_join(&hub, &server, tcp).await.unwrap());
    }
    assert_eq!(sessions(&server), [2, 2, 2], "each goes to the emptiest");
    for viewer in &mut viewers {
        viewer.run_until("20 frames", |viewer| viewer.of(true).count() >= 100).await;
        let numbers: Vec<u64> = viewer.of(true).map(|packet| *packet.seq_no).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
    for shard in server.statistics() {
        assert_eq!((shard.connected, shard.datagrams_lost, shard.bugs), (2, 0, 0), "{shard:?}");
    }
    // At another address one of them is found as well.
    let viewer = &mut viewers[1];
    let fragment = Fragment::parse(&viewer.move_to_another_address().await).unwrap();
    let session = viewer.accepted.as_ref().unwrap().session.clone();
    let answer = session.restart_ice(fragment).await.expect("the session lives");
    viewer.take_restart(&answer);
    let before = viewer.of(true).count();
    viewer.run_until("video at the new address", |viewer| viewer.of(true).count() > before + 100).await;
    for mut viewer in viewers {
        viewer.leave().await;
        viewer.accepted.as_ref().unwrap().session.ended().await;
    }
    assert_eq!(sessions(&server), [0, 0, 0]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shard_that_reads_for_all_gets_fewer_viewers() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let mut sessions_of = Vec::new();
    for _ in 0..60 {
        let subscription = hub.subscribe(&name(), Peer::new("WebRTC", "viewer")).await.unwrap();
        let offer = Offer::parse(server.propose().sdp()).unwrap();
        sessions_of.push(server.view(offer, subscription, "127.0.0.1".parse().unwrap()).await.unwrap());
    }
    let sessions = sessions(&server);
    assert_eq!(sessions.iter().sum::<u64>(), 60);
    assert!((16..=18).contains(&sessions[0]) && sessions[1].abs_diff(sessions[2]) <= 1, "{sessions:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_comes_in_whole_by_a_shard_that_does_not_read_the_port() {
    let server = server();
    let mut waiting = Vec::new();
    for _ in 0..READER_FULL {
        let other = hub();
        let publication = other.publish(name(), Peer::new("WebRTC", "sender")).unwrap();
        let offer = Offer::parse(&offer(Codec::H264).await.2).unwrap();
        let from = "127.0.0.1".parse().unwrap();
        waiting.push((server.publish(offer, publication, PublishOptions::default(), from).await.unwrap(), other));
    }
    assert_eq!(sessions(&server), [READER_FULL as u64, 0, 0], "publishers go to the shard that reads");
    let hub = hub();
    let mut sender = Sender::publish(&hub, &server, Plan::default()).await;
    assert_eq!(sessions(&server), [READER_FULL as u64, 1, 0]);
    let mut reader = reader(&hub, &mut sender).await;
    sender.run_until("100 packets", |_| reader.read() >= 100).await;
    assert!(reader.pictures.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
    let statistics = server.statistics();
    assert!(statistics[1].packets_received > 40 && statistics[0].packets_received == 0, "{statistics:?}");
    assert!(statistics.iter().all(|shard| shard.datagrams_lost == 0), "{statistics:?}");
    sender.leave().await;
    server.stop().await;
}
