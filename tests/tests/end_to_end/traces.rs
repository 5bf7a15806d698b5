//! Traces: what a collector of OpenTelemetry gets to know of sessions, calls and hooks; and what a dead one does not do.

mod collector;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{http, origin::Origin, players, program::until, report, shared_turn, source::Source};

use serde_json::{Value, json};

use crate::hooks::BackEnd;
use collector::{Collector, Seen};

const SOON: Duration = Duration::from_secs(20);
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn sessions_hooks_and_calls_are_told_to_a_collector_as_they_belong_together() -> Result<()> {
    let _turn = shared_turn();
    let (collector, back_end) = (Collector::start(200)?, BackEnd::start(&["--refuse", "secret"])?);
    let origin = Origin::configured(&[
        ("TRACES__ENDPOINT", &collector.address()),
        ("TRACES__HEADERS", "authorization=Bearer canary-4711"),
        ("HOOKS__APPLICATIONS", &format!("defaultApp={}", back_end.url)),
        ("HOOKS__SECRET_KEY", "canary-4712"),
    ])?;
    let encoder = Source::default().publish(&origin.rtmp("camera"))?;
    origin.wait_published("camera")?;
    let published = origin.streams()?.into_iter().find(|stream| stream["published"] == true).context("no stream")?;
    let session = published["sessionId"].as_str().context("no session")?.to_owned();
    ensure!(!players::probe(&origin.flv("camera"))?.is_empty());
    ensure!(http::get(&origin.http(), "/secret.flv")?.status == 403);
    let parent = format!("traceparent: {CALLER}");
    let headers = ["Content-Type: application/json", parent.as_str()];
    let answer = http::exchange(&origin.http(), "POST", "/rest-api/stream/find_all", &headers, "{}")?;
    ensure!(answer.status == 200, "{answer:?}");
    ensure!(http::post_json(&origin.http(), "/rest-api/made/up-4713", "{}")?.status == 404);
    encoder.kill();
    back_end.wait("unPublishStream camera", "UNPUBLISHED")?;
    let log = origin.log();
    origin.stop()?;

    let spans = collector.spans();
    let one = |what: &str, is_it: &dyn Fn(&Seen) -> bool| {
        let found: Vec<&Seen> = spans.iter().filter(|span| is_it(span)).collect();
        ensure!(found.len() == 1, "{} spans are {what}: {spans:#?}", found.len());
        Ok(found[0].clone())
    };
    let whole = one("the publisher's session", &|span| span.name == "session" && span.is_of(&session))?;
    ensure!(whole.parent.is_empty() && whole.get("network.protocol.name") == "RTMP", "{whole:#?}");
    ensure!(log.contains(&session), "the log knows the session by the same id");
    let publication = one("the publication", &|span| span.name == "publish" && span.is_of(&session))?;
    ensure!(publication.is_child_of(&whole) && publication.events == ["first media"], "{publication:#?}");
    ensure!(publication.get("headwater.stream") == "camera", "{publication:#?}");
    for hook in ["connect", "publishStream", "StreamStatusEvent", "unPublishStream"] {
        let span = spans.iter().find(|span| span.name == format!("hook {hook}") && span.is_of(&session));
        let span = span.with_context(|| format!("no {hook} in {spans:#?}"))?;
        ensure!(span.is_child_of(&whole) && span.get("http.response.status_code") == "200", "{span:#?}");
        let is_awaited = ["connect", "publishStream"].contains(&hook);
        ensure!(!is_awaited || span.is_within(&whole), "{hook} was waited for: {span:#?} {whole:#?}");
    }
    let refused = one("the refused viewer", &|span| span.name == "play" && span.get("headwater.stream") == "secret")?;
    ensure!(refused.failed.is_some(), "{refused:#?}");
    let asked = one("its hook", &|span| span.name == "hook playStream" && span.trace == refused.trace)?;
    ensure!(asked.failed.is_some() && asked.get("http.response.status_code") == "403", "{asked:#?}");
    let call = one("the call", &|span| span.name == "REST stream/find_all" && span.trace == CALLER[3..35])?;
    ensure!(call.parent == CALLER[36..52] && call.get("http.response.status_code") == "200", "{call:#?}");
    ensure!(spans.iter().all(|span| !span.name.contains("4713")), "callers cannot make up names: {spans:#?}");

    ensure!(collector.heads().iter().all(|head| head.contains("Bearer canary-4711")), "{:?}", collector.heads());
    let said = format!("{spans:?}{log}");
    ensure!(!said.contains("canary"), "secrets are told: {said}");
    report(&format!("{} spans in {} requests", spans.len(), collector.heads().len()));
    Ok(())
}

#[test]
fn a_push_and_a_pull_are_told_from_their_beginning_to_their_end_with_what_interrupted_them() -> Result<()> {
    let _turn = shared_turn();
    let collector = Collector::start(200)?;
    let here = Origin::configured(&[("TRACES__ENDPOINT", &collector.address()), ("RELAY__ALLOW", "127.0.0.0/8")])?;
    let there = Origin::start()?;
    let _encoder = Source::default().publish(&here.rtmp("camera"))?;
    here.wait_published("camera")?;
    let call = |path: &str, body: Value| -> Result<Value> {
        let answer = http::post_json(&here.http(), &format!("/rest-api/{path}"), &body.to_string())?;
        ensure!(answer.status == 200, "{path} {body}: {answer:?}");
        Ok(serde_json::from_str(&answer.body).unwrap_or_default())
    };
    let url = format!("rtmp://{}/live?token=canary-4711", there.host());
    let push = call("push/startup", json!({ "streamName": "camera", "rtmpUrl": url }))?;
    there.wait_published("rtmp_camera")?;
    let uri = there.rtmp("rtmp_camera");
    call("pull/rtmp/pull", json!({ "uri": uri, "localStreamName": "copy" }))?;
    here.wait_published("copy")?;
    call("pull/rtmp/terminate", json!({ "uri": uri }))?;
    let host = there.kill();
    until("the push is interrupted", SOON, || {
        call("push/find_all", json!({})).is_ok_and(|pushes| pushes[0]["status"] == "PENDING")
    })?;
    let there = Origin::at(host, &[], &[])?;
    there.wait_published("rtmp_camera")?;
    call("push/terminate", json!({ "mediaSessionId": push["mediaSessionId"] }))?;
    there.wait_gone("rtmp_camera")?;
    here.stop()?;

    let spans = collector.spans();
    let one =
        |name: &str| spans.iter().find(|span| span.name == name).with_context(|| format!("no {name} in {spans:#?}"));
    let (pushed, pulled) = (one("push")?, one("pull")?);
    let id = push["mediaSessionId"].as_str().context("no id")?;
    ensure!(pushed.is_of(id) && pushed.parent.is_empty(), "{pushed:#?}");
    ensure!(pushed.get("headwater.stream") == "camera" && pushed.get("headwater.status") == "STOPPED", "{pushed:#?}");
    let connected = |events: &[String]| events.iter().filter(|event| *event == "connected").count();
    ensure!(connected(&pushed.events) == 2 && pushed.events.iter().any(|event| event == "interrupted"), "{pushed:#?}");
    ensure!(pulled.get("headwater.stream") == "copy" && connected(&pulled.events) == 1, "{pulled:#?}");
    ensure!(!format!("{spans:?}").contains("canary"), "secrets are told: {spans:#?}");
    Ok(())
}

#[test]
fn a_collector_that_is_gone_harms_nobody() -> Result<()> {
    let _turn = shared_turn();
    // One that takes connections and does not answer, and one that is not there.
    let (hanging, gone) = (std::net::TcpListener::bind("127.0.0.1:0")?, std::net::TcpListener::bind("127.0.0.1:0")?);
    let addresses = [hanging.local_addr()?, gone.local_addr()?];
    drop(gone);
    for address in addresses {
        let endpoint = format!("http://{address}");
        let limits = [("LIMITS__TRACE_SPANS", "16"), ("LIMITS__TRACE_SPANS_AT_ONCE", "16")];
        let origin = Origin::configured(&[&[("TRACES__ENDPOINT", endpoint.as_str())], &limits[..]].concat())?;
        let encoder = Source::default().publish(&origin.rtmp("camera"))?;
        origin.wait_published("camera")?;
        for _ in 0..100 {
            ensure!(http::get(&origin.http(), "/rest-api/stream/find_all")?.status == 200);
        }
        ensure!(!players::probe(&origin.rtmp("camera"))?.is_empty());
        let dropped = || {
            let metrics = http::get(&origin.http(), "/metrics").map(|answer| answer.body).unwrap_or_default();
            let line =
                metrics.lines().find(|line| line.starts_with("headwater_trace_spans_total{outcome=\"dropped\"}"));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0)
        };
        until("spans are dropped and counted", SOON, || dropped() > 50.0)?;
        encoder.kill();
        origin.wait_gone("camera")?;
        let begun = Instant::now();
        let log = origin.log();
        origin.stop()?;
        let took = begun.elapsed();
        ensure!(log.matches("spans do not get to the collector").count() <= 1, "{log}");
        ensure!(took < Duration::from_secs(5), "stopping takes {took:?}");
        report(&format!("with a dead collector the server stops in {took:?}"));
    }
    Ok(())
}
