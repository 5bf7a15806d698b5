//! An origin and an edge on one machine, that find each other, with another edge between them or none.

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
    /// The edge of the edge's group that passes streams on to it.
    pub(super) middle: Option<Server>,
    pub(super) origin: Server,
}

impl Nodes {
    /// Starts both, and a third between them if streams are to go over two hops. Returns when they know each other.
    pub(super) fn start(options: &server::Options, hops: usize) -> Result<Nodes> {
        let url = |port: u16| format!("ws://127.0.0.1:{port}");
        let start = |(role, name): (&str, &str), port: u16, entry: &str, keys: &str| {
            Server::configured(
                options,
                0,
                &format!(
                    "[cluster]\nenabled = true\nrole = \"{role}\"\nnode = \"{name}\"\ntls = false\n\
                     url = \"{}\"\nport = {port}\nentry = [{entry}]\nsecret = \"{SECRET}\"\n{keys}",
                    url(port)
                ),
            )
            .with_context(|| format!("the {name} does not start"))
        };
        let port = free_tcp_port()?;
        let entry = format!("\"{}\"", url(port));
        // Streams of another group come by way of the server of the own one that passes them on.
        let (far, near) = if hops > 1 { ("groups = [\"far\"]\n", "groups = [\"near\"]\n") } else { ("", "") };
        let origin = start(("origin", "origin"), port, "", far)?;
        let passing = format!("{near}pass_on = true\n");
        let middle = (hops > 1).then(|| start(("edge", "middle"), free_tcp_port()?, &entry, &passing)).transpose()?;
        let edge = start(("edge", "edge"), free_tcp_port()?, &entry, near)?;
        let nodes = Nodes { edge, middle, origin };
        nodes.wait("cluster_nodes", if nodes.middle.is_some() { 2.0 } else { 1.0 })?;
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

    /// What all have logged.
    pub(super) fn log(&self) -> String {
        let middle = self.middle.as_ref().map(Server::log).unwrap_or_default();
        format!("origin: {}\nmiddle: {middle}\nedge: {}", self.origin.log(), self.edge.log())
    }
}
