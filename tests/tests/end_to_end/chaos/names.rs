//! Names of servers that stand for nothing for a while, and then for another address.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    hosts::{Host, Network},
    report, scratch, shared_turn,
};

use super::{longest_gap, publish, until_back, watch};
use crate::hosts::node::{Keys, Node, Surroundings};

const NAME: &str = "origin.example";

/// From now on the name stands for this host, or for nothing. The file stays the same one, as it lies over another.
fn stands_for(names: &Path, host: Option<&Host>) -> Result<()> {
    let lines = host.map_or_else(String::new, |host| format!("{} {NAME}\n", host.address()));
    std::fs::write(names, lines).context("the names could not be written")
}

#[test]
fn an_origin_is_found_at_another_address_and_streams_outlive_its_name() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let names = scratch("names")?;
        let around = Surroundings { names: Some(&names), ..Surroundings::default() };
        let (url, media) = (format!("ws://{NAME}:8084"), format!("ws://{NAME}:8080"));
        let origin = |host: Host, entry: &[&str]| {
            let keys: Keys = vec![("CLUSTER__URL", url.clone()), ("CLUSTER__MEDIA", media.clone())];
            Node::start_in(&around, host, "origin", entry, keys)
        };
        let (here, there, home) = (network.host("origin")?, network.host("origin")?, network.host("home")?);
        stands_for(&names, Some(&here))?;
        let first = origin(here, &[])?;
        let edge = Node::start_in(&around, network.host("edge")?, "edge", &[&url], Vec::new())?;
        edge.wait_nodes(1)?;
        let publisher = publish(&home, &first, "cam")?;
        let viewer = watch(&home, &edge, "cam")?;

        stands_for(&names, None)?;
        until_back(&viewer).context("what was there when the name went was to go on")?;
        edge.wait_nodes(1)?;

        let _gone = first.kill();
        drop(publisher);
        edge.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 1.0)?;
        stands_for(&names, Some(&there))?;
        let second = origin(there, &[])?;
        let _publisher = publish(&home, &second, "cam")?;
        let begun = Instant::now();
        let back = until_back(&viewer).with_context(|| edge.log())?;
        edge.wait_nodes(1)?;
        let gap = longest_gap(viewer)?;
        report(&format!(
            "an origin whose name stands for another address: pictures {back:.1?} after its publisher, all linked after \
             {:.1?}, longest gap by the stamps {gap} ms",
            begun.elapsed()
        ));
        ensure!(back < Duration::from_secs(20), "pictures were back only after {back:?}");
        Ok(())
    })
}
