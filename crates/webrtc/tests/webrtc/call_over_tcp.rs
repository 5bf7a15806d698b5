//! Servers between which no datagram gets through.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use headwater_graph::Peer;
use headwater_webrtc::{Answer, CallError, Ended, Offer, PublishOptions, Session, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    call::{FROM, Source, frame, read, reader},
    publisher::{hub, name},
    viewer::server,
};

/// Stands between two servers and can be cut. It takes one connection.
struct Wire {
    address: SocketAddr,
    passed: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Wire {
    async fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind((FROM, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let passed = Arc::new(AtomicU64::new(0));
        let count = passed.clone();
        let task = tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(server).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::join!(pass(from_client, to_server, &count), pass(from_server, to_client, &count));
        });
        Wire { address, passed, task }
    }
}

async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, passed: &AtomicU64) {
    // So little at once that datagrams arrive in pieces.
    let mut buffer = [0; 700];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        passed.fetch_add(count as u64, Relaxed);
    }
    let _ = to.shutdown().await;
}

/// An answer whose one candidate is a connection to there.
fn over_tcp(answer: &str, to: SocketAddr) -> Answer {
    let mut answer: String =
        answer.lines().filter(|line| !line.contains("candidate")).map(|line| format!("{line}\r\n")).collect();
    answer.push_str(&format!("a=candidate:1 1 tcp 1 {} {} typ host tcptype passive\r\n", to.ip(), to.port()));
    let mut answer = Answer::parse(&answer).unwrap();
    answer.over(Transport::Tcp);
    answer
}

/// Whether it ends as one whose connection was cut.
async fn is_cut(session: &Session) -> bool {
    matches!(session.ended().await, Ended::Failed(reason) if reason.contains("TCP connection"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_fetched_over_one_connection_and_waits_where_that_is_cut() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    // The second goes on in the place of the first.
    for _ in 0..2 {
        let wire = Wire::to(from.address()).await;
        let proposal = to.propose();
        let subscription = origin.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
        let accepted = from.view(Offer::parse(proposal.sdp()).unwrap(), subscription, FROM).await.unwrap();
        let publication = edge.publish(name(), Peer::new("WebRTC", "origin")).unwrap();
        let answer = over_tcp(&accepted.sdp, wire.address);
        let session = to.call(proposal, answer, publication, PublishOptions::default(), FROM).await.unwrap();
        assert!(session.flowing().await, "{:?}", session.has_ended());
        let mut reader = reader(&edge).await;
        read(&mut reader, 100).await;
        let seen: Vec<i64> = reader.pictures.iter().filter_map(frame).collect();
        assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
        assert_eq!(session.received().packets_lost, 0);
        assert!(wire.passed.load(Relaxed) > 5_000, "{} bytes", wire.passed.load(Relaxed));
        wire.task.abort();
        assert!(is_cut(&session).await, "{:?}", session.has_ended());
        assert_eq!(reader.subscription.has_ended(), None, "those who watch have stayed");
    }
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_brought_over_one_connection_and_ends_with_a_farewell() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    for is_ended_here in [false, true] {
        let wire = Wire::to(to.address()).await;
        let proposal = from.propose_sending(&origin.find(&name()).unwrap()).unwrap();
        let publication = edge.publish(name(), Peer::new("WebRTC", "origin")).unwrap();
        let offer = Offer::parse(proposal.sdp()).unwrap();
        let accepted = to.publish(offer, publication, PublishOptions::default(), FROM).await.unwrap();
        let subscription = origin.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
        let answer = over_tcp(&accepted.sdp, wire.address);
        let session = from.send(proposal, answer, subscription, FROM).await.unwrap();
        assert!(session.flowing().await, "{:?}", session.has_ended());
        let mut reader = reader(&edge).await;
        read(&mut reader, 100).await;
        let seen: Vec<i64> = reader.pictures.iter().filter_map(frame).collect();
        assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
        match is_ended_here {
            true => {
                session.end().await;
                assert_eq!(accepted.session.ended().await, Ended::PeerLeft, "a farewell was said");
            }
            false => {
                accepted.session.end().await;
                let ended = session.ended().await;
                assert!(matches!(ended, Ended::PeerLeft | Ended::Failed(_)), "{ended:?}");
            }
        }
    }
    source.abort();
    to.stop().await;
    from.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_connection_comes_about_it_is_told_and_nothing_is_left() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    let proposal = to.propose();
    let subscription = origin.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
    let accepted = from.view(Offer::parse(proposal.sdp()).unwrap(), subscription, FROM).await.unwrap();
    let closed = TcpListener::bind((FROM, 0)).await.unwrap().local_addr().unwrap();
    let mut datagrams_only: String =
        accepted.sdp.lines().filter(|line| !line.contains(" tcp ")).map(|line| format!("{line}\r\n")).collect();
    datagrams_only.push_str("a=candidate:9 1 tcp 1 127.0.0.1 9 typ host tcptype active\r\n");
    let mut datagrams_only = Answer::parse(&datagrams_only).unwrap();
    datagrams_only.over(Transport::Tcp);
    for (answer, words) in
        [(datagrams_only, "names no TCP address"), (over_tcp(&accepted.sdp, closed), "no connection")]
    {
        let publication = edge.publish(name(), Peer::new("WebRTC", "origin")).unwrap();
        let refused =
            to.call(proposal.clone(), answer, publication, PublishOptions::default(), FROM).await.unwrap_err();
        assert!(matches!(refused, CallError::NoPassiveCandidate | CallError::Connect(_)), "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
        assert_eq!(to.pending(), 0);
        assert_eq!(to.statistics().iter().map(|shard| shard.sessions).sum::<u64>(), 0);
    }
    source.abort();
    to.stop().await;
    from.stop().await;
}
