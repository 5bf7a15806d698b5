//! Media between servers over TCP, on hosts between which no datagram passes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    hosts::{Host, Network},
    http,
    origin::Origin,
    players::Recorder,
    program::until,
    report, shared_turn,
    source::Source,
};
use serde_json::{Value, json};

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
