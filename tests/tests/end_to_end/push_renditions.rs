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

/// Waits until a server gives these sizes of a stream, and checks that it gives no others.
fn wait_sizes(server: &Origin, name: &str, labels: &[&str]) -> Result<()> {
    let offer = include_str!("offer.sdp").replace('\n', "\r\n");
    let gives = |label: &str| {
        let path = format!("/{name}/whep?rendition={label}");
        http::exchange(&server.http(), "POST", &path, &["Content-Type: application/sdp"], &offer)
    };
    for label in LABELS {
        let is_given = || gives(label).is_ok_and(|answer| answer.status == 201);
        if labels.contains(&label) {
            until("the size is given", PATIENCE, is_given).with_context(|| format!("{label} of {name}"))?;
        } else {
            let answer = gives(label)?;
            ensure!(
                answer.status == 404 && answer.body.contains("there is no rendition"),
                "{label} of {name}: {answer:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_pull_and_a_push_bring_the_sizes_that_are_wanted_and_no_others() -> Result<()> {
    let _turn = turn();
    let allow = [("RELAY__ALLOW", "127.0.0.0/8")];
    let (here, there) = (Origin::configured(&allow)?, Origin::configured(&allow)?);
    let publisher = Publisher::start(&here.whip("cam"), &THREE_SIZES)?;
    here.wait_published("cam")?;
    wait_all_sizes(&publisher)?;
    let uri = format!("ws://{}", here.http());
    let pull = |name: &str, labels: &[&str]| json!({ "uri": uri, "remoteStreamName": "cam", "localStreamName": name, "renditions": labels });
    call(&there, "pull/startup", &pull("two", &["f", "q"]))?;
    call(&there, "pull/startup", &pull("one", &["h"])).context("a second pull of one stream")?;
    let to = format!("ws://{}", there.http());
    let push = json!({ "uri": to, "localStreamName": "cam", "remoteStreamName": "pushed", "renditions": ["h", "q"] });
    call(&here, "pull/push", &push)?;
    for name in ["two", "one", "pushed"] {
        there.wait_published(name).with_context(|| here.log())?;
    }
    for (name, labels) in [("two", &["f", "q"][..]), ("pushed", &["h", "q"]), ("one", &[])] {
        wait_sizes(&there, name, labels).with_context(|| there.log())?;
    }
    let sizes = widths(&publisher)?;
    let mut viewer = Browser::play(&there.whep("one"))?;
    viewer.wait("the one that is wanted", PATIENCE, |seen| seen.size().0 == sizes[1])?;
    viewer.finish()?;
    let pulls = call(&there, "pull/find_all", &json!({}))?;
    let told = |pull: &Value| pull["localStreamName"] == "two" && pull["renditions"] == json!(["f", "q"]);
    ensure!(pulls.as_array().is_some_and(|pulls| pulls.iter().any(told)), "{pulls}");

    for (labels, words) in
        [(json!(["no such"]), "no size of a picture"), (json!(["a", "b", "c", "d", "e"]), "no more than 4 sizes")]
    {
        let body = json!({ "uri": uri, "remoteStreamName": "cam", "localStreamName": "x", "renditions": labels });
        let answer = http::post_json(&there.http(), "/rest-api/pull/startup", &body.to_string())?;
        let refusal: Value = serde_json::from_str(&answer.body)?;
        ensure!(answer.status == 400 && refusal["field"] == "renditions" && answer.body.contains(words), "{answer:?}");
    }
    publisher.leave()?;
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
