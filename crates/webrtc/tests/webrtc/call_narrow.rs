//! A network between servers that does not carry all renditions of a picture.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use headwater_graph::{Hub, Peer};
use headwater_media::TrackKind;
use headwater_webrtc::{Answer, Offer, PublishOptions, Session, WebRtc};
use tokio::{net::UdpSocket, time::sleep_until};

use crate::{
    call::FROM,
    call_renditions::{LABELS, Lane, Simulcast, lanes},
    publisher::{hub, name},
    viewer::server,
};

/// What waits longer is lost.
const QUEUE: Duration = Duration::from_millis(200);

/// Stands between two servers, and lets so many bits in a second through from the one that sends media.
pub(crate) struct Narrow {
    address: SocketAddr,
    bits: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Narrow {
    /// Before the server that was called; media comes from there, or from the one that calls.
    async fn start(called: SocketAddr, from_called: bool) -> Narrow {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (near, far) = (bind().await.unwrap(), bind().await.unwrap());
        let (address, bits) = (near.local_addr().unwrap(), Arc::new(AtomicU64::new(u64::MAX)));
        let rate = bits.clone();
        let task = tokio::spawn(async move {
            let (mut to_called, mut to_caller, mut caller) = ([0; 2_048], [0; 2_048], None);
            let (mut waiting, mut free) = (VecDeque::<(Instant, Vec<u8>)>::new(), Instant::now());
            loop {
                let due = waiting.front().map_or_else(|| Instant::now() + QUEUE, |(due, _)| *due);
                let (datagram, is_media) = tokio::select! {
                    Ok((size, from)) = near.recv_from(&mut to_called) => {
                        caller = Some(from);
                        (&to_called[..size], !from_called)
                    }
                    Ok((size, _)) = far.recv_from(&mut to_caller) => (&to_caller[..size], from_called),
                    () = sleep_until(due.into()), if !waiting.is_empty() => {
                        while waiting.front().is_some_and(|(due, _)| *due <= Instant::now()) {
                            let (_, datagram) = waiting.pop_front().unwrap();
                            pass(&datagram, from_called, (&near, caller), (&far, called)).await;
                        }
                        continue;
                    }
                };
                if !is_media {
                    pass(datagram, !from_called, (&near, caller), (&far, called)).await;
                    continue;
                }
                let now = Instant::now();
                let takes = Duration::from_secs_f64(datagram.len() as f64 * 8.0 / rate.load(Relaxed) as f64);
                let leaves = free.max(now) + takes;
                if leaves < now + QUEUE {
                    free = leaves;
                    waiting.push_back((leaves, datagram.to_vec()));
                }
            }
        });
        Narrow { address, bits, task }
    }

    pub(crate) fn limit(&self, bits: u64) {
        self.bits.store(bits, Relaxed);
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sends a datagram on: to the caller if it comes from the called, else to the called.
async fn pass(
    datagram: &[u8],
    from_called: bool,
    (near, caller): (&UdpSocket, Option<SocketAddr>),
    (far, called): (&UdpSocket, SocketAddr),
) {
    match caller.filter(|_| from_called) {
        Some(caller) => near.send_to(datagram, caller).await.unwrap(),
        None => far.send_to(datagram, called).await.unwrap(),
    };
}

/// The answer of a server, with a narrow network before it.
pub(crate) async fn narrowed(answer: &str, called: SocketAddr, from_called: bool) -> (Answer, Narrow) {
    let narrow = Narrow::start(called, from_called).await;
    let text = answer.replace(&format!(" {} ", called.port()), &format!(" {} ", narrow.address.port()));
    (Answer::parse(&text).unwrap(), narrow)
}

async fn fetch(origin: (&Hub, &WebRtc), edge: (&Hub, &WebRtc)) -> (Session, Narrow) {
    let proposal = edge.1.propose_renditions(&[]);
    let subscription = origin.0.subscribe(&name(), Peer::new("WebRTC", "edge")).await.unwrap();
    let accepted = origin.1.view(Offer::parse(proposal.sdp()).unwrap(), subscription, FROM).await.unwrap();
    let (answer, narrow) = narrowed(&accepted.sdp, origin.1.address(), true).await;
    let publication = edge.0.publish(name(), Peer::new("WebRTC", "origin")).unwrap();
    let session = edge.1.call(proposal, answer, publication, PublishOptions::default(), FROM).await.unwrap();
    (session, narrow)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_rendition_is_held_back_while_the_network_between_servers_does_not_carry_it() {
    let ((origin, from), (edge, to)) = ((hub(), server()), (hub(), server()));
    let mut source = Simulcast::new(&origin, &[0, 1, 2]);
    let (session, narrow) = fetch((&origin, &from), (&edge, &to)).await;
    hold_and_bring_back(&mut source, &edge, &narrow, &session).await;
    session.end().await;
    to.stop().await;
    from.stop().await;
}

/// Shows at the server that receives that the largest of three renditions is held back on a narrow network, that the
/// others go on whole, and that it comes again.
pub(crate) async fn hold_and_bring_back(source: &mut Simulcast, edge: &Hub, narrow: &Narrow, session: &Session) {
    let (subscription, mut lanes) = lanes(source, edge, &LABELS).await;
    let track = subscription.stream().track(TrackKind::Video).unwrap();
    let mut best = Lane::open(&subscription, track.native());
    let mut is_last = |number| {
        best.read();
        best.seen.last().is_some_and(|(of, ..)| *of == number)
    };
    source.run_until("all of them come", || lanes.iter_mut().all(|lane| lane.read() > 150) && is_last(2)).await;

    // The three take about 600 kilobits in a second, the two smaller ones about 190.
    narrow.limit(350_000);
    source.run_until("the lane of the best goes down", || is_last(1)).await;
    let mut quiet = (Instant::now(), lanes[2].read());
    let is_held = || {
        is_last(1);
        let count = lanes[2].read();
        if count != quiet.1 {
            quiet = (Instant::now(), count);
        }
        quiet.0.elapsed() > Duration::from_secs(1)
    };
    source.run_until("nothing comes of the largest", is_held).await;
    let (lost, frame) = (session.received().packets_lost, source.frame());
    for lane in &mut lanes {
        lane.read();
        lane.seen.clear();
    }
    let both = || lanes[..2].iter_mut().all(|lane| lane.read() > 100) && lanes[2].read() == 0;
    source.run_until("the smaller ones go on", both).await;
    assert_eq!(session.received().packets_lost, lost, "they come whole");
    for lane in &lanes[..2] {
        let fresh: Vec<i64> = lane.seen.iter().map(|(_, frame, _)| *frame).filter(|number| *number > frame).collect();
        assert!(fresh.windows(2).all(|pair| pair[1] == pair[0] + 1), "{fresh:?}");
    }
    narrow.limit(u64::MAX);
    source.run_until("the largest comes again", || is_last(2)).await;
}
