//! Servers that die, are stopped, and come back.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{hosts::Network, players::Recorder, program::until, report, shared_turn};

use super::{PATIENCE, Pair, cluster, longest_gap, named, publish, until_back, watch};
use crate::hosts::node::{Keys, Node};

/// An origin that names two edges in turn.
fn balanced(network: &Network) -> Result<(Node, [Node; 2])> {
    let keys = vec![("BALANCER__MODE", "round_robin".to_owned())];
    let edge = |name| (name, "edge", Keys::new());
    let [origin, edge, other] = cluster(network, [("origin", "origin", keys), edge("edge"), edge("other")])?;
    let edges = [edge, other];
    until("the balancer names both edges", PATIENCE, || {
        in_turn(&origin).is_ok_and(|hosts| edges.iter().all(|edge| hosts.contains(&Some(edge.host.address()))))
    })
    .with_context(|| origin.log())?;
    Ok((origin, edges))
}

/// Whom it names to four viewers, one after the other.
fn in_turn(balancer: &Node) -> Result<[Option<Ipv4Addr>; 4]> {
    Ok([named(balancer)?, named(balancer)?, named(balancer)?, named(balancer)?])
}

#[test]
fn an_origin_killed_and_started_anew_is_played_by_those_who_stayed() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let Pair { origin, edge, studio, home } = Pair::start(&network)?;
        let publisher = publish(&studio, &origin, "cam")?;
        let viewer = watch(&home, &edge, "cam")?;
        let killed = Instant::now();
        let host = origin.kill();
        drop(publisher);
        edge.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 1.0)?;
        let noticed = killed.elapsed();
        let origin = Node::start(host, "origin", &[], Vec::new())?;
        let ready = killed.elapsed();
        let _publisher = publish(&studio, &origin, "cam")?;
        let back = until_back(&viewer).with_context(|| edge.log())?;
        report(&format!(
            "a killed origin is noticed after {noticed:.1?} and was there again after {ready:.1?}; pictures came \
             {back:.1?} after its publisher"
        ));
        ensure!(back < Duration::from_secs(8), "pictures were back only after {back:?}");
        longest_gap(viewer)?;
        Ok(())
    })
}

#[test]
fn nobody_is_sent_to_a_killed_edge_and_its_origin_forgets_it() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let (origin, [edge, other]) = balanced(&network)?;
        let (studio, home) = (network.host("studio")?, network.host("home")?);
        let _publisher = publish(&studio, &origin, "cam")?;
        let _stays = watch(&home, &other, "cam")?;
        let mut viewers = Vec::new();
        for _ in 0..10 {
            viewers.push(home.inside(|| Recorder::rtmpdump(&edge.rtmp("cam")))?);
        }
        for viewer in &viewers {
            viewer.wait_pictures(10, PATIENCE)?;
        }
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 2.0).context("one for each edge")?;
        let (dead, alive) = (edge.host.address(), other.host.address());

        let killed = Instant::now();
        let _host = edge.kill();
        until("the balancer names the other edge alone", PATIENCE, || {
            in_turn(&origin).is_ok_and(|hosts| hosts.iter().all(|host| *host == Some(alive)))
        })
        .with_context(|| format!("{dead} was to be left out; {}", origin.log()))?;
        let left_out = killed.elapsed();
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 1.0)?;
        let forgotten = killed.elapsed();
        report(&format!(
            "a killed edge is named no more after {left_out:.1?}, and its session at the origin ended after {forgotten:.1?}"
        ));
        // Those who were on it go where the balancer says.
        let again = Instant::now();
        let there = watch(&home, &other, "cam")?;
        report(&format!("its viewers see pictures elsewhere {:.1?} after they ask", again.elapsed()));
        longest_gap(there)?;
        Ok(())
    })
}

#[test]
fn a_server_that_is_stopped_is_left_at_once_and_in_order() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let (origin, [edge, other]) = balanced(&network)?;
        let (studio, home) = (network.host("studio")?, network.host("home")?);
        let _publisher = publish(&studio, &origin, "cam")?;
        let mut viewer = watch(&home, &edge, "cam")?;
        let begun = Instant::now();
        let (_host, ended) = edge.stop()?;
        let stopped = begun.elapsed();
        ensure!(ended.status.code() == Some(0), "{}", ended.status);
        until("its viewer is let go", PATIENCE, || !viewer.runs())?;
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 0.0)?;
        let freed = begun.elapsed();
        origin.wait_nodes(1)?;
        let alive = other.host.address();
        until("the balancer names the other edge alone", PATIENCE, || {
            in_turn(&origin).is_ok_and(|hosts| hosts.iter().all(|host| *host == Some(alive)))
        })?;
        report(&format!(
            "an edge that is stopped is gone after {stopped:.1?}, its origin is free of it after {freed:.1?}"
        ));
        watch(&home, &other, "cam")?;
        Ok(())
    })
}
