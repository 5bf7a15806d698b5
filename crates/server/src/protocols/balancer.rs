//! Viewers sent to one of several edges, for pages made with the WCS Web SDK.

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::Extensions;
use headwater_balancer::{
    Balancer, Candidate, Candidates, Carrier, Distribution, Edge, EdgeError, Mode, PATH, Settings, Statistics,
};
use headwater_cluster::{Cluster, NodeFacts, NodeState, Role};
use headwater_control::{Metric, Record, Source};
use headwater_net::{Dialer, Reach};
use headwater_relay::{Relays, Transport};

use super::{Context, Protocol, cluster::MediaSetting};
use crate::{
    config::{
        Complaint, Listener, Section, Value,
        section::section,
        setting::{Setting, quote},
    },
    error::StartError,
    reload::Switch,
};

section! {
    /// Viewers sent to one of several edges: http://HOST:8080/balancer on the ports of the web server, which pages made with the WCS Web SDK name as lbUrl.
    pub(crate) struct BalancerSection, "balancer" {
        /// The edges, by the addresses where they take sessions, such as "wss://edge1.example:8443"; one that takes them without TLS as well has a second entry, such as "ws://edge1.example:8080".
        @live edges: Vec<String> = Vec::new();
        /// Whether viewers are sent to the edges of the cluster as well, to `media` of their [cluster]. An edge whose host is in the list goes by that.
        cluster: bool = true;
        /// By what the edge for a viewer is chosen: "fewest_viewers", "least_loaded" (processor time), "round_robin" or "random".
        @live mode: By = By(Mode::FewestViewers);
        /// Time between two questions to an edge how it is, in milliseconds.
        @live poll_ms: u64 = 1_000, in 100..=60_000;
        /// A token that edges are shown where they tell how busy they are to those alone who may know; it needs the role viewer there.
        @live @secret token: Option<String> = None;
        /// How every stream that is published here is sent to all edges before anybody asks for it: "webrtc", "rtmp", or "" to send none. Edges inside a network of your own have to stand in `allow` of [relay].
        @live distribution: Option<Distributed> = None;
        /// What the media of "webrtc" goes over: "udp", or "tcp" for networks that let no UDP through.
        @live distribution_transport: MediaSetting = MediaSetting(Transport::Udp);
        /// The port of RTMP at the edges, where streams are sent there by it.
        @live distribution_port: u16 = 1935;
        /// A token that edges are shown where they let those alone publish who may.
        @live @secret distribution_token: Option<String> = None;
        /// A file with certificates of authorities in PEM that wss:// trusts besides those that browsers do.
        authorities: Option<PathBuf> = None;
    }
}

/// A mode as the configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct By(Mode);

impl Setting for By {
    fn read(value: &Value) -> Option<By> {
        match value {
            Value::Text(name) => Mode::named(name).map(By),
            _ => None,
        }
    }

    fn expects() -> String {
        let names: Vec<String> = Mode::ALL.map(|mode| quote(mode.name())).into();
        names.join(" or ")
    }

    fn write(&self) -> String {
        quote(self.0.name())
    }
}

/// A way to send streams as the configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distributed {
    WebRtc,
    Rtmp,
}

impl Setting for Distributed {
    fn read(value: &Value) -> Option<Distributed> {
        match value {
            Value::Text(name) if name == "webrtc" => Some(Distributed::WebRtc),
            Value::Text(name) if name == "rtmp" => Some(Distributed::Rtmp),
            _ => None,
        }
    }

    fn expects() -> String {
        "\"webrtc\" or \"rtmp\"".into()
    }

    fn write(&self) -> String {
        quote(match self {
            Distributed::WebRtc => "webrtc",
            Distributed::Rtmp => "rtmp",
        })
    }
}

/// The `balancer` crate in the server.
#[derive(Default)]
pub(super) struct Balancing {
    section: BalancerSection,
}

impl Balancing {
    fn settings(&self) -> Result<Settings, EdgeError> {
        Ok(Settings {
            edges: Edge::parse_list(&self.section.edges)?,
            mode: self.section.mode.0,
            pace: Duration::from_millis(self.section.poll_ms),
            token: self.section.token.clone(),
            distribution: self.section.distribution.map(|distributed| Distribution {
                carrier: match distributed {
                    Distributed::WebRtc => Carrier::WebRtc(self.section.distribution_transport.0),
                    Distributed::Rtmp => Carrier::Rtmp(self.section.distribution_port),
                },
                token: self.section.distribution_token.clone(),
            }),
        })
    }
}

impl Protocol for Balancing {
    fn sections(&self) -> Vec<&dyn Section> {
        vec![&self.section]
    }

    fn sections_mut(&mut self) -> Vec<&mut dyn Section> {
        vec![&mut self.section]
    }

    fn listeners(&self, _address: IpAddr) -> Vec<Listener> {
        Vec::new()
    }

    fn complaints(&self) -> Vec<Complaint> {
        let complaint = |error: EdgeError| Complaint {
            section: "balancer",
            key: "edges",
            message: format!("cannot be used: {error}"),
            remedy: "Write the address where each edge takes sessions, as ws://HOST:PORT or wss://HOST:PORT.".into(),
        };
        self.settings().err().map(complaint).into_iter().collect()
    }

    fn start(&self, context: &mut Context) -> Result<(), StartError> {
        let failed = |reason: String, key| StartError::Protocol {
            what: "balancer",
            reason,
            section: "balancer",
            place: context.place("balancer", key),
        };
        let settings = self.settings().map_err(|error| failed(error.to_string(), "edges"))?;
        let dialer = Dialer::new(Reach::default(), self.section.authorities.as_deref())
            .map_err(|error| failed(error.to_string(), "authorities"))?;
        let balancer = Balancer::new(dialer, settings);
        if let Some(cluster) = context.offered.get::<Cluster>().filter(|_| self.section.cluster) {
            balancer.add(Arc::new(EdgesOf { cluster: cluster.clone(), since: Instant::now() }));
        }
        context.routes.add(|path| path == PATH, balancer.router());
        context.add_source(Arc::new(BalancerSource(balancer.clone())));
        context.offered.insert(balancer.clone());
        if let Some(relays) = context.offered.get::<Relays>().cloned() {
            context.spawn(balancer.clone().distribute(context.hub.clone(), relays));
        }
        context.spawn(balancer.run());
        Ok(())
    }

    fn switch(&self, running: &Extensions) -> Option<Switch> {
        let (balancer, settings) = (running.get::<Balancer>()?.clone(), self.settings().ok()?);
        Some(Box::new(move || balancer.replace(settings)))
    }
}

/// The edges of a cluster.
struct EdgesOf {
    cluster: Cluster,
    since: Instant,
}

/// The longest time until other nodes know how busy one is.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

impl Candidates for EdgesOf {
    fn list(&self) -> Vec<Candidate> {
        let measured = self.since.elapsed().as_secs() / TOLD_WITHIN.as_secs();
        let mut nodes: Vec<NodeFacts> = self.cluster.nodes();
        nodes.retain(|node| node.role == Role::Edge);
        nodes.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
        nodes.into_iter().filter_map(|node| candidate(node, measured)).collect()
    }
}

fn candidate(node: NodeFacts, measured: u64) -> Option<Candidate> {
    let edge = Edge::parse_list(&[node.media]).ok()?.into_iter().next()?;
    Some(Candidate {
        id: node.id.to_string(),
        host: edge.host().to_owned(),
        ws: edge.ws(),
        wss: edge.wss(),
        viewers: Some(node.load.viewers),
        cpu: Some(f64::from(node.load.cpu_permille) / 10.0),
        is_alive: node.state == NodeState::Active,
        accepts: node.load.accepts,
        measured,
    })
}

/// What the balancer counts.
struct BalancerSource(Balancer);

impl Source for BalancerSource {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::gauge("balancer_edges", "Servers that viewers may be sent to, by whether they take some now.")
                .by("state"),
            Metric::gauge("balancer_edge_viewers", "Viewers that those servers have, as they tell."),
            Metric::counter("balancer_viewers", "Viewers that asked where to go, by whether there was a server.")
                .by("answer"),
        ]
    }

    fn read(&self, record: &mut Record<'_>) {
        let Statistics { open, closed, dead, viewers, sent, refused, .. } = self.0.statistics();
        for (state, count) in [("open", open), ("closed", closed), ("dead", dead)] {
            record("balancer_edges", state, count as f64);
        }
        record("balancer_edge_viewers", "", viewers as f64);
        for (answer, count) in [("sent", sent), ("refused", refused)] {
            record("balancer_viewers", answer, count as f64);
        }
    }
}
