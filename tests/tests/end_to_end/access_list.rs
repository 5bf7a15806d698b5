//! Streams that only those watch who have a key, over an origin and an edge.

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

const PATIENCE: Duration = Duration::from_secs(20);

fn call(server: &Origin, call: &str, body: &Value) -> Result<http::Answer> {
    http::post_json(&server.http(), &format!("/rest-api/cdn/stream/access_list/{call}"), &body.to_string())
}

/// Waits until a server knows these keys of the stream.
fn wait_keys(server: &Origin, keys: &Value) -> Result<()> {
    let knows = || {
        let told = call(server, "print", &json!({ "name": "cam" })).ok();
        told.and_then(|told| serde_json::from_str::<Value>(&told.body).ok()).is_some_and(|told| told == *keys)
    };
    until(&format!("{} knows {keys}", server.host()), PATIENCE, knows).with_context(|| server.log())
}

#[test]
fn only_those_with_a_key_watch_on_an_edge_and_a_list_that_changes_ends_the_others() -> Result<()> {
    let _turn = shared_turn();
    let origin = node_at(free_address()?, "origin", None, &[])?;
    let edge = node_at(free_address()?, "edge", Some(&origin), &[])?;
    wait_metric(&edge, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
    let publisher = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;

    // Open until it has a key: everybody watches, on the edge and on the origin.
    let mut stranger = Recorder::rtmpdump(&edge.rtmp("cam"))?;
    let mut at_origin = Recorder::curl(&origin.flv("cam"))?;
    let mut bearer = Recorder::rtmpdump(&format!("rtmp://{}/live?aclAuth=one/cam", edge.host()))?;
    let mut other = Recorder::curl(&format!("{}?aclAuth=two", edge.flv("cam")))?;
    for viewer in [&stranger, &at_origin, &bearer, &other] {
        viewer.wait_pictures(10, PATIENCE).with_context(|| edge.log())?;
    }
    let at_edge = call(&edge, "add", &json!({ "name": "cam", "keys": ["one"] }))?;
    let place = format!("origin-{}", origin.host());
    ensure!(at_edge.status == 404 && at_edge.body.contains(&place), "{at_edge:?}");

    let changed = Instant::now();
    let added = call(&origin, "add", &json!({ "name": "cam", "keys": ["one", "two"] }))?;
    ensure!(added.status == 200, "{added:?}");
    until("those without a key are ended", PATIENCE, || !stranger.runs() && !at_origin.runs())
        .with_context(|| edge.log())?;
    report(&format!("viewers without a key were cut after {} ms", changed.elapsed().as_millis()));
    let hls = |server: &Origin, query: &str| -> Result<u16> {
        Ok(http::get(&server.http(), &format!("/cam/index.m3u8{query}"))?.status)
    };
    for server in [&edge, &origin] {
        ensure!(hls(server, "")? == 403 && hls(server, "?aclAuth=three")? == 403, "{}", server.log());
        ensure!(hls(server, "?aclAuth=two")? == 200, "{}", server.log());
    }
    ensure!(bearer.runs() && other.runs(), "a key that is good has ended its bearer");

    let removed = call(&origin, "remove", &json!({ "name": "cam", "keys": ["two"] }))?;
    ensure!(removed.status == 200, "{removed:?}");
    until("the bearer of a key that was taken away is ended", PATIENCE, || !other.runs())
        .with_context(|| edge.log())?;
    let before = bearer.tags()?.len();
    until("the other one still watches", PATIENCE, || bearer.tags().is_ok_and(|tags| tags.len() > before + 30))
        .with_context(|| edge.log())?;
    wait_keys(&edge, &json!(["one"]))?;

    // Published anew, it is open again, here and there.
    drop(publisher);
    origin.wait_gone("cam")?;
    let _publisher = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    wait_keys(&edge, &json!([]))?;
    let again = Recorder::rtmpdump(&edge.rtmp("cam"))?;
    again.wait_pictures(10, PATIENCE).with_context(|| edge.log())?;
    Ok(())
}
