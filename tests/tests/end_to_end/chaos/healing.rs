//! How soon all is well once a cut is over, and what goes on meanwhile on the side that cannot know better.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{hosts::Network, program::until, report, shared_turn};

use super::{Pair, longest_gap, pictures, publish, until_back, watch};
use crate::hosts::node::Node;

/// What is promised is two seconds; a machine that is busy gets some more.
const HEALED: Duration = Duration::from_secs(5);
const LET_GO: &str = "headwater_limit_hits_total{limit=\"wcs_server_silence_ms\"}";

/// How often an origin has let go of another server that said nothing.
fn let_go(origin: &Node) -> Result<f64> {
    let page = headwater_tests::http::get(&origin.http(), "/metrics")?.body;
    let line = page.lines().find_map(|line| line.strip_prefix(LET_GO)).with_context(|| format!("no {LET_GO}"))?;
    Ok(line.trim().parse()?)
}

#[test]
fn an_origin_sends_no_more_to_an_edge_whose_cable_is_out() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let pair = Pair::start(&network)?;
        let _publisher = publish(&pair.studio, &pair.origin, "cam")?;
        let viewer = watch(&pair.home, &pair.edge, "cam")?;
        pair.origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 1.0)?;
        ensure!(let_go(&pair.origin)? == 0.0);
        let pulled = Instant::now();
        pair.edge.host.unplug()?;
        pair.origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 0.0)?;
        let freed = pulled.elapsed();
        pair.edge.host.plug()?;
        let back = until_back(&viewer).with_context(|| pair.edge.log())?;
        report(&format!(
            "an origin sends to an edge whose cable is out for {freed:.1?} more; pictures {back:.1?} after it is in"
        ));
        ensure!(let_go(&pair.origin)? == 1.0, "it was for another reason: {}", pair.origin.log());
        ensure!(freed < Duration::from_secs(9), "it was sent media for {freed:.1?}");
        longest_gap(viewer)?;
        Ok(())
    })
}

/// Cut where waits and retries are: within the silence of links, at its end, and when each side only tries.
#[test]
fn after_a_cut_of_any_length_servers_meet_and_pictures_are_back_soon() -> Result<()> {
    let _turn = shared_turn();
    let long = std::env::var_os("HEADWATER_TEST_LONG").is_some();
    let lengths: &[u64] = if long { &[2_500, 3_800, 6_500, 12_000, 28_000] } else { &[3_800, 12_000] };
    let network = Network::new()?;
    network.inside(|| {
        let pair = Pair::start(&network)?;
        let _publisher = publish(&pair.studio, &pair.origin, "cam")?;
        let viewer = watch(&pair.home, &pair.edge, "cam")?;
        for length in lengths.iter().copied().map(Duration::from_millis) {
            let begun = Instant::now();
            Network::part(&[&pair.origin.host], &[&pair.edge.host])?;
            pair.edge.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 1.0)?;
            std::thread::sleep(length.saturating_sub(begun.elapsed()));
            let lasted = begun.elapsed();
            Network::heal(&[&pair.origin.host, &pair.edge.host])?;
            let (healed, before) = (Instant::now(), pictures(&viewer));
            let (mut met, mut first) = (None, None);
            until("both know each other, and a picture is seen", HEALED * 4, || {
                let knows = |node: &Node| node.metric("headwater_cluster_nodes").ok() == Some(Some(1.0));
                if first.is_none() && pictures(&viewer) > before {
                    first = Some(healed.elapsed());
                }
                if met.is_none() && [&pair.origin, &pair.edge].into_iter().all(knows) {
                    met = Some(healed.elapsed());
                }
                met.is_some() && first.is_some()
            })
            .with_context(|| format!("{}\n{}", pair.origin.log(), pair.edge.log()))?;
            let (met, first) = (met.unwrap_or_default(), first.unwrap_or_default());
            until_back(&viewer).with_context(|| pair.edge.log())?;
            report(&format!(
                "cut apart for {lasted:.1?}: met {met:.1?} after it, the first picture seen {first:.1?} after it"
            ));
            ensure!(first < HEALED, "after {lasted:.1?} a picture came only {first:?} later: {}", pair.edge.log());
            ensure!(met < HEALED, "after {lasted:.1?} both met only {met:.1?} later: {}", pair.edge.log());
        }
        longest_gap(viewer)?;
        Ok(())
    })
}
