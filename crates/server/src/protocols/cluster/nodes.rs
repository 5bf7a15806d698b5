//! What the rest of the server asks of the cluster: who has a stream, who is a node, and the figures.

use std::net::SocketAddr;

use axum::{body::Body, http::Request, response::Response};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use headwater_cluster::{Cluster, NodeFacts, NodeId, NodeState, RemoveError, Role, Statistics};
use headwater_control::{Cdn, Hop, HopObject, Journal, Metric, NodeObject, NotRemoved, Record, ServerEvent, Source};
use headwater_graph::BoxFuture;
use headwater_media::StreamName;
use headwater_relay::{Relays, Route, Routes};
use tokio::sync::watch;

use super::{pass::Passing, way};

/// The other servers of the cluster.
pub(super) struct Nodes {
    pub(super) cluster: Cluster,
    pub(super) journal: Journal,
    /// How often media of one of them was found not to arrive over UDP.
    pub(super) blocked: Arc<AtomicU64>,
}

impl Routes for Nodes {
    fn find(&self, stream: &StreamName) -> Vec<Route> {
        let found = self.cluster.routes(stream).into_iter();
        found.map(|location| Route { server: location.node.id.into(), url: location.node.media }).collect()
    }

    fn is_alive(&self, server: &str) -> bool {
        NodeId::new(server).is_ok_and(|node| self.cluster.is_active(&node))
    }

    fn follow_stream(&self, stream: &StreamName) -> watch::Receiver<u64> {
        self.cluster.follow_stream(stream)
    }

    fn follow_server(&self, server: &str) -> watch::Receiver<u64> {
        // No node has a name that is not one, and nothing ever becomes of it.
        NodeId::new(server)
            .map_or_else(|_| watch::Sender::default().subscribe(), |node| self.cluster.follow_node(&node))
    }

    fn tell_blocked(&self, server: &str, reason: &str) {
        self.blocked.fetch_add(1, Relaxed);
        self.journal.tell(&ServerEvent::MediaBlocked { server: server.to_owned(), reason: reason.to_owned() });
    }

    fn proof(&self) -> String {
        self.cluster.token()
    }
}

/// The cluster for the REST API.
pub(super) struct ClusterCdn {
    pub(super) cluster: Cluster,
    pub(super) node: NodeId,
    pub(super) role: Role,
    pub(super) relays: Option<Relays>,
    pub(super) passing: Passing,
}

impl Cdn for ClusterCdn {
    fn own(&self) -> (String, String) {
        (self.node.to_string(), self.role.to_string().to_uppercase())
    }

    fn ask(&self, node: &str, call: Request<Body>, client: SocketAddr) -> Option<BoxFuture<'static, Response>> {
        self.passing.call(&NodeId::new(node).ok()?, call, client)
    }

    fn nodes(&self) -> Vec<NodeObject> {
        self.cluster.nodes().into_iter().map(node_object).collect()
    }

    fn hops(&self) -> Vec<Hop> {
        let pulls = self.relays.as_ref().map(Relays::pulls).unwrap_or_default();
        pulls.into_iter().filter_map(|pull| Some(Hop { stream: pull.name, from: pull.server? })).collect()
    }

    fn trace(&self, stream: &StreamName) -> Vec<HopObject> {
        way::trace(&self.cluster, (&self.node, self.role), self.relays.as_ref(), stream)
    }

    fn locate(&self, stream: &StreamName) -> Vec<String> {
        self.cluster.locate(stream).into_iter().map(|location| location.node.id.into()).collect()
    }

    fn remove(&self, node: &str) -> Result<(), NotRemoved> {
        let node = NodeId::new(node).map_err(|_| NotRemoved::Unknown)?;
        self.cluster.remove(&node).map_err(|error| match error {
            RemoveError::Active => NotRemoved::Active,
            _ => NotRemoved::Unknown,
        })
    }
}

fn node_object(node: NodeFacts) -> NodeObject {
    let is_active = node.state == NodeState::Active;
    NodeObject {
        id: node.id.into(),
        role: node.role.to_string().to_uppercase(),
        global_state: if is_active { "ACTIVE" } else { "PASSIVE" },
        processing_state: if node.load.accepts { "NEW_STREAMS_ALLOWED" } else { "GROUP_CONNECTIONS_ALLOWED" },
        version: node.version,
        groups: node.groups,
        viewers: node.load.viewers,
        cpu_percent: f64::from(node.load.cpu_permille) / 10.0,
        streams: node.streams as u64,
        passes_on: node.load.passes_on,
        media: node.media,
    }
}

/// What the cluster counts.
pub(super) struct ClusterSource {
    pub(super) cluster: Cluster,
    pub(super) blocked: Arc<AtomicU64>,
}

type Figure = (&'static str, &'static str, fn(&Statistics) -> u64);

const COUNTED: [Figure; 10] = [
    ("links_opened", "Connections to other nodes that were opened.", |counted| counted.links_opened),
    ("links_refused", "Connections that were refused since they did not prove to be a node's.", |counted| {
        counted.refused
    }),
    ("messages_received", "Messages received from other nodes.", |counted| counted.received),
    ("bytes_received", "Their bytes.", |counted| counted.received_bytes),
    ("messages_sent", "Messages sent to other nodes.", |counted| counted.sent),
    ("bytes_sent", "Their bytes.", |counted| counted.sent_bytes),
    ("messages_unsent", "Messages that were not sent, as too many waited or there was no link.", |counted| {
        counted.unsent
    }),
    ("messages_malformed", "Messages that no node sends; their link was closed.", |counted| counted.malformed),
    ("messages_oversized", "Messages that were too large; their link was closed.", |counted| counted.oversized),
    (
        "entries_left_out",
        "Entries of other nodes that were left out: too many, not understood or not theirs.",
        |counted| counted.left_out,
    ),
];

impl Source for ClusterSource {
    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = vec![
            Metric::gauge("cluster_links", "Connections to other nodes now."),
            Metric::gauge("cluster_nodes", "Other nodes that live."),
            Metric::gauge("cluster_nodes_gone", "Other nodes that are known and cannot be reached."),
            Metric::gauge("cluster_streams", "Streams of all nodes that live."),
        ];
        metrics.push(Metric::counter(
            "cluster_media_blocked",
            "Times that media of another node was found not to arrive over UDP; it is fetched over TCP for some minutes then.",
        ));
        metrics.extend(COUNTED.iter().map(|(name, what, _)| Metric::counter(format!("cluster_{name}"), *what)));
        metrics
    }

    fn read(&self, record: &mut Record<'_>) {
        let (counted, nodes) = (self.cluster.statistics(), self.cluster.nodes());
        let living = nodes.iter().filter(|node| node.state == NodeState::Active).count();
        record("cluster_links", "", counted.links as f64);
        record("cluster_nodes", "", living as f64);
        record("cluster_nodes_gone", "", (nodes.len() - living) as f64);
        record("cluster_streams", "", self.cluster.streams().len() as f64);
        record("cluster_media_blocked", "", self.blocked.load(Relaxed) as f64);
        for (name, _, figure) in COUNTED {
            record(&format!("cluster_{name}"), "", figure(&counted) as f64);
        }
    }
}
