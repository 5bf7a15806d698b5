//! A picture in three sizes that is brought to other servers: their viewers get what those of the first server get.

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    browser::Browser,
    hosts::Network,
    http,
    origin::Origin,
    program::until,
    publisher::{Kind, Publisher},
    turn,
};
use serde_json::{Value, json};

use crate::{
    hosts::node::{Keys, Node, plain},
    routes_renditions::{PATIENCE, THREE_SIZES, narrow_hop, wait_all_sizes, widths},
};

const LABELS: [&str; 3] = ["q", "h", "f"];

/// Asks for something by REST.
fn call(server: &Origin, path: &str, body: &Value) -> Result<Value> {
    let answer = http::post_json(&server.http(), &format!("/rest-api/{path}"), &body.to_string())?;
    ensure!(answer.status == 200, "{path}: {answer:?}");
    Ok(serde_json::from_str(&answer.body).unwrap_or_default())
}

fn push(from: &Origin, to: &Origin, name: &str) -> Result<Value> {
    let uri = format!("ws://{}", to.http());
    call(from, "pull/push", &json!({ "uri": uri, "localStreamName": "cam", "remoteStreamName": name }))
}

/// Plays each size that the publisher sends, by its label, at another server.
fn play_each(there: &Origin, name: &str, publisher: &Publisher) -> Result<()> {
    let sizes = widths(publisher)?;
    ensure!(sizes.len() == 3 && sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");
    for (label, width) in LABELS.into_iter().zip(sizes) {
        let mut viewer = Browser::play(&format!("{}?rendition={label}", there.whep(name)))?;
        viewer
            .wait("the size that was asked for", PATIENCE, |seen| seen.size().0 == width)
            .with_context(|| format!("{label}: {width}\n{}", there.log()))?;
        let frames = viewer.look().frames();
        viewer.wait("it stays", PATIENCE, |seen| seen.frames() > frames + 30)?;
        ensure!(viewer.look().size().0 == width, "{label} has become {:?}", viewer.look().size());
        viewer.finish()?;
    }
    Ok(())
}

/// The variants of a stream by HLS.
fn variants(server: &Origin, name: &str) -> Result<usize> {
    let answer = http::get(&server.http(), &format!("/{name}/index.m3u8"))?;
    Ok(answer.body.lines().filter(|line| line.starts_with("#EXT-X-STREAM-INF")).count())
}

#[test]
fn a_push_brings_all_sizes_to_a_server_that_gives_them_to_viewers_by_webrtc_and_hls() -> Result<()> {
    let _turn = turn();
    let (here, there) = (Origin::configured(&[("RELAY__ALLOW", "127.0.0.0/8")])?, Origin::start()?);
    let kind = Kind::Simulcast { codec: "video/H264", rids: &LABELS };
    let mut publisher = Publisher::start(&here.whip("cam"), &kind)?;
    here.wait_published("cam")?;
    // The publisher sends its smallest size alone then: the others are brought when they begin.
    push(&here, &there, "brought")?;
    there.wait_published("brought").with_context(|| here.log())?;
    wait_all_sizes(&publisher)?;
    play_each(&there, "brought", &publisher)?;
    until("all sizes are offered by HLS", PATIENCE, || variants(&there, "brought").is_ok_and(|count| count == 3))
        .with_context(|| there.log())?;
    let at_there = there.metric("headwater_webrtc_sessions")?;
    ensure!(at_there == Some(1.0), "{at_there:?} sessions at the other server for all sizes");

    let widest = widths(&publisher)?.last().copied().unwrap_or_default();
    let mut viewer = Browser::play(&there.whep("brought"))?;
    viewer.wait("the largest size", PATIENCE, |seen| seen.size().0 == widest).with_context(|| there.log())?;
    publisher.pause("f")?;
    viewer.wait("a smaller one in its place", PATIENCE, |seen| seen.size().0 < widest)?;
    publisher.resume("f")?;
    viewer.wait("the largest again", PATIENCE, |seen| seen.size().0 == widest)?;
    let watched = viewer.finish()?;
    ensure!(watched.seen().backwards() == 0, "{} frames were shown out of order", watched.seen().backwards());
    publisher.leave()?;
    there.wait_gone("brought")?;
    here.stop()?;
    there.stop()?;
    Ok(())
}

#[test]
fn streams_sent_to_an_edge_of_the_list_over_tcp_come_there_in_all_sizes() -> Result<()> {
    let _turn = turn();
    let edge = Origin::start()?;
    let here = Origin::configured(&[
        ("BALANCER__EDGES", &format!("ws://{}", edge.http())),
        ("BALANCER__DISTRIBUTION", "webrtc"),
        ("BALANCER__DISTRIBUTION_TRANSPORT", "tcp"),
        ("RELAY__ALLOW", "127.0.0.0/8"),
    ])?;
    let publisher = Publisher::start(&here.whip("cam"), &THREE_SIZES)?;
    edge.wait_published("cam").with_context(|| here.log())?;
    wait_all_sizes(&publisher)?;
    play_each(&edge, "cam", &publisher)?;
    let pushes = call(&here, "push/find_all", &json!({}))?;
    let told = (&pushes[0]["transport"], &pushes[0]["status"]);
    ensure!(told == (&json!("TCP"), &json!("PROCESSED_LOCAL")), "{pushes}");
    publisher.leave()?;
    edge.wait_gone("cam")?;
    here.stop()?;
    edge.stop()?;
    Ok(())
}

#[test]
fn a_push_over_a_narrow_network_brings_the_sizes_that_it_carries() -> Result<()> {
    let _turn = turn();
    let network = Network::new()?;
    network.inside(|| {
        let (at_here, at_there) = (network.host("here")?, network.host("there")?);
        at_here.send_singly()?;
        let allow: Keys = vec![("RELAY__ALLOW", "10.0.0.0/8".to_owned())];
        let entry = plain(&at_here);
        let here = Node::start(at_here, "origin", &[], allow.clone())?;
        let there = Node::start(at_there, "origin", &[&entry], allow)?;
        let publisher = here.host.inside(|| Publisher::start(&here.whip("cam"), &THREE_SIZES))?;
        here.wait_published("cam")?;
        push(&here, &there, "brought")?;
        there.wait_published("brought").with_context(|| here.log())?;
        narrow_hop(&here, &there, &publisher, "brought")?;
        publisher.leave()?;
        Ok(())
    })
}
