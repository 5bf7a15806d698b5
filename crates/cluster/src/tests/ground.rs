//! Nodes on loopback addresses of their own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use headwater_access::Secret;
use headwater_media::StreamName;
use headwater_net::{Dialer, Reach};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

use crate::{Cluster, NodeId, Role, Settings, StreamFacts, clock::Clock};

pub(super) const SECRET: &str = "a secret of the tests";

/// A node that listens.
pub(super) struct Seat {
    pub(super) cluster: Cluster,
    pub(super) address: SocketAddr,
    server: JoinHandle<()>,
}

pub(super) fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(super) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(super) fn facts(published_ms: u64, hops: u8) -> StreamFacts {
    StreamFacts { published_ms, hops, ..StreamFacts::default() }
}

pub(super) fn settings(name: &str, role: Role, address: SocketAddr) -> Settings {
    Settings {
        node: id(name),
        url: format!("ws://{address}"),
        media: format!("ws://{}:8080", address.ip()),
        role,
        groups: Vec::new(),
        entry: Vec::new(),
        secret: Secret::new(SECRET),
        allow: Vec::new(),
        version: "test".to_owned(),
        forget_after: None,
        plain: false,
        mutual: false,
    }
}

pub(super) fn dialer() -> Dialer {
    Dialer::new(Reach::new(["127.0.0.0/8"]).unwrap(), None).unwrap()
}

pub(super) async fn listen(last: u8) -> TcpListener {
    TcpListener::bind((Ipv4Addr::new(127, 0, 84, last), 0)).await.unwrap()
}

impl Seat {
    /// A node on 127.0.84.`last`, whose settings may be changed before it starts.
    pub(super) async fn start(last: u8, name: &str, role: Role, change: impl FnOnce(&mut Settings)) -> Seat {
        Seat::start_at(listen(last).await, name, role, 0, change)
    }

    /// On this listener, with a clock that is so much ahead.
    pub(super) fn start_at(
        listener: TcpListener,
        name: &str,
        role: Role,
        skew_ms: i64,
        change: impl FnOnce(&mut Settings),
    ) -> Seat {
        let address = listener.local_addr().unwrap();
        let mut settings = settings(name, role, address);
        change(&mut settings);
        let cluster = Cluster::new(settings, dialer(), Clock::new(skew_ms)).unwrap();
        cluster.look_for_others();
        let router = cluster.router().into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Seat { cluster, address, server }
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Goes without a word, as a process that is killed.
    pub(super) async fn kill(self) -> SocketAddr {
        self.server.abort();
        self.cluster.kill().await;
        self.address
    }

    /// The names of the nodes that it takes for alive.
    pub(super) fn active(&self) -> Vec<String> {
        active(&self.cluster)
    }

    /// Where it would fetch a stream, by the names of nodes.
    pub(super) fn places(&self, name: &str) -> Vec<String> {
        self.cluster.locate(&stream(name)).into_iter().map(|location| location.node.id.to_string()).collect()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(super) fn active(cluster: &Cluster) -> Vec<String> {
    let nodes = cluster.nodes().into_iter().filter(|node| node.state == crate::NodeState::Active);
    nodes.map(|node| node.id.to_string()).collect()
}

/// Waits until something holds; yields how long it took.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let begun = tokio::time::Instant::now();
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(40), waiting).await.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
    begun.elapsed()
}
