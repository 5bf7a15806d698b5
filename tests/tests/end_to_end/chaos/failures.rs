//! Servers that die, come back, or are all started at once.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{hosts::Network, http, players::Recorder, program::until, report, shared_turn};

use super::{PATIENCE, Pair, longest_gap, named, publish, until_back, watch};
use crate::hosts::node::{Node, plain};

/// An origin that names two edges in turn.
fn balanced(network: &Network) -> Result<(Node, [Node; 2])> {
    let keys = vec![("BALANCER__MODE", "round_robin".to_owned())];
    let origin = Node::start(network.host("origin")?, "origin", &[], keys)?;
    let entry = plain(&origin.host);
    let edge = |name: &str| Node::start(network.host(name)?, "edge", &[&entry], Vec::new());
    let edges = [edge("edge")?, edge("other")?];
    origin.wait_nodes(2)?;
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
fn without_its_entry_point_a_cluster_plays_and_takes_viewers() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let entry = Node::start(network.host("entry")?, "edge", &[], Vec::new())?;
        let at_entry = plain(&entry.host);
        let start = |name: &str, role: &str| Node::start(network.host(name)?, role, &[&at_entry], Vec::new());
        let (origin, edge) = (start("origin", "origin")?, start("edge", "edge")?);
        origin.wait_nodes(2)?;
        edge.wait_nodes(2)?;
        let home = network.host("home")?;
        let _first = publish(&home, &origin, "first")?;
        let viewer = watch(&home, &edge, "first")?;

        let host = entry.kill();
        edge.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 1.0)?;
        let _second = publish(&home, &origin, "second")?;
        let asked = Instant::now();
        let another = watch(&home, &edge, "second")?;
        report(&format!("without the entry point a new stream plays after {:.1?}", asked.elapsed()));
        // Knows nobody but the entry point.
        let late = start("late", "edge")?;
        ensure!(late.metric("headwater_cluster_nodes")? == Some(0.0), "there was nobody to be known");
        let entry = Node::start(host, "edge", &[&plain(&origin.host)], Vec::new())?;
        let back = Instant::now();
        for server in [&entry, &late, &origin, &edge] {
            server.wait_nodes(3)?;
        }
        report(&format!("all know all {:.1?} after the entry point was back", back.elapsed()));
        longest_gap(another)?;
        let gap = longest_gap(viewer)?;
        report(&format!("who watched all the time had pictures at most {gap} ms apart"));
        ensure!(gap < 1_000, "a stream that does not go through the entry point stood for {gap} ms");
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

#[test]
fn all_servers_started_at_once_serve_a_crowd_soon() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let home = network.host("home")?;
        let hosts = ["origin", "edge1", "edge2"].map(|name| network.host(name));
        let [origin, edges @ ..] = hosts;
        let (origin, edges) = (origin?, edges.into_iter().collect::<Result<Vec<_>>>()?);
        let at_origin = plain(&origin);
        let begun = Instant::now();
        let entry = [at_origin.as_str()];
        let (origin, edges) = std::thread::scope(|scope| -> Result<(Node, Vec<Node>)> {
            let edge = |host| scope.spawn(move || Node::start(host, "edge", &entry, Vec::new()));
            let edges: Vec<_> = edges.into_iter().map(edge).collect();
            let origin = Node::start(origin, "origin", &[], Vec::new())?;
            let edges = edges.into_iter().map(|edge| edge.join().map_err(|_| anyhow::anyhow!("a start panicked"))?);
            Ok((origin, edges.collect::<Result<_>>()?))
        })?;
        let _publisher = publish(&home, &origin, "cam")?;
        // Viewers do not wait to be asked: they come as soon as there is somebody to answer.
        let served = home.inside(|| crowd(&edges, 100))?;
        report(&format!(
            "three servers started at once, a hundred viewers at once: all had media {:.1?} after the start, {} tries failed",
            begun.elapsed(),
            served
        ));
        for edge in &edges {
            edge.wait_nodes(2)?;
        }
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 2.0).context("one for each edge")?;
        Ok(())
    })
}

/// So many viewers come at once to some servers, and again when they are refused; gives how often that was.
fn crowd(edges: &[Node], viewers: usize) -> Result<usize> {
    std::thread::scope(|scope| {
        let each = (0..viewers).zip(edges.iter().cycle()).map(|(_, edge)| {
            scope.spawn(move || -> Result<usize> {
                let (deadline, mut refused) = (Instant::now() + PATIENCE, 0);
                while let Err(error) = http::first_bytes(&edge.http(), "/cam.flv", 50_000) {
                    ensure!(Instant::now() < deadline, "no media for a viewer: {error:#}");
                    refused += 1;
                    std::thread::sleep(Duration::from_millis(200));
                }
                Ok(refused)
            })
        });
        let each: Vec<_> = each.collect();
        let counts = each.into_iter().map(|one| one.join().map_err(|_| anyhow::anyhow!("a viewer panicked"))?);
        counts.sum::<Result<usize>>()
    })
}
