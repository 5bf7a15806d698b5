//! Edges that pass on what they have fetched: over two hops, with figures of each, and never in a circle.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    http,
    origin::{Origin, free_address},
    players::Recorder,
    program::until,
    report, shared_turn,
    source::Source,
};
use serde_json::{Value, json};

use crate::cluster::{node_at, wait_metric};

const LONG: Duration = Duration::from_secs(20);

/// A node of a group; edges pass on what they have.
fn grouped(role: &str, group: &str, entry: Option<&Origin>) -> Result<Origin> {
    let passes = if role == "edge" { "true" } else { "false" };
    node_at(free_address()?, role, entry, &[("CLUSTER__GROUPS", group), ("CLUSTER__PASS_ON", passes)])
}

fn ask(server: &Origin, call: &str, body: &Value) -> Result<Value> {
    let answer = http::post_json(&server.http(), &format!("/rest-api/cdn/{call}"), &body.to_string())?;
    ensure!(answer.status == 200, "{call}: {answer:?}");
    Ok(serde_json::from_str(&answer.body)?)
}

/// Waits until a node tells this way of the stream, each as "NODE(ROLE)".
fn wait_way(at: &Origin, way: &[String]) -> Result<()> {
    let mut last = Value::Null;
    until("the stream takes its way", LONG, || {
        last = ask(at, "stream/trace_route", &json!({ "streamName": "cam" })).unwrap_or_default();
        last == json!(way)
    })
    .with_context(|| format!("{last} in place of {way:?}"))
}

fn named(role: &str, server: &Origin) -> String {
    format!("{role}-{}({})", server.host(), role.to_uppercase())
}

/// Waits until a node knows that another has the stream.
fn wait_told(at: &Origin, of: &Origin) -> Result<()> {
    let other = format!("-{}", of.host());
    until("the other is known to have the stream", LONG, || {
        ask(at, "stream/show_stream_routes", &json!({ "streamName": "cam" }))
            .is_ok_and(|routes| routes.as_object().is_some_and(|routes| routes.keys().any(|key| key.ends_with(&other))))
    })
}

#[test]
fn an_edge_fetches_from_one_of_its_group_and_each_hop_tells_its_figures() -> Result<()> {
    let _turn = shared_turn();
    let origin = grouped("origin", "US", None)?;
    let near = grouped("edge", "EU", Some(&origin))?;
    let far = grouped("edge", "EU", Some(&origin))?;
    for server in [&origin, &near, &far] {
        wait_metric(server, "headwater_cluster_nodes", |nodes| nodes == 2.0)?;
    }
    let _publisher = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    let first = Recorder::rtmpdump(&near.rtmp("cam"))?;
    first.wait_pictures(30, LONG).with_context(|| near.log())?;
    wait_told(&far, &near)?;
    let asked = Instant::now();
    let second = Recorder::rtmpdump(&far.rtmp("cam"))?;
    second.wait_pictures(1, LONG).with_context(|| far.log())?;
    report(&format!("first picture over two hops after {} ms", asked.elapsed().as_millis()));
    second.wait_pictures(60, LONG)?;
    wait_way(&far, &[named("edge", &far), named("edge", &near), named("origin", &origin)])?;
    let at_origin = origin.metric("headwater_webrtc_sessions")?;
    ensure!(at_origin == Some(1.0), "{at_origin:?} sessions at the origin for two edges of one group");

    let mut way = Value::Null;
    until("each hop has its figures", Duration::from_secs(30), || {
        way = ask(&far, "stream/trace_route", &json!({ "streamName": "cam", "figures": true })).unwrap_or_default();
        (0..2).all(|hop| way[hop]["kbps"].as_u64().is_some_and(|rate| rate > 0) && way[hop]["roundTripMs"].is_number())
    })
    .with_context(|| way.to_string())?;
    report(&format!("the way over two hops: {way}"));
    ensure!(way[2]["kbps"].is_null() && (0..2).all(|hop| way[hop]["lostPercent"] == json!(0.0)), "{way}");
    let is_near = |hop: usize| way[hop]["roundTripMs"].as_f64().is_some_and(|time| time > 0.0 && time < 1_000.0);
    ensure!(is_near(0) && is_near(1), "{way}");

    // Where the one in between has gone, the other goes to the origin itself.
    let before = second.tags()?.len();
    near.kill();
    until("the viewer of the other edge sees more", LONG, || second.tags().is_ok_and(|tags| tags.len() > before + 60))
        .with_context(|| far.log())?;
    wait_way(&far, &[named("edge", &far), named("origin", &origin)])
}

#[test]
fn what_is_far_away_comes_once_to_the_one_of_a_group_that_passes_on() -> Result<()> {
    let _turn = shared_turn();
    let origin = grouped("origin", "US", None)?;
    let between = grouped("edge", "EU", Some(&origin))?;
    let edge = || node_at(free_address()?, "edge", Some(&origin), &[("CLUSTER__GROUPS", "EU")]);
    let edges = [edge()?, edge()?];
    for server in edges.iter().chain([&origin, &between]) {
        wait_metric(server, "headwater_cluster_nodes", |nodes| nodes == 3.0)?;
    }
    let _publisher = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    for edge in &edges {
        wait_told(edge, &origin)?;
        let passes =
            |nodes: Value| nodes.as_array().is_some_and(|nodes| nodes.iter().any(|node| node["passesOn"] == true));
        until("who passes on is known", LONG, || ask(edge, "show_nodes", &json!({})).is_ok_and(passes))?;
    }
    let (asked, mut first) = (Instant::now(), None);
    let viewers = edges.each_ref().map(|edge| Recorder::rtmpdump(&edge.rtmp("cam")));
    for (viewer, edge) in viewers.into_iter().zip(&edges) {
        let viewer = viewer?;
        viewer.wait_pictures(1, LONG).with_context(|| edge.log())?;
        first.get_or_insert(asked.elapsed());
        viewer.wait_pictures(60, LONG)?;
        wait_way(edge, &[named("edge", edge), named("edge", &between), named("origin", &origin)])?;
    }
    let at_origin = origin.metric("headwater_webrtc_sessions")?;
    report(&format!("first picture over two hops that were both cold after {first:.1?}"));
    ensure!(at_origin == Some(1.0), "{at_origin:?} sessions at the origin for three edges of one group");
    // Who is not to pass on gives nothing to others.
    let told = ask(&between, "stream/show_stream_routes", &json!({ "streamName": "cam" }))?;
    ensure!(told.as_object().is_some_and(|routes| routes.len() == 1), "{told}");
    Ok(())
}

#[test]
fn three_edges_that_could_fetch_from_each_other_never_go_in_a_circle() -> Result<()> {
    let _turn = shared_turn();
    let first = grouped("origin", "US", None)?;
    let second = grouped("origin", "US", Some(&first))?;
    let edges = [
        grouped("edge", "EU", Some(&second))?,
        grouped("edge", "EU", Some(&second))?,
        grouped("edge", "EU", Some(&second))?,
    ];
    for server in edges.iter().chain([&first, &second]) {
        wait_metric(server, "headwater_cluster_nodes", |nodes| nodes == 4.0)?;
    }
    let source = Source::default();
    let publisher = source.publish(&first.rtmp("cam"))?;
    first.wait_published("cam")?;
    let mut viewers = Vec::new();
    for (index, edge) in edges.iter().enumerate() {
        let viewer = Recorder::rtmpdump(&edge.rtmp("cam"))?;
        viewer.wait_pictures(30, LONG).with_context(|| edge.log())?;
        viewers.push(viewer);
        // Those before it know that it has the stream from them, and do not count it among its places.
        for next in edges.iter().skip(index + 1) {
            wait_told(next, edge)?;
        }
    }
    let at_origin = first.metric("headwater_webrtc_sessions")?;
    ensure!(at_origin == Some(1.0), "{at_origin:?} sessions at the origin for three edges of one group");

    first.kill();
    drop(publisher);
    // Without an origin each could take the others for a way to it. All let go, of each other too.
    for edge in &edges {
        wait_metric(edge, "headwater_cluster_streams", |streams| streams == 0.0)?;
        wait_metric(edge, "headwater_webrtc_sessions", |sessions| sessions == 0.0)?;
    }
    let before: Vec<_> = viewers.iter().map(|viewer| Ok(viewer.tags()?.len())).collect::<Result<_>>()?;
    let _publisher = source.publish(&second.rtmp("cam"))?;
    second.wait_published("cam")?;
    let begun = Instant::now();
    for ((viewer, edge), before) in viewers.iter().zip(&edges).zip(before) {
        until("the viewers who stayed see more", LONG, || viewer.tags().is_ok_and(|tags| tags.len() > before + 60))
            .with_context(|| edge.log())?;
    }
    report(&format!(
        "three edges in a ring showed the stream of another origin {:.1?} after it was there",
        begun.elapsed()
    ));
    let at_origin = second.metric("headwater_webrtc_sessions")?.unwrap_or_default();
    ensure!((1.0..=3.0).contains(&at_origin), "{at_origin} sessions at the origin");
    Ok(())
}
