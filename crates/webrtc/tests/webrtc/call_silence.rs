//! A network that loses what one server sends another, and a publisher who has nothing to say: the first ends the
//! session soon, the second never.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use headwater_graph::{Hub, Peer};
use headwater_media::limits;
use headwater_webrtc::{Answer, Ended, Offer, PublishOptions, Session, WebRtc};
use tokio::net::UdpSocket;

use crate::{
    call::{FROM, Source, read, reader},
    publisher::{hub, name},
    viewer::server,
};

/// What the network lets through of what the sender says.
const ALL: u8 = 0;
const ALL_BUT_MEDIA: u8 = 1;
const NOTHING: u8 = 2;

/// Stands between two servers.
struct Between {
    address: SocketAddr,
    passes: Arc<AtomicU8>,
    task: tokio::task::JoinHandle<()>,
}

impl Between {
    async fn start(sender: SocketAddr) -> Between {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (near, far) = (bind().await.unwrap(), bind().await.unwrap());
        let (address, passes) = (near.local_addr().unwrap(), Arc::new(AtomicU8::new(ALL)));
        let lets = passes.clone();
        let task = tokio::spawn(async move {
            let (mut to_sender, mut to_receiver, mut receiver) = ([0; 2_048], [0; 2_048], None);
            loop {
                tokio::select! {
                    Ok((size, from)) = near.recv_from(&mut to_sender) => {
                        receiver = Some(from);
                        if lets.load(Relaxed) != NOTHING {
                            far.send_to(&to_sender[..size], sender).await.unwrap();
                        }
                    }
                    Ok((size, _)) = far.recv_from(&mut to_receiver) => {
                        let datagram = &to_receiver[..size];
                        let is_media = (128..192).contains(&datagram[0]) && !(192..224).contains(&datagram[1]);
                        let passes = match lets.load(Relaxed) {
                            ALL => true,
                            ALL_BUT_MEDIA => !is_media,
                            _ => false,
                        };
                        if let Some(receiver) = receiver.filter(|_| passes) {
                            near.send_to(datagram, receiver).await.unwrap();
                        }
                    }
                }
            }
        });
        Between { address, passes, task }
    }

    fn let_pass(&self, what: u8) {
        self.passes.store(what, Relaxed);
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Has `edge` fetch the stream of `origin`, as a server that works together with it.
async fn fetch(origin: (&Hub, &WebRtc), edge: (&Hub, &WebRtc)) -> (Session, Between) {
    let proposal = edge.1.propose();
    let subscription = origin.0.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
    let accepted = origin.1.view(Offer::parse(proposal.sdp()).unwrap(), subscription, FROM).await.unwrap();
    let is_udp = |line: &&str| line.starts_with("a=candidate") && line.to_lowercase().contains(" udp ");
    let port = accepted.sdp.lines().find(is_udp).and_then(|line| line.split(' ').nth(5)?.parse::<u16>().ok()).unwrap();
    let between = Between::start((Ipv4Addr::LOCALHOST, port).into()).await;
    let sdp = accepted.sdp.replace(&format!(" {port} typ"), &format!(" {} typ", between.address.port()));
    let publication = edge.0.publish(name(), Peer::new("WebRTC", "origin").with_server("origin")).unwrap();
    let answer = Answer::parse(&sdp).unwrap();
    let session = edge.1.call(proposal, answer, publication, PublishOptions::default(), FROM).await.unwrap();
    (session, between)
}

/// How the session ends once nothing but this passes, and after what time.
async fn ends(what: u8) -> (Ended, Duration) {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let source = tokio::spawn(Source::new(&origin).run());
    let (session, between) = fetch((&origin, &from), (&edge, &to)).await;
    let mut reader = reader(&edge).await;
    read(&mut reader, 50).await;
    between.let_pass(what);
    let begun = Instant::now();
    let ended = session.ended().await;
    let time = begun.elapsed();
    source.abort();
    to.stop().await;
    from.stop().await;
    (ended, time)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_between_servers_that_loses_everything_is_noticed_soon() {
    let (ended, time) = ends(NOTHING).await;
    assert_eq!(ended, Ended::Silent);
    assert!(time < Duration::from_secs(5), "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn media_that_is_reported_and_does_not_arrive_is_noticed_soon() {
    let (ended, time) = ends(ALL_BUT_MEDIA).await;
    assert_eq!(ended, Ended::Unheard);
    assert!(time < Duration::from_secs(8), "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_who_is_silent_keeps_the_session_between_servers() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Source::new(&origin);
    let (session, _between) = fetch((&origin, &from), (&edge, &to)).await;
    let watch = async {
        let mut reader = reader(&edge).await;
        read(&mut reader, 50).await;
        reader
    };
    let mut reader = tokio::select! {
        () = source.run_until(std::future::pending()) => return,
        reader = watch => reader,
    };
    let silence = limits::ROUTE_SILENCE_MS.get_duration() * 2 + Duration::from_secs(1);
    assert!(tokio::time::timeout(silence, session.ended()).await.is_err(), "{:?}", session.has_ended());
    let received = session.received();
    assert!(received.round_trip.is_some_and(|time| time < Duration::from_secs(1)), "{received:?}");
    let before = reader.pictures.len();
    tokio::select! {
        () = source.run_until(std::future::pending()) => {}
        () = read(&mut reader, before + 50) => {}
    }
    assert_eq!(session.has_ended(), None);
    to.stop().await;
    from.stop().await;
}
