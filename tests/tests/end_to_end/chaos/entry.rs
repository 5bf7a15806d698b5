//! A cluster without its entry point: what plays goes on, who is new is let in, and all know all soon after its return.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{hosts::Network, is_long, report, shared_turn};

use super::{all_know_all, cluster, longest_gap, publish, watch};
use crate::hosts::node::{Keys, Node, plain};

/// How soon all know all once the entry point is back.
const CONVERGED: Duration = Duration::from_secs(10);
/// Milliseconds that two pictures of a stream that loses none are apart by their stamps, at thirty in a second, at most:
/// those of the encoder are whole milliseconds. A lost picture makes it 66.
const APART_MS: u32 = 40;

#[test]
fn without_its_entry_point_a_cluster_loses_no_picture_and_takes_viewers() -> Result<()> {
    let _turn = shared_turn();
    let away = if is_long() { Duration::from_secs(600) } else { Duration::from_secs(20) };
    let network = Network::new()?;
    network.inside(|| {
        let servers = [("entry", "edge"), ("origin", "origin"), ("edge", "edge")];
        let [entry, origin, edge] = cluster(&network, servers.map(|(name, role)| (name, role, Keys::new())))?;
        let at_entry = plain(&entry.host);
        let home = network.host("home")?;
        let _first = publish(&home, &origin, "first")?;
        let viewer = watch(&home, &edge, "first")?;

        let killed = Instant::now();
        let host = entry.kill();
        edge.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 1.0)?;
        let _second = publish(&home, &origin, "second")?;
        let asked = Instant::now();
        let another = watch(&home, &edge, "second")?;
        report(&format!("without the entry point a new stream plays after {:.1?}", asked.elapsed()));
        // Knows nobody but the entry point.
        let late = Node::start(network.host("late")?, "edge", &[&at_entry], Keys::new())?;
        ensure!(late.metric("headwater_cluster_nodes")? == Some(0.0), "there was nobody to be known");
        let mut came = 0;
        while killed.elapsed() < away {
            let new = watch(&home, &edge, "first").context("a viewer who came while the entry point was away")?;
            longest_gap(new)?;
            came += 1;
            std::thread::sleep(Duration::from_secs(3).min(away.saturating_sub(killed.elapsed())));
        }
        let lasted = killed.elapsed();
        let entry = Node::start(host, "edge", &[&plain(&origin.host)], Keys::new())?;
        let back = Instant::now();
        all_know_all([&entry, &late, &origin, &edge])?;
        let converged = back.elapsed();
        longest_gap(another)?;
        let gap = longest_gap(viewer)?;
        report(&format!(
            "the entry point was away for {lasted:.0?}: {came} viewers came meanwhile, who watched all the time had \
             pictures at most {gap} ms apart, all knew all {converged:.1?} after it was back"
        ));
        ensure!(gap <= APART_MS, "pictures of a stream that does not go through the entry point were lost: {gap} ms");
        ensure!(converged < CONVERGED, "all knew all only after {converged:?}");
        Ok(())
    })
}
