//! Servers that show each other certificates.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::{hosts::Network, players::Recorder, program::until, shared_turn, source::Source};

use crate::hosts::node::{Authority, Keys, Node, secure};

const SOON: Duration = Duration::from_secs(30);

fn mutual() -> Keys {
    vec![("CLUSTER__MUTUAL_TLS", "true".to_owned())]
}

/// Waits until a server has said something.
fn wait_said(node: &Node, words: &str) -> Result<()> {
    until(&format!("{} says {words:?}", node.host.name()), SOON, || node.log().contains(words))
        .with_context(|| node.log())
}

fn knows(node: &Node, others: f64) -> Result<()> {
    let nodes = node.metric("headwater_cluster_nodes")?;
    ensure!(nodes == Some(others), "{} knows {nodes:?} others", node.host.name());
    Ok(())
}

#[test]
fn servers_that_show_each_other_certificates_take_in_nobody_without_one_of_theirs() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let (ours, others) = (Authority::new()?, Authority::new()?);
        let origin = Node::trusted(network.host("origin")?, "origin", &[], &ours, mutual())?;
        let entry = secure(&origin.host);
        let edge = Node::trusted(network.host("edge")?, "edge", &[&entry], &ours, mutual())?;
        edge.wait_nodes(1)?;
        let source = Source::default().publish(&origin.rtmp("cam"))?;
        origin.wait_published("cam")?;
        let viewer = Recorder::rtmpdump(&edge.rtmp("cam"))?;
        viewer.wait_pictures(30, Duration::from_secs(20)).with_context(|| edge.log())?;
        viewer.finish()?;
        drop(source);

        // Both know the secret, and trust the origin.
        let without = Node::trusted(network.host("without")?, "edge", &[&entry], &ours, Keys::new())?;
        wait_said(&origin, "the other side shows no certificate")?;
        wait_said(&without, "does not take this node's certificate")?;
        knows(&without, 0.0)?;
        // Lines that are like another are folded for some seconds: it must not go on meanwhile.
        drop(without);
        let mut keys = mutual();
        keys.push(("CLUSTER__AUTHORITIES", ours.certificate.to_string_lossy().into_owned()));
        let foreign = Node::trusted(network.host("foreign")?, "edge", &[&entry], &others, keys)?;
        wait_said(&origin, "the certificate of the other side is not taken")?;

        // And who shows a certificate takes no link to a server whose own is from elsewhere.
        let at_foreign = secure(&foreign.host);
        let careful = Node::trusted(network.host("careful")?, "edge", &[&at_foreign], &ours, mutual())?;
        wait_said(&careful, "invalid peer certificate")?;
        knows(&origin, 1.0)?;
        knows(&foreign, 0.0)?;
        knows(&careful, 0.0)
    })
}

#[test]
fn who_has_a_certificate_of_its_own_is_taken_for_nobody_else() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let ours = Authority::new()?;
        let origin = Node::trusted(network.host("origin")?, "origin", &[], &ours, mutual())?;
        let entry = secure(&origin.host);
        let edge = Node::trusted(network.host("edge")?, "edge", &[&entry], &ours, mutual())?;
        origin.wait_nodes(1)?;
        let at_edge = secure(&edge.host);
        edge.kill();
        origin.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 1.0)?;

        // The node is gone; who knows the secret and has a certificate of its own says that it is that node.
        let thief = |name: &str, keys: [(&'static str, &str); 2]| {
            let keys = keys.map(|(key, value)| (key, value.to_owned())).into_iter().chain(mutual());
            Node::trusted(network.host(name)?, "edge", &[&entry], &ours, keys.collect())
        };
        let elsewhere = thief("elsewhere", [("CLUSTER__NODE", "thief"), ("CLUSTER__URL", &at_edge)])?;
        wait_said(&origin, "where the node says that it is")?;
        wait_said(&elsewhere, "its certificate does not prove who it is")?;
        knows(&elsewhere, 0.0)?;
        drop(elsewhere);
        let own = format!("wss://{}:8084", network.host("nobody")?.address());
        let named = thief("named", [("CLUSTER__NODE", "edge"), ("CLUSTER__MEDIA", &own)])?;
        wait_said(&origin, "is not for the name")?;
        knows(&named, 0.0)?;
        knows(&origin, 0.0)
    })
}
