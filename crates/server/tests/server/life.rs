//! Starting, being idle, stopping.

use std::time::Duration;

use headwater_graph::Peer;
use headwater_media::StreamName;
use headwater_server::StartError;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::support::{get, start, try_start, until_load};

#[tokio::test]
async fn a_port_in_use_is_told_with_the_key_to_change() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = try_start(&format!("[http]\nports = [{port}]")).await.err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, StartError::Listen { .. }));
    for part in
        ["HTTP cannot listen on", "another program", "`ports` in [http]", "HEADWATER__HTTP__PORTS", "test.toml:2"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn an_address_of_another_machine_is_told() {
    let lines = "[listen]\naddress = \"192.0.2.1\"\ninsecure = true";
    let error = try_start(lines).await.err().unwrap().to_string();
    assert!(error.contains("this machine does not have that address"), "{error}");
}

#[tokio::test]
async fn after_peers_have_left_the_server_is_as_before() {
    let server = start("").await;
    let address = server.address("HTTP").unwrap();
    get(address, "/healthz").await;
    let baseline = server.load();
    let fds = open_descriptors();
    for _ in 0..3 {
        let mut idle = Vec::new();
        for _ in 0..50 {
            idle.push(TcpStream::connect(address).await.unwrap());
            assert_eq!(get(address, "/").await.status, 200);
        }
        drop(idle);
        until_load(&server, baseline).await;
    }
    // Other tests of this process open and close descriptors at the same time.
    assert!(open_descriptors() < fds + 60, "{} descriptors, {fds} before", open_descriptors());
    assert!(server.stop().await);
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[tokio::test]
async fn stopping_ends_streams_and_idle_connections_and_frees_the_ports() {
    let server = start("").await;
    let address = server.address("HTTP").unwrap();
    let hub = server.hub().clone();
    let name = StreamName::new("a").unwrap();
    let mut publication = hub.publish(name.clone(), Peer::new("test", "p")).unwrap();
    publication.ready();
    let viewer = hub.subscribe(&name, Peer::new("test", "v")).await.unwrap();
    let terminated = publication.terminated();
    let mut idle = TcpStream::connect(address).await.unwrap();

    let stopped = tokio::spawn(server.stop());
    assert_eq!(terminated.await, "the server is stopping");
    drop(publication);
    assert_eq!(viewer.ended().await, "the server is stopping");
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), idle.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(stopped.await.unwrap());
    std::net::TcpListener::bind(address).unwrap();
}

#[tokio::test]
async fn a_task_that_does_not_end_is_cut_off_in_time() {
    let server = start("[process]\nstop_ms = 300").await;
    let address = server.address("HTTP").unwrap();
    // A request whose body never ends keeps its connection at work.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = b"POST /rest-api/stream/find HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, head).await.unwrap();
    crate::support::until("the request has come", || server.load().connections == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!server.stop().await);
}
