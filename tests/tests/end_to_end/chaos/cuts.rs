//! Networks that are cut for a while, whole or in part.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    hosts::{Host, Network},
    program::until,
    report, shared_turn,
};

use super::{PATIENCE, Pair, all_know_all, cluster, longest_gap, publish, until_back, until_still, watch};
use crate::hosts::node::{Node, plain};

/// Within what pictures have to be back once a cut is over: what is awaited is two seconds, and a busy machine.
const BACK: Duration = Duration::from_secs(8);
/// How long a picture has to stand to be taken for still.
const STILL: Duration = Duration::from_secs(1);

/// Cuts a stream off for a while by `cut`, and sees it come back.
fn cut(what: &str, length: Duration, cut: impl Fn(&Pair) -> Result<()> + Sync) -> Result<()> {
    let network = Network::new()?;
    network.inside(|| {
        let pair = Pair::start(&network)?;
        let _publisher = publish(&pair.studio, &pair.origin, "cam")?;
        let viewer = watch(&pair.home, &pair.edge, "cam")?;
        let begun = Instant::now();
        cut(&pair)?;
        until_still(&viewer, STILL.min(length))?;
        std::thread::sleep(length.saturating_sub(begun.elapsed()));
        Network::heal(&[&pair.origin.host, &pair.edge.host])?;
        let lasted = begun.elapsed();
        let back = until_back(&viewer).with_context(|| pair.edge.log())?;
        pair.origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 1.0)?;
        pair.edge.wait_nodes(1)?;
        report(&format!(
            "{what} for {:.1} s: pictures {:.1} s after its end, longest gap by the stamps {:.1} s",
            lasted.as_secs_f64(),
            back.as_secs_f64(),
            f64::from(longest_gap(viewer)?) / 1_000.0,
        ));
        ensure!(back < BACK, "{what}: pictures were back only after {back:?}");
        Ok(())
    })
}

/// Neither hears the other.
fn apart(pair: &Pair) -> Result<()> {
    Network::part(&[&pair.origin.host], &[&pair.edge.host])
}

#[test]
fn an_edge_cut_off_for_two_seconds_goes_on() -> Result<()> {
    let _turn = shared_turn();
    cut("edge and origin apart", Duration::from_secs(2), apart)
}

#[test]
fn an_edge_cut_off_for_six_seconds_goes_on() -> Result<()> {
    let _turn = shared_turn();
    cut("edge and origin apart", Duration::from_secs(6), apart)
}

#[test]
fn an_edge_that_does_not_hear_its_origin_goes_on_once_it_does() -> Result<()> {
    let _turn = shared_turn();
    let deaf = |pair: &Pair| pair.edge.host.hear_nothing_of(&pair.origin.host);
    cut("an edge deaf to its origin", Duration::from_secs(5), deaf)
}

#[test]
fn an_origin_that_does_not_hear_its_edge_is_played_once_it_does() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let pair = Pair::start(&network)?;
        let _publisher = publish(&pair.studio, &pair.origin, "cam")?;
        let viewer = watch(&pair.home, &pair.edge, "cam")?;
        let begun = Instant::now();
        pair.origin.host.hear_nothing_of(&pair.edge.host)?;
        pair.origin.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 1.0)?;
        report(&format!("an origin deaf to its edge notices after {:.1?}", begun.elapsed()));
        pair.edge.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 1.0)?;
        report(&format!("and the edge, which hears it all the time, after {:.1?}", begun.elapsed()));
        Network::heal(&[&pair.origin.host])?;
        let back = until_back(&viewer).with_context(|| pair.edge.log())?;
        pair.edge.wait_nodes(1)?;
        let gap = longest_gap(viewer)?;
        report(&format!("pictures {back:.1?} after it heard it again, longest gap by the stamps {gap} ms"));
        ensure!(back < BACK, "pictures were back only after {back:?}");
        Ok(())
    })
}

#[test]
fn a_network_that_loses_media_alone_is_outlived() -> Result<()> {
    let _turn = shared_turn();
    cut("no UDP between edge and origin", Duration::from_secs(5), |pair| {
        pair.edge.host.hear_no_udp_of(&pair.origin.host)?;
        pair.origin.host.hear_no_udp_of(&pair.edge.host)
    })
}

#[test]
fn a_stream_moves_away_from_an_origin_whose_cable_is_pulled_and_stays_away() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let Pair { origin: first, edge, studio, home } = Pair::start(&network)?;
        let second = Node::start(network.host("second")?, "origin", &[&plain(&first.host)], Vec::new())?;
        edge.wait_nodes(2)?;
        let publisher = publish(&studio, &first, "cam")?;
        let viewer = watch(&home, &edge, "cam")?;

        let pulled = Instant::now();
        first.host.unplug()?;
        drop(publisher);
        let publisher = publish(&studio, &second, "cam")?;
        let back = until_back(&viewer).with_context(|| edge.log())?;
        let dark = pulled.elapsed();
        first.host.plug()?;
        let plugged = Instant::now();
        all_know_all([&first, &second, &edge])?;
        // It never heard that its publisher left.
        first.wait_gone("cam")?;
        let over = plugged.elapsed();
        until_back(&viewer).with_context(|| edge.log())?;
        let mut publisher = publisher;
        ensure!(publisher.runs() && second.streams()?.len() == 1, "the living publisher was to stay: {}", second.log());
        report(&format!(
            "an origin's cable is pulled: pictures {back:.1?} after the publisher was on another, {dark:.1?} after the pull; \
             it gives the name up {over:.1?} after the cable is in; longest gap by the stamps {} ms",
            longest_gap(viewer)?
        ));
        Ok(())
    })
}

#[test]
fn of_two_publishers_of_a_name_on_both_sides_of_a_cut_one_stays_and_all_see_it() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let group = |region: &str| vec![("CLUSTER__GROUPS", region.to_owned())];
        let servers = [
            ("eu1", "origin", group("EU")),
            ("us1", "origin", group("US")),
            ("eu-edge", "edge", group("EU")),
            ("us-edge", "edge", group("US")),
        ];
        let [eu, us, eu_edge, us_edge] = cluster(&network, servers)?;
        let (eu_home, us_home) = (network.host("eu-home")?, network.host("us-home")?);
        let _kept = publish(&eu_home, &eu, "cam")?;
        let eu_viewer = watch(&eu_home, &eu_edge, "cam")?;

        let (ones, others): ([&Host; 2], [&Host; 2]) = ([&eu.host, &eu_edge.host], [&us.host, &us_edge.host]);
        Network::part(&ones, &others)?;
        us.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 2.0)?;
        us_edge.wait_metric("headwater_cluster_nodes_gone", |gone| gone == 2.0)?;
        let mut lost = publish(&us_home, &us, "cam")?;
        let us_viewer = watch(&us_home, &us_edge, "cam")?;

        let healed = Instant::now();
        Network::heal(&[ones, others].concat())?;
        all_know_all([&eu, &us, &eu_edge, &us_edge])?;
        let met = healed.elapsed();
        until("the later publisher is ended", PATIENCE, || !lost.runs()).with_context(|| us.log())?;
        let ended = healed.elapsed();
        ensure!(us.log().contains("the name was taken before on another server"), "{}", us.log());
        until("the American edge fetches from Europe", PATIENCE, || {
            us_edge.cdn("show_routes", "{}").is_ok_and(|routes| routes == serde_json::json!({ "1-eu1-1": "cam" }))
        })
        .with_context(|| us_edge.log())?;
        let moved = healed.elapsed();
        let back = until_back(&us_viewer).with_context(|| us_edge.log())?;
        until_back(&eu_viewer)?;
        ensure!(eu.streams()?.len() == 1 && us.streams()?.is_empty(), "{:?} {:?}", eu.streams()?, us.streams()?);
        report(&format!(
            "two publishers of a name on both sides of a cut: after its end all met in {met:.1?}, the later one was ended \
             after {ended:.1?}, its viewers were moved after {moved:.1?} and saw pictures {back:.1?} later; those of the \
             earlier missed at most {} ms",
            longest_gap(eu_viewer)?
        ));
        longest_gap(us_viewer)?;
        Ok(())
    })
}
