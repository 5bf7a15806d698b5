//! Several servers that find each other: origins, edges, transcoders.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    flv, heavy_turn, http,
    origin::{Origin, free_address},
    players::Recorder,
    program::until,
    report, shared_turn,
    source::Source,
    sync,
};
use serde_json::{Value, json};

use crate::{pairs, sdk::pages::Pages};

const SECRET: &str = "a secret of these tests";
/// Milliseconds that sound may come before or after the picture.
const SKEW_MS: f64 = 40.0;

/// Starts a node at an address; the first entry point is itself where there is no other.
pub(crate) fn node_at(host: Ipv4Addr, role: &str, entry: Option<&Origin>, keys: &[(&str, &str)]) -> Result<Origin> {
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

pub(crate) fn wait_metric(server: &Origin, name: &str, is_right: impl Fn(f64) -> bool) -> Result<()> {
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

#[test]
fn an_edge_outlives_the_silence_of_its_origin() -> Result<()> {
    let _turn = shared_turn();
    let origin = node("origin", None)?;
    let edge = node("edge", Some(&origin))?;
    wait_metric(&edge, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
    let _publisher = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    let watching = Recorder::rtmpdump(&edge.rtmp("cam"))?;
    watching.wait_pictures(30, Duration::from_secs(20)).with_context(|| edge.log())?;

    origin.freeze()?;
    let silent = Instant::now();
    wait_metric(&edge, "headwater_cluster_nodes_gone", |gone| gone == 1.0)?;
    let noticed = silent.elapsed();
    until("the edge lets go of its origin", Duration::from_secs(10), || {
        edge.log().contains("cannot be reached any more")
    })
    .with_context(|| edge.log())?;
    let before = watching.tags()?.len();
    origin.thaw()?;
    let back = Instant::now();
    until("the viewer who stayed sees more", Duration::from_secs(30), || {
        watching.tags().is_ok_and(|tags| tags.len() > before + 30)
    })
    .with_context(|| edge.log())?;
    report(&format!("the silence was noticed after {noticed:.1?}, pictures came {:.1?} after its end", back.elapsed()));
    ensure!(noticed < Duration::from_secs(6) && back.elapsed() < Duration::from_secs(6));
    let tags = watching.finish()?;
    let times = tags.iter().filter(|tag| tag.kind == flv::Kind::Video).map(|tag| tag.milliseconds);
    ensure!(times.is_sorted(), "time runs backwards");
    Ok(())
}

#[test]
fn what_a_page_publishes_in_one_region_is_played_by_pages_in_another() -> Result<()> {
    let _turn = heavy_turn();
    let group = |name| [("CLUSTER__GROUPS", name)];
    let europe = node_at(free_address()?, "origin", None, &group("EU"))?;
    let america = node_at(free_address()?, "origin", Some(&europe), &group("US"))?;
    let edges = [
        node_at(free_address()?, "edge", Some(&europe), &group("EU"))?,
        node_at(free_address()?, "edge", Some(&america), &group("US"))?,
    ];
    for server in edges.iter().chain([&europe, &america]) {
        wait_metric(server, "headwater_cluster_nodes", |nodes| nodes == 3.0)?;
    }
    for (codec, origin, edge) in [("H264", &europe, &edges[1]), ("VP8", &america, &edges[0])] {
        let mut sender = Pages::of(&origin.page("/"))?;
        pairs::open(&mut sender, "sender", "sender.js")?;
        let name = format!("cam-{codec}");
        sender.run("sender", &format!("await ways.publish('session', '{name}', '{codec}');"))?;
        origin.wait_published(&name)?;
        let mut viewers = Pages::of(&edge.page("/"))?;
        for way in ["session", "wcs", "http"] {
            pairs::open(&mut viewers, way, "observe.js")?;
            viewers.run(way, &format!("await ways.play('{way}', '{name}');")).with_context(|| edge.log())?;
        }
        for way in ["session", "wcs", "http"] {
            viewers.front(way)?;
            let seen = viewers.run(way, "return ways.arrives(25);").with_context(|| format!("{codec} to {way}"))?;
            report(&format!("{codec} over an origin and an edge to {way}: {seen}"));
            pairs::is_right(&seen, codec)?;
        }
        ensure!(sessions(origin)? == 2.0, "{} sessions for a publisher and an edge", sessions(origin)?);
        for way in ["session", "wcs", "http"] {
            viewers.run(way, "await ways.stop();")?;
        }
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
