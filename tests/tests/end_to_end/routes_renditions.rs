//! A picture in three sizes over a hop between servers: viewers of an edge get what those of the origin get.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    browser::Browser,
    hosts::Network,
    network::Relay,
    origin::{Origin, free_address},
    program::until,
    publisher::{Kind, Publisher},
    report, turn,
};
use serde_json::Value;

use crate::{
    cluster::{node_at, wait_metric},
    hosts::node::{Keys, Node, plain},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
pub(crate) const THREE_SIZES: Kind<'_> = Kind::Simulcast { codec: "video/VP8", rids: &["q", "h", "f"] };

/// An origin and an edge that know each other.
fn pair() -> Result<(Origin, Origin)> {
    let origin = node_at(free_address()?, "origin", None, &[])?;
    let edge = node_at(free_address()?, "edge", Some(&origin), &[])?;
    for server in [&origin, &edge] {
        wait_metric(server, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
    }
    Ok((origin, edge))
}

/// The widths of what a publisher sends, the smallest first.
pub(crate) fn widths(publisher: &Publisher) -> Result<Vec<u32>> {
    let sent = publisher.sent()?;
    let mut widths: Vec<u32> =
        sent.iter().filter_map(|size| size["frameWidth"].as_u64()).map(|width| width as u32).collect();
    widths.sort_unstable();
    Ok(widths)
}

pub(crate) fn wait_all_sizes(publisher: &Publisher) -> Result<()> {
    let is_sent = |size: &Value| size["framesSent"].as_u64().unwrap_or(0) > 60;
    publisher.wait("three sizes are sent", PATIENCE, |sent| sent.iter().filter(|size| is_sent(size)).count() == 3)
}

#[test]
fn viewers_of_an_edge_choose_among_all_sizes_that_are_published_at_the_origin() -> Result<()> {
    let _turn = turn();
    let (origin, edge) = pair()?;
    let publisher = Publisher::start(&origin.whip("cam"), &THREE_SIZES)?;
    origin.wait_published("cam")?;
    // It is fetched while the publisher sends its smallest size alone: the others come when they begin.
    let mut first = Browser::play(&edge.whep("cam"))?;
    first.wait("a picture at the edge", PATIENCE, |seen| seen.frames() > 0)?;
    wait_all_sizes(&publisher)?;
    let sizes = widths(&publisher)?;
    ensure!(sizes.len() == 3 && sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");
    let largest = sizes[2];
    first
        .wait("the largest size at the edge", PATIENCE, |seen| seen.size().0 == largest)
        .with_context(|| edge.log())?;
    for (label, width) in ["q", "h", "f"].into_iter().zip(sizes) {
        let mut viewer = Browser::play(&format!("{}?rendition={label}", edge.whep("cam")))?;
        viewer
            .wait("the size that was asked for", PATIENCE, |seen| seen.size().0 == width)
            .with_context(|| format!("{label}: {width}\n{}", edge.log()))?;
        let frames = viewer.look().frames();
        viewer.wait("it stays", PATIENCE, |seen| seen.frames() > frames + 60)?;
        ensure!(viewer.look().size().0 == width, "{label} has become {:?}", viewer.look().size());
        viewer.finish()?;
    }
    let at_origin = origin.metric("headwater_webrtc_sessions")?;
    ensure!(at_origin == Some(2.0), "{at_origin:?} sessions at the origin for a publisher and an edge");
    let watched = first.finish()?;
    ensure!(watched.seen().backwards() == 0, "{} frames were shown out of order", watched.seen().backwards());
    publisher.leave()?;
    Ok(())
}

#[test]
fn a_viewer_of_an_edge_on_a_narrow_network_gets_a_smaller_size_until_it_is_wide_again() -> Result<()> {
    let _turn = turn();
    let (origin, edge) = pair()?;
    let publisher = Publisher::start(&origin.whip("cam"), &THREE_SIZES)?;
    origin.wait_published("cam")?;
    wait_all_sizes(&publisher)?;
    let relay = Relay::start(SocketAddr::new(edge.host().into(), 8189), 3)?;
    for link in [relay.to_client(), relay.to_server()] {
        link.delay(Duration::from_millis(20));
    }
    let mut browser = Browser::play_via(&edge.whep("cam"), &relay)?;
    let widest = widths(&publisher)?.last().copied().unwrap_or_default();
    browser
        .wait("the largest size on a wide network", PATIENCE, |seen| seen.size().0 == widest)
        .with_context(|| edge.log())?;
    let begin = Instant::now();
    relay.to_client().limit(Some(500));
    browser.wait("a smaller size on a narrow one", PATIENCE, |seen| seen.size().0 < widest)?;
    let down = begin.elapsed().as_secs_f64();
    relay.to_client().limit(None);
    let begin = Instant::now();
    browser.wait("the largest size when it is wide again", PATIENCE * 2, |seen| seen.size().0 == widest)?;
    report(&format!(
        "a viewer of an edge goes down after {down:.1} s and up after {:.1} s",
        begin.elapsed().as_secs_f64()
    ));
    ensure!(down < 10.0, "going down took {down:.1} s");
    let watched = browser.finish()?;
    ensure!(watched.seen().backwards() == 0, "{} frames were shown out of order", watched.seen().backwards());
    publisher.leave()?;
    Ok(())
}

/// How many bits in a second the publisher sends of each size, the smallest first.
fn rates(publisher: &Publisher) -> Result<Vec<f64>> {
    let count = || -> Result<Vec<(u64, f64)>> {
        let sent = publisher.sent()?;
        let of = |size: &Value, key: &str| size[key].as_f64().unwrap_or_default();
        let mut sent: Vec<_> = sent.iter().map(|size| (of(size, "frameWidth") as u64, of(size, "bytesSent"))).collect();
        sent.sort_by_key(|(width, _)| *width);
        Ok(sent)
    };
    let (before, begun) = (count()?, Instant::now());
    std::thread::sleep(Duration::from_secs(5));
    let (after, passed) = (count()?, begun.elapsed().as_secs_f64());
    Ok(before.iter().zip(&after).map(|((_, before), (_, after))| (after - before) * 8.0 / passed).collect())
}

/// Pictures in a second that a browser shows.
fn pace(browser: &mut Browser) -> f64 {
    let (before, begun) = (browser.look().frames(), Instant::now());
    browser.settle(Duration::from_secs(6));
    browser.look().frames().saturating_sub(before) as f64 / begun.elapsed().as_secs_f64()
}

/// Shows what viewers of `there` see while the network from `here` to there does not carry all three sizes of a picture
/// that is published at `here`.
pub(crate) fn narrow_hop(here: &Node, there: &Node, publisher: &Publisher, name: &str) -> Result<()> {
    let play = |rendition: &str| there.host.inside(|| Browser::play(&format!("{}{rendition}", there.whep(name))));
    let (mut small, mut any) = (play("?rendition=q")?, play("")?);
    wait_all_sizes(publisher)?;
    let widths = widths(publisher)?;
    let (smallest, widest) = (widths[0], *widths.last().context("no size is sent")?);
    any.wait("the largest size on a wide network", PATIENCE, |seen| seen.size().0 == widest)
        .with_context(|| there.log())?;
    small.wait("the size that was asked for", PATIENCE, |seen| seen.size().0 == smallest)?;
    let rates = rates(publisher)?;
    let before = pace(&mut small);
    let largest = rates.last().copied().unwrap_or_default();
    let rest = rates.iter().sum::<f64>() - largest;
    // The sound, and what the packets are wrapped in, besides.
    let limit = ((rest * 1.2 + largest * 0.25) / 1_000.0) as u64 + 80;
    let begun = Instant::now();
    here.host.send_at_most(Some(limit))?;
    any.wait("a smaller size on a narrow one", PATIENCE, |seen| seen.size().0 < widest).with_context(|| here.log())?;
    let down = begun.elapsed().as_secs_f64();
    // What still waits has gone then.
    any.settle(Duration::from_secs(4));
    let frames = any.look().frames();
    let narrow = pace(&mut small);
    let all = any.look().frames() - frames;
    let stays = any.look().size().0;
    here.host.send_at_most(None)?;
    let begun = Instant::now();
    any.wait("the largest size when it is wide again", PATIENCE * 2, |seen| seen.size().0 == widest)?;
    report(&format!(
        "sizes of {rates:.0?} bit/s over {limit} kbit/s between servers: down after {down:.1} s, up after {:.1} s; the \
         smallest in {before:.0} pictures a second before and {narrow:.0} on the narrow network, {all} of the other",
        begun.elapsed().as_secs_f64()
    ));
    ensure!(stays < widest, "the largest is sent over {limit} kbit/s");
    ensure!(narrow > before * 0.8, "the smallest size has {narrow:.1} pictures a second in place of {before:.1}");
    for browser in [small, any] {
        let watched = browser.finish()?;
        ensure!(watched.seen().backwards() == 0, "{} frames were shown out of order", watched.seen().backwards());
    }
    Ok(())
}

#[test]
fn what_the_network_between_servers_does_not_carry_is_held_back_so_that_the_rest_comes_whole() -> Result<()> {
    let _turn = turn();
    let network = Network::new()?;
    network.inside(|| {
        let (at_origin, at_edge) = (network.host("origin")?, network.host("edge")?);
        at_origin.send_singly()?;
        let entry = plain(&at_origin);
        let origin = Node::start(at_origin, "origin", &[], Keys::new())?;
        let edge = Node::start(at_edge, "edge", &[&entry], Keys::new())?;
        edge.wait_nodes(1)?;
        let publisher = origin.host.inside(|| Publisher::start(&origin.whip("cam"), &THREE_SIZES))?;
        origin.wait_published("cam")?;
        narrow_hop(&origin, &edge, &publisher, "cam")?;
        publisher.leave()?;
        Ok(())
    })
}

#[test]
fn what_the_publisher_stops_sending_is_made_up_for_at_the_edge_by_what_still_comes() -> Result<()> {
    let _turn = turn();
    let (origin, edge) = pair()?;
    let mut publisher = Publisher::start(&origin.whip("cam"), &THREE_SIZES)?;
    origin.wait_published("cam")?;
    wait_all_sizes(&publisher)?;
    let widest = widths(&publisher)?.last().copied().unwrap_or_default();
    let mut viewer = Browser::play(&edge.whep("cam"))?;
    viewer.wait("the largest size", PATIENCE, |seen| seen.size().0 == widest).with_context(|| edge.log())?;
    publisher.pause("f")?;
    viewer.wait("a smaller one in its place", PATIENCE, |seen| seen.size().0 < widest)?;
    publisher.resume("f")?;
    viewer.wait("the largest again", PATIENCE, |seen| seen.size().0 == widest)?;
    viewer.finish()?;
    publisher.leave()?;
    until("nothing is left at the edge", PATIENCE, || edge.streams().is_ok_and(|streams| streams.is_empty()))
}
