//! An origin and an edge on one machine, that find each other.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::server::{self, Server, free_tcp_port};

const SECRET: &str = "a secret of these benches";
/// Time for nodes to know each other, and what is published.
const KNOWN_MAX: Duration = Duration::from_secs(20);

/// An origin and an edge.
pub(super) struct Nodes {
    pub(super) edge: Server,
    pub(super) origin: Server,
}

impl Nodes {
    /// Starts both and returns when they know each other.
    pub(super) fn start(options: &server::Options) -> Result<Nodes> {
        let url = |port: u16| format!("ws://127.0.0.1:{port}");
        let start = |role: &str, port: u16, entry: &str| {
            Server::configured(
                options,
                0,
                &format!(
                    "[cluster]\nenabled = true\nrole = \"{role}\"\nnode = \"{role}\"\ntls = false\n\
                     url = \"{}\"\nport = {port}\nentry = [{entry}]\nsecret = \"{SECRET}\"\n",
                    url(port)
                ),
            )
            .with_context(|| format!("the {role} does not start"))
        };
        let port = free_tcp_port()?;
        let origin = start("origin", port, "")?;
        let edge = start("edge", free_tcp_port()?, &format!("\"{}\"", url(port)))?;
        let nodes = Nodes { edge, origin };
        nodes.wait("cluster_nodes", 1.0)?;
        Ok(nodes)
    }

    /// Waits until the edge has this figure.
    pub(super) fn wait(&self, name: &str, figure: f64) -> Result<()> {
        let deadline = Instant::now() + KNOWN_MAX;
        let name = format!("headwater_{name}");
        loop {
            let found = self.edge.metric(&name)?;
            if (found - figure).abs() < 0.5 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{name} of the edge is {found} and not {figure}: {}", self.edge.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sessions that have ever connected at the origin: publishers, viewers and edges.
    pub(super) fn connected_at_origin(&self) -> Result<f64> {
        self.origin.metric("headwater_webrtc_sessions_connected_total")
    }

    /// What both have logged.
    pub(super) fn log(&self) -> String {
        format!("origin: {}\nedge: {}", self.origin.log(), self.edge.log())
    }
}
