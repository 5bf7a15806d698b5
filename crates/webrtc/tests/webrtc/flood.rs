//! Floods from addresses that have proved nothing, and from one that has proved only itself.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use headwater_webrtc::Ended;

use crate::{
    publisher::{Publisher, hub},
    viewer::{Viewer, server},
};

/// A DTLS 1.2 ClientHello that offers nothing but the cipher that does not encipher (RFC 5246 §7.4.1.2, RFC 6347 §4.2).
fn hello() -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([7; 32]);
    // No session, no cookie, one cipher suite, one compression method.
    body.extend([0, 0, 0, 2, 0, 0, 1, 0]);
    fragment(1, body.len() as u32, 0, &body)
}

/// One fragment of a handshake message in a record of its own.
fn fragment(kind: u8, whole: u32, at: u32, part: &[u8]) -> Vec<u8> {
    let three = |number: u32| number.to_be_bytes()[1..].to_vec();
    let mut datagram = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
    datagram.extend((part.len() as u16 + 12).to_be_bytes());
    datagram.push(kind);
    datagram.extend(three(whole));
    datagram.extend([0, 0]);
    datagram.extend(three(at));
    datagram.extend(three(part.len() as u32));
    datagram.extend(part);
    datagram
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w1_ten_thousand_forged_hellos_a_second_hinder_none_of_a_hundred_joins() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let (over, thrown) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let to = server.address();
    let thrower = thread::spawn({
        let (over, thrown) = (over.clone(), thrown.clone());
        move || {
            let sockets: Vec<UdpSocket> = (0..20).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
            let (hello, begun) = (hello(), Instant::now());
            while !over.load(Relaxed) {
                let due = begun.elapsed().as_millis() as u64 * 10;
                while thrown.load(Relaxed) < due {
                    let number = thrown.fetch_add(1, Relaxed);
                    sockets[number as usize % sockets.len()].send_to(&hello, to).unwrap();
                }
                thread::sleep(Duration::from_millis(1));
            }
            begun.elapsed()
        }
    });
    let joins = (0..10).map(|_| {
        let (hub, server) = (hub.clone(), server.clone());
        tokio::spawn(async move {
            for _ in 0..10 {
                let mut viewer = Viewer::join(&hub, &server).await;
                viewer.run_until("video all the same", |viewer| viewer.of(true).count() > 5).await;
                viewer.accepted.unwrap().session.end().await;
            }
        })
    });
    for join in joins.collect::<Vec<_>>() {
        join.await.unwrap();
    }
    over.store(true, Relaxed);
    let time = thrower.join().unwrap();
    let (thrown, statistics) = (thrown.load(Relaxed), server.statistics()[0]);
    assert!(thrown as f64 > 8_000.0 * time.as_secs_f64(), "{thrown} in {time:?}");
    assert_eq!((statistics.connected, statistics.bugs), (100, 0));
    assert!(statistics.datagrams_ignored > thrown / 2, "{statistics:?}");
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w2_five_thousand_unproven_sources_are_not_remembered() {
    let (hub, server) = (hub(), server());
    let to = server.address();
    let throw = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..4 {
            socket.send_to(&hello(), to).unwrap();
        }
        let mut buffer = [0; 100];
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv(&mut buffer).is_err(), "an unproven address was answered");
    };
    (0..500).for_each(|_| throw());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = resident();
    for _ in 0..50 {
        (0..100).for_each(|_| throw());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes more after 5,000 sources");
    let statistics = server.statistics()[0];
    assert_eq!((statistics.sessions, statistics.datagrams, statistics.bugs, server.pending()), (0, 0, 0, 0));
    assert!(statistics.datagrams_ignored > 15_000, "{statistics:?}");
    tokio::spawn(Publisher::new(&hub).run());
    let mut viewer = Viewer::join(&hub, &server).await;
    viewer.run_until("video afterwards", |viewer| viewer.of(true).count() > 10).await;
}

/// A peer that has proved its address begins a message of 16 MiB and sends piece after piece of it.
#[tokio::test(flavor = "multi_thread")]
async fn attack_w2_a_handshake_message_without_end_ends_its_session() {
    let (hub, server) = (hub(), server());
    let mut publisher = Publisher::new(&hub);
    publisher.write_frame();
    let mut viewer = Viewer::join(&hub, &server).await;
    // ICE goes on, DTLS does not begin.
    viewer.holds = Box::new(|datagram| datagram.first().is_some_and(|first| (20..=63).contains(first)));
    viewer.run_until("the address has proved itself", |viewer| viewer.is_answered).await;
    let before = resident();
    let part = [0; 1_150];
    for number in 0..2_000u32 {
        viewer.send_raw(&fragment(1, 0x00ff_ffff, number * part.len() as u32, &part)).await;
        if number % 50 == 0 {
            viewer.run_for(Duration::from_millis(1)).await;
        }
    }
    let session = viewer.accepted.as_ref().unwrap().session.clone();
    assert!(matches!(session.ended().await, Ended::Failed(_)));
    let grown = resident().saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes of a message that never ends are kept");
    let statistics = server.statistics()[0];
    assert_eq!((statistics.sessions, statistics.bugs, server.pending()), (0, 0, 0));
    let mut other = Viewer::join(&hub, &server).await;
    other.run_until("the connection of another", |viewer| viewer.connected.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_w9_nothing_is_sent_to_the_candidates_of_an_offer() {
    let (hub, server) = (hub(), server());
    tokio::spawn(Publisher::new(&hub).run());
    let victim = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = victim.local_addr().unwrap().port();
    let odd = [
        format!("1 1 udp 2130706431 127.0.0.1 {port} typ host"),
        format!("2 2 udp 2130706430 127.0.0.1 {port} typ host"),
        format!("3 7 udp 2130706429 127.0.0.1 {port} typ host"),
        format!("4 1 tcp 2130706428 127.0.0.1 {port} typ host tcptype passive"),
        format!("5 1 udp 1 localhost {port} typ host"),
        "6 1 udp 1 0c8a7d2e-9d7e-4f6a-a5a0-0a3c4b2f6e11.local 9 typ host".to_owned(),
        "7 1 udp 1 169.254.169.254 80 typ host".to_owned(),
        "8 1 udp 1 127.0.0.1 0 typ host".to_owned(),
    ];
    let lines: String = odd.iter().map(|line| format!("a=candidate:{line}\r\n")).collect();
    let mut viewer = Viewer::join_saying(&hub, &server, false, |offer| format!("{offer}{lines}")).await.unwrap();
    viewer.run_until("video at the address that has proved itself", |viewer| viewer.of(true).count() > 100).await;
    victim.set_nonblocking(true).unwrap();
    assert!(victim.recv(&mut [0; 2_000]).is_err(), "the victim was sent something");
    assert_eq!(server.statistics()[0].bugs, 0);
}
