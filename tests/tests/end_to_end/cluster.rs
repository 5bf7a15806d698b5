//! Several servers that find each other: origins, edges, transcoders.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    flv, http,
    origin::{Origin, free_address},
    players::Recorder,
    program::until,
    report, shared_turn,
    source::Source,
    sync,
};
use serde_json::{Value, json};

const SECRET: &str = "a secret of these tests";
/// Milliseconds that sound may come before or after the picture.
const SKEW_MS: f64 = 40.0;

/// Starts a node at an address; the first entry point is itself where there is no other.
fn node_at(host: Ipv4Addr, role: &str, entry: Option<&Origin>, keys: &[(&str, &str)]) -> Result<Origin> {
    let url = |host: Ipv4Addr| format!("ws://{host}:8084");
    let (own, name) = (url(host), format!("{role}-{host}"));
    let entry = entry.map(|entry| url(entry.host())).unwrap_or_default();
    let mut all = vec![
        ("CLUSTER__ENABLED", "true"),
        ("CLUSTER__ROLE", role),
        ("CLUSTER__NODE", &name),
        ("CLUSTER__URL", &own),
        ("CLUSTER__TLS", "false"),
        ("CLUSTER__ENTRY", &entry),
        ("CLUSTER__SECRET", SECRET),
        ("LIMITS__RELAY_IDLE_MS", "1500"),
    ];
    all.retain(|(key, _)| keys.iter().all(|(other, _)| other != key));
    all.extend_from_slice(keys);
    Origin::at(host, &all, &[])
}

fn node(role: &str, entry: Option<&Origin>) -> Result<Origin> {
    node_at(free_address()?, role, entry, &[])
}

fn wait_metric(server: &Origin, name: &str, is_right: impl Fn(f64) -> bool) -> Result<()> {
    let mut last = None;
    until(&format!("{name} of {} is right", server.host()), Duration::from_secs(20), || {
        last = server.metric(name).ok().flatten();
        last.is_some_and(&is_right)
    })
    .with_context(|| format!("{name} is {last:?}; {} said:\n{}", server.host(), server.log()))
}

fn sessions(server: &Origin) -> Result<f64> {
    Ok(server.metric("headwater_webrtc_sessions")?.unwrap_or_default())
}

#[test]
fn an_edge_fetches_once_what_its_viewers_ask_for_and_gives_it_back() -> Result<()> {
    let _turn = shared_turn();
    let origin = node("origin", None)?;
    let edge = node("edge", Some(&origin))?;
    wait_metric(&edge, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
    let before = (edge.held()?, origin.held()?);
    let asked = Instant::now();
    let answer = http::get(&edge.http(), "/nobody.flv")?;
    ensure!(answer.status == 404, "{answer:?}");
    report(&format!("that nobody has a stream is told after {} ms", asked.elapsed().as_millis()));

    let source = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    let asked = Instant::now();
    let viewers = (0..3).map(|_| Recorder::rtmpdump(&edge.rtmp("cam"))).collect::<Result<Vec<_>>>()?;
    for viewer in &viewers {
        viewer.wait_pictures(1, Duration::from_secs(20)).with_context(|| edge.log())?;
    }
    report(&format!("first pictures on the edge after {} ms", asked.elapsed().as_millis()));
    for viewer in &viewers {
        viewer.wait_pictures(120, Duration::from_secs(20))?;
    }
    let show = |call: &str, body: &str| -> Result<Value> {
        let answer = http::post_json(&edge.http(), &format!("/rest-api/cdn/{call}"), body)?;
        ensure!(answer.status == 200, "{call}: {answer:?}");
        Ok(serde_json::from_str(&answer.body)?)
    };
    let (named, id) = (r#"{"streamName":"cam"}"#, format!("origin-{}", origin.host()));
    let nodes = show("show_nodes", "{}")?;
    ensure!(nodes[0]["id"] == id && nodes[0]["role"] == "ORIGIN" && nodes[0]["globalState"] == "ACTIVE", "{nodes}");
    ensure!(show("show_routes", "{}")? == json!({ format!("1-{id}-1"): "cam" }));
    let routes = show("stream/show_stream_routes", named)?;
    ensure!(routes[format!("1-STREAM-{id}")].as_array().is_some_and(|codecs| codecs.len() == 2), "{routes}");
    let way = [format!("edge-{}(EDGE)", edge.host()), format!("{id}(ORIGIN)")];
    ensure!(show("stream/trace_route", named)? == json!(way));
    let active = http::post_json(&edge.http(), "/rest-api/cdn/remove_node", &json!({ "nodeId": id }).to_string())?;
    ensure!(active.status == 400, "{active:?}");
    ensure!(sessions(&origin)? == 1.0, "{} sessions of one edge", sessions(&origin)?);
    for viewer in viewers {
        let offsets = sync::sound_after_picture(&viewer.stop())?;
        report(&format!("sound after picture, ms: {offsets:.1?}"));
        ensure!(offsets.len() >= 2 && offsets.iter().all(|offset| offset.abs() < SKEW_MS), "{offsets:?}");
    }
    edge.wait_gone("cam")?;
    wait_metric(&origin, "headwater_webrtc_sessions", |sessions| sessions == 0.0)?;
    drop(source);
    origin.wait_gone("cam")?;
    edge.wait_baseline(&before.0)?;
    origin.wait_baseline(&before.1)?;
    Ok(())
}

#[test]
fn those_who_watch_on_an_edge_see_the_stream_again_from_wherever_it_is() -> Result<()> {
    let _turn = shared_turn();
    let first = node("origin", None)?;
    let second = node("origin", Some(&first))?;
    let edge = node("edge", Some(&second))?;
    wait_metric(&edge, "headwater_cluster_nodes", |nodes| nodes == 2.0)?;
    let source = Source::default();
    let publisher = source.publish(&first.rtmp("cam"))?;
    first.wait_published("cam")?;
    let watching = Recorder::rtmpdump(&edge.rtmp("cam"))?;
    watching.wait_pictures(30, Duration::from_secs(20)).with_context(|| edge.log())?;

    let host = first.kill();
    drop(publisher);
    let publisher = source.publish(&second.rtmp("cam"))?;
    second.wait_published("cam")?;
    let mut waits = vec![wait_more(&watching).with_context(|| edge.log())?];

    // The publisher goes back to the first, which is there again.
    let first = node_at(host, "origin", Some(&second), &[])?;
    wait_metric(&edge, "headwater_cluster_nodes", |nodes| nodes == 2.0)?;
    drop(publisher);
    let _publisher = source.publish(&first.rtmp("cam"))?;
    first.wait_published("cam")?;
    waits.push(wait_more(&watching).with_context(|| edge.log())?);
    report(&format!("pictures on the edge again after the stream was on another origin: {waits:.1?}"));
    ensure!(waits.iter().all(|wait| *wait < Duration::from_secs(4)), "{waits:?}");
    let tags = watching.finish()?;
    for kind in [flv::Kind::Video, flv::Kind::Audio] {
        let times: Vec<_> = tags.iter().filter(|tag| tag.kind == kind).map(|tag| tag.milliseconds).collect();
        ensure!(times.is_sorted(), "time of {kind:?} runs backwards");
    }
    Ok(())
}

/// How long it takes until a viewer who stayed sees more.
fn wait_more(watching: &Recorder) -> Result<Duration> {
    let (begun, before) = (Instant::now(), watching.tags()?.len());
    let mut first = None;
    until("the viewer who stayed sees more", Duration::from_secs(30), || {
        let more = watching.tags().map_or(0, |tags| tags.len().saturating_sub(before));
        if more > 0 && first.is_none() {
            first = Some(begun.elapsed());
        }
        more > 60
    })?;
    first.context("nothing came")
}

#[test]
fn a_name_has_one_publisher_in_all_the_cluster() -> Result<()> {
    let _turn = shared_turn();
    let first = node("origin", None)?;
    let second = node("origin", Some(&first))?;
    wait_metric(&second, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
    let _kept = Source::default().publish(&first.rtmp("cam"))?;
    first.wait_published("cam")?;
    wait_metric(&second, "headwater_cluster_streams", |streams| streams == 1.0)?;
    let _lost = Source::default().publish(&second.rtmp("cam"))?;
    until("the later publisher is ended", Duration::from_secs(20), || {
        second.log().contains("the name was taken before on another server")
    })
    .with_context(|| second.log())?;
    second.wait_gone("cam")?;
    ensure!(first.streams()?.len() == 1, "the first publisher was to stay");
    Ok(())
}

#[test]
fn each_role_has_its_clients_and_strangers_stay_outside() -> Result<()> {
    let _turn = shared_turn();
    let origin = node("origin", None)?;
    let edge = node_at(free_address()?, "edge", Some(&origin), &[("CLUSTER__ROLE_STRICT", "true")])?;
    let transcoder = node("transcoder", Some(&origin))?;
    for server in [&origin, &edge, &transcoder] {
        wait_metric(server, "headwater_cluster_nodes", |nodes| nodes == 2.0)?;
    }
    let stranger = [("CLUSTER__SECRET", "another secret of somebody")];
    let stranger = node_at(free_address()?, "edge", Some(&origin), &stranger)?;
    wait_metric(&origin, "headwater_cluster_links_refused_total", |refused| refused > 0.0)?;
    ensure!(stranger.metric("headwater_cluster_nodes")? == Some(0.0));

    let _source = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    let flv = |server: &Origin| http::get(&server.http(), "/cam.flv").map(|answer| answer.status);
    ensure!(flv(&stranger)? == 404 && flv(&transcoder)? == 403);
    for (server, words) in [(&edge, "publish to an origin"), (&transcoder, "this server is a transcoder")] {
        let _refused = Source::default().publish(&server.rtmp("other"))?;
        until("the publisher is refused", Duration::from_secs(20), || server.log().contains(words))
            .with_context(|| server.log())?;
        ensure!(server.streams()?.is_empty());
    }
    Ok(())
}
