//! Media between servers over TCP, on hosts between which no datagram passes.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    hosts::{Host, Network},
    http,
    origin::Origin,
    players::Recorder,
    program::{Program, until},
    report, shared_turn,
    source::Source,
    tools,
};
use serde_json::{Value, json};

use crate::chaos::{until_back, until_still};
use crate::hosts::node::{Keys, Node, plain};

/// Pictures that each viewer is to get.
const PICTURES: usize = 60;

fn over_tcp() -> Keys {
    vec![("CLUSTER__TRANSPORT", "tcp".to_owned())]
}

/// Lets no datagram pass between any two of these.
fn without_udp(hosts: &[&Host]) -> Result<()> {
    for one in hosts {
        for other in hosts.iter().filter(|other| other.address() != one.address()) {
            one.hear_no_udp_of(other)?;
        }
    }
    Ok(())
}

/// Plays until enough pictures have come; whoever sees this many sees a stream.
fn watch(server: &Origin, name: &str) -> Result<()> {
    let viewer = Recorder::rtmpdump(&server.rtmp(name))?;
    viewer.wait_pictures(PICTURES, Duration::from_secs(30)).with_context(|| server.log())?;
    viewer.finish().map(drop)
}

#[test]
fn an_edge_fetches_over_tcp_where_no_datagram_passes() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let (at_origin, at_edge) = (network.host("origin")?, network.host("edge")?);
        without_udp(&[&at_origin, &at_edge])?;
        let entry = plain(&at_origin);
        let origin = Node::start(at_origin, "origin", &[], Keys::new())?;
        let edge = Node::start(at_edge, "edge", &[&entry], over_tcp())?;
        edge.wait_nodes(1)?;
        let _source = Source::default().publish(&origin.rtmp("cam"))?;
        origin.wait_published("cam")?;
        watch(&edge, "cam")?;
        let sessions = origin.metric("headwater_webrtc_sessions")?;
        ensure!(sessions == Some(1.0), "{sessions:?} sessions of one edge");
        edge.wait_gone("cam")?;
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 0.0)?;

        // Whoever asks for the stream again gets it again, over a new connection, which does not stay either.
        let before = (edge.held()?, origin.held()?);
        watch(&edge, "cam")?;
        edge.wait_gone("cam")?;
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 0.0)?;
        edge.wait_baseline(&before.0)?;
        origin.wait_baseline(&before.1)
    })
}

/// What an edge was told of servers whose datagrams do not arrive.
fn blocked(edge: &Node) -> Result<f64> {
    Ok(edge.metric("headwater_cluster_media_blocked_total")?.unwrap_or_default())
}

fn transport(edge: &Node) -> Result<Value> {
    Ok(call(edge, "pull/find_all", &json!({}))?.1[0]["transport"].clone())
}

/// One way only: what the edge says is heard, so that signalling, links and all else live.
#[test]
fn media_that_comes_no_more_over_udp_comes_over_tcp_by_itself_and_viewers_stay() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let origin = Node::start(network.host("origin")?, "origin", &[], Keys::new())?;
        let edge = Node::start(network.host("edge")?, "edge", &[&plain(&origin.host)], Keys::new())?;
        edge.wait_nodes(1)?;
        let _sources = ["cam", "other"].map(|name| Source::default().publish(&origin.rtmp(name)));
        origin.wait_published("cam")?;
        origin.wait_published("other")?;
        let viewer = Recorder::rtmpdump(&edge.rtmp("cam"))?;
        viewer.wait_pictures(PICTURES, Duration::from_secs(30)).with_context(|| edge.log())?;
        ensure!(transport(&edge)? == "UDP" && blocked(&edge)? == 0.0);
        let mut curl = Command::new(tools::on_path("curl")?);
        curl.args(["-sN", &edge.page("/rest-api/events?types=media_blocked")]);
        let events = Program::start("curl", &mut curl)?;

        let cut = Instant::now();
        edge.host.hear_no_udp_of(&origin.host)?;
        until_still(&viewer, Duration::from_millis(500))?;
        let back = until_back(&viewer).with_context(|| edge.log())?;
        report(&format!(
            "no UDP from an origin: pictures over TCP {:.1?} after the cut ({back:.1?} of waiting)",
            cut.elapsed()
        ));
        ensure!(transport(&edge)? == "TCP" && blocked(&edge)? == 1.0, "{}", edge.log());
        // What nobody watched until now comes over TCP at once.
        let asked = Instant::now();
        watch(&edge, "other")?;
        report(&format!("another stream of that origin plays after {:.1?}", asked.elapsed()));
        ensure!(blocked(&edge)? == 1.0, "it was told of twice");
        let told = || String::from_utf8_lossy(&events.output()).into_owned();
        until("operators are told", Duration::from_secs(5), || told().contains("\"server\":\"origin\""))
            .with_context(told)?;
        ensure!(told().matches("media_blocked").count() <= 2, "{}", told());
        viewer.finish().map(drop)
    })
}

/// Asks for something by REST.
fn call(server: &Origin, path: &str, body: &Value) -> Result<(u16, Value)> {
    let answer = http::post_json(&server.http(), &format!("/rest-api/{path}"), &body.to_string())?;
    Ok((answer.status, serde_json::from_str(&answer.body).unwrap_or_default()))
}

/// Starts a server of no cluster at a host.
fn alone(host: &Host) -> Result<Origin> {
    let keys = [("LISTEN__INSECURE", "true"), ("RELAY__ALLOW", "10.0.0.0/8")];
    host.inside(|| Origin::at(host.address(), &keys, &[]))
}

#[test]
fn streams_are_pulled_and_pushed_over_tcp_where_a_call_asks_for_it() -> Result<()> {
    let _turn = shared_turn();
    let network = Network::new()?;
    network.inside(|| {
        let hosts = [network.host("here")?, network.host("there")?];
        without_udp(&[&hosts[0], &hosts[1]])?;
        let (here, there) = (alone(&hosts[0])?, alone(&hosts[1])?);
        let _source = Source::default().publish(&here.rtmp("cam"))?;
        here.wait_published("cam")?;
        let (to_here, to_there) = (format!("ws://{}", here.http()), format!("ws://{}", there.http()));

        let pull = |transport: &str| {
            json!({ "uri": to_here, "remoteStreamName": "cam", "localStreamName": "pulled", "transport": transport })
        };
        let (status, told) = call(&there, "pull/pull", &pull("srt"))?;
        ensure!(status == 400 && told["field"] == "transport", "{status} {told}");
        ensure!(call(&there, "pull/pull", &pull("TCP"))?.0 == 200);
        let push = json!({
            "uri": to_there, "localStreamName": "cam", "remoteStreamName": "pushed", "transport": "tcp"
        });
        ensure!(call(&here, "pull/push", &push)?.0 == 200);
        let (status, told) =
            call(&here, "push/startup", &json!({ "streamName": "cam", "rtmpUrl": to_there, "transport": "TCP" }))?;
        ensure!(status == 200 && told["transport"] == "TCP", "{status} {told}");
        for name in ["pulled", "pushed", "cam"] {
            there.wait_published(name).with_context(|| format!("{name}: {}\n{}", here.log(), there.log()))?;
            watch(&there, name)?;
        }
        for (server, statuses) in [(&here, ["PROCESSED_LOCAL", "PROCESSED_LOCAL"].as_slice()), (&there, &["PROCESSED_REMOTE"])] {
            let (_, list) = call(server, "pull/find_all", &json!({}))?;
            let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
            ensure!(all.len() == statuses.len() && all.iter().all(|one| one["transport"] == "TCP"), "{list}");
            ensure!(all.iter().zip(statuses).all(|(one, status)| one["status"] == *status), "{list}");
        }

        // The same without the word: nothing comes, and it is told.
        ensure!(call(&there, "pull/terminate", &json!({ "localStreamName": "pulled" }))?.0 == 200);
        there.wait_gone("pulled")?;
        ensure!(call(&there, "pull/pull", &pull(""))?.0 == 200);
        let mut last = Value::Null;
        until("the pull over UDP fails", Duration::from_secs(40), || {
            last = call(&there, "pull/find_all", &json!({})).map(|(_, list)| list[0].clone()).unwrap_or_default();
            last["failures"].as_u64() > Some(0)
        })?;
        ensure!(last["transport"] == "UDP" && last["status"] == "PENDING", "{last}");
        report(&format!("over UDP, which the network refuses: {}", last["info"]));
        Ok(())
    })
}
