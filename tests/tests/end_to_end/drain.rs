//! An edge that is emptied while people watch: they go to another one, and it ends by itself.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    heavy_turn, http,
    origin::{Origin, free_address},
    players::Recorder,
    program::until,
    report, shared_turn,
    source::Source,
};
use serde_json::{Value, json};

use crate::{
    cluster::{node_at, wait_metric},
    sdk::pages::Pages,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn edge(origin: &Origin) -> Result<Origin> {
    node_at(free_address()?, "edge", Some(origin), &[])
}

fn drain(server: &Origin, body: &str) -> Result<Value> {
    let answer = http::post_json(&server.http(), "/rest-api/cdn/drain", body)?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(serde_json::from_str(&answer.body)?)
}

fn is_ready(server: &Origin) -> bool {
    http::get(&server.http(), "/readyz").is_ok_and(|answer| answer.status == 200)
}

#[test]
fn viewers_of_an_edge_that_is_emptied_go_on_at_another_and_it_ends_by_itself() -> Result<()> {
    let _turn = heavy_turn();
    let origin = node_at(free_address()?, "origin", None, &[])?;
    let leaving = edge(&origin)?;
    wait_metric(&origin, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
    let _publisher = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;

    // A page of the Web SDK that asks the balancer, and a player of RTMP.
    let asks = |host: &str| http::get(&origin.http(), "/balancer").is_ok_and(|answer| answer.body.contains(host));
    until("viewers are sent to the edge", PATIENCE, || asks(&leaving.host().to_string()))?;
    let mut pages = Pages::of(&origin.page("/"))?;
    pages.empty("viewer")?;
    let options = json!({ "url": "http://127.0.0.1:9", "lbUrl": origin.page("/balancer") });
    pages.run(
        "viewer",
        &format!(
            "window.session = sdk.createSession({options});
             window.stream = session.createStream({{ name: 'cam', display: '#video' }});
             await stream.play();"
        ),
    )?;
    let mut rtmp = Recorder::rtmpdump(&leaving.rtmp("cam"))?;
    rtmp.wait_pictures(10, PATIENCE).with_context(|| leaving.log())?;
    wait_metric(&leaving, "headwater_wcs_streams", |streams| streams == 1.0)?;

    let staying = edge(&origin)?;
    wait_metric(&origin, "headwater_cluster_nodes", |nodes| nodes == 2.0)?;
    let begun = Instant::now();
    let told = drain(&leaving, r#"{"exit":true}"#)?;
    ensure!(told["state"] == "DRAINING" && told["viewers"] == 2 && told["exits"] == true, "{told}");
    ensure!(!is_ready(&leaving) && is_ready(&staying));
    let refused = http::get(&leaving.http(), "/cam.flv")?;
    ensure!(refused.status == 503 && refused.header("retry-after").is_some(), "{refused:?}");
    until("the player is sent away", PATIENCE, || !rtmp.runs()).with_context(|| leaving.log())?;
    let ended = leaving.wait(PATIENCE)?;
    ensure!(ended.status.success(), "it ended with {}: {}", ended.status, ended.messages);
    report(&format!("drained and ended after {} ms", begun.elapsed().as_millis()));
    ensure!(ended.messages.contains("drained: nobody is left"), "{}", ended.messages);
    ensure!(ended.messages.contains("viewers_moved=2"), "{}", ended.messages);

    wait_metric(&staying, "headwater_wcs_streams", |streams| streams == 1.0)?;
    let told = pages.run(
        "viewer",
        "const until = Date.now() + 20000;
         while (stream.state !== 'playing' && Date.now() < until) await new Promise((done) => setTimeout(done, 50));
         return [stream.state, session.url.host];",
    )?;
    ensure!(told == json!(["playing", staying.http()]), "{told}");
    Ok(())
}

#[test]
fn sigterm_empties_a_node_of_a_cluster_first_and_a_second_ends_it_at_once() -> Result<()> {
    let _turn = shared_turn();
    let slow = [("PROCESS__DRAIN_MS", "600000")];
    let origin = node_at(free_address()?, "origin", None, &slow)?;
    let _other = edge(&origin)?;
    wait_metric(&origin, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
    let _publisher = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    origin.signal("TERM")?;
    until("it drains", PATIENCE, || origin.log().contains("draining: nobody new is let in"))?;
    ensure!(!is_ready(&origin));
    origin.signal("TERM")?;
    let ended = origin.wait(PATIENCE)?;
    ensure!(ended.status.success(), "it ended with {}: {}", ended.status, ended.messages);
    ensure!(!ended.messages.contains("stopping; a second signal"), "{}", ended.messages);
    Ok(())
}
