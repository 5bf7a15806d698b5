//! Viewers sent to one of several servers, by how many each has, for pages made with the WCS Web SDK.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::{Origin, free_address};
use headwater_tests::players::Recorder;
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::wcs::Page;
use headwater_tests::{heavy_turn, http, scratch, shared_turn, tools};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server that sends viewers to others.
struct Balancer {
    origin: Origin,
    file: PathBuf,
}

impl Balancer {
    fn start(edges: &[&Origin], more: &str) -> Result<Balancer> {
        let file = scratch("balancer.toml")?;
        std::fs::write(&file, configuration(edges, more))?;
        let origin = Origin::with(&[], &["--config", &file.to_string_lossy()])?;
        Ok(Balancer { origin, file })
    }

    /// Has it take up another list.
    fn list(&self, text: &str) -> Result<()> {
        std::fs::write(&self.file, text)?;
        let told = std::process::Command::new("kill").args(["-HUP", &self.origin.id().to_string()]).status()?;
        ensure!(told.success(), "the server could not be told");
        Ok(())
    }

    fn ask(&self) -> Result<http::Answer> {
        http::get(&self.origin.http(), "/balancer")
    }

    /// The host that the next viewer is sent to.
    fn next(&self) -> Result<String> {
        let answer = self.ask()?;
        let told: Value = serde_json::from_str(&answer.body).with_context(|| format!("{answer:?}"))?;
        ensure!(answer.status == 200 && told["ws"] == 8080, "{answer:?}");
        Ok(told["server"].as_str().unwrap_or_default().to_owned())
    }

    fn waits_for(&self, metric: &str, value: f64) -> Result<()> {
        let shows = || self.sample(metric).is_ok_and(|now| now == Some(value));
        until(&format!("{metric} is {value}"), PATIENCE, shows).with_context(|| self.origin.log())
    }

    fn sample(&self, metric: &str) -> Result<Option<f64>> {
        let page = http::get(&self.origin.http(), "/metrics")?.body;
        let value = page.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok());
        Ok(value)
    }
}

const OPEN: &str = "headwater_balancer_edges{state=\"open\"}";
const DEAD: &str = "headwater_balancer_edges{state=\"dead\"}";
const VIEWERS: &str = "headwater_balancer_edge_viewers";

fn configuration(edges: &[&Origin], more: &str) -> String {
    let edges: Vec<String> = edges.iter().map(|edge| format!("\"ws://{}\"", edge.http())).collect();
    format!("[balancer]\nedges = [{}]\npoll_ms = 100\n{more}\n", edges.join(", "))
}

fn sessions(edge: &Origin) -> Result<usize> {
    let answer = http::post_json(&edge.http(), "/rest-api/connection/find_all", "{}")?;
    let list: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(list.as_array().map_or(0, Vec::len))
}

#[test]
fn a_page_of_the_web_sdk_is_sent_to_the_edge_with_fewer_viewers_and_elsewhere_when_that_dies() -> Result<()> {
    let _turn = heavy_turn();
    let edge = || Origin::configured(&[("DEMO__ENABLED", "true")]);
    let (crowded, quiet) = (edge()?, edge()?);
    let balancer = Balancer::start(&[&crowded, &quiet], "")?;
    crowded.wait_published("demo")?;
    quiet.wait_published("demo")?;
    let crowd = (0..3).map(|_| Recorder::curl(&crowded.flv("demo"))).collect::<Result<Vec<_>>>()?;
    balancer.waits_for(OPEN, 2.0)?;
    balancer.waits_for(VIEWERS, 3.0)?;

    // The page is of another site: the port makes the difference. Without an answer it would find nobody.
    let host = balancer.origin.host();
    let mut page = Page::open(&format!("http://{host}:8081/healthz"))?;
    let options = json!({ "urlServer": format!("ws://{host}:9"), "lbUrl": balancer.origin.page("/balancer") });
    let session = page.call("session", json!(["first", options]))?;
    ensure!(session["log"] == json!(["CONNECTED", "ESTABLISHED"]), "{session}");
    ensure!((sessions(&quiet)?, sessions(&crowded)?) == (1, 0), "{:?}", page.complaints());
    page.call("play", json!(["p", "first", { "name": "demo" }]))?;
    page.call("status", json!(["p", "PLAYING"]))?;
    page.call("motion", json!(["p", 20]))?;

    quiet.kill();
    balancer.waits_for(DEAD, 1.0)?;
    let session = page.call("session", json!(["second", options]))?;
    ensure!(session["log"] == json!(["CONNECTED", "ESTABLISHED"]), "{session}");
    ensure!(sessions(&crowded)? == 1, "{:?}", page.complaints());

    drop(crowd);
    crowded.kill();
    balancer.waits_for(DEAD, 2.0)?;
    let answer = balancer.ask()?;
    ensure!(answer.status == 503 && answer.header("retry-after").is_some(), "{answer:?}");
    ensure!(answer.header("access-control-allow-origin") == Some("*"), "{answer:?}");
    balancer.origin.stop()?;
    Ok(())
}

#[test]
fn another_list_of_edges_is_taken_up_while_the_balancer_runs_and_a_wrong_one_is_not() -> Result<()> {
    let _turn = shared_turn();
    let (one, other) = (Origin::start()?, Origin::start()?);
    let balancer = Balancer::start(&[&one, &other], "mode = \"round_robin\"")?;
    balancer.waits_for(OPEN, 2.0)?;
    let both = [balancer.next()?, balancer.next()?, balancer.next()?];
    ensure!(both[0] == both[2] && both[0] != both[1], "{both:?}");

    balancer.list(&configuration(&[&other], "mode = \"random\""))?;
    balancer.waits_for(OPEN, 1.0)?;
    for _ in 0..4 {
        ensure!(balancer.next()? == other.host().to_string());
    }
    balancer.list("[balancer]\nedges = [\"https://edge1.example\"]\n")?;
    let said = || balancer.origin.log().contains("https://edge1.example");
    until("the wrong list is refused", PATIENCE, said)?;
    ensure!(balancer.next()? == other.host().to_string(), "the wrong list is in force");

    balancer.list("[balancer]\n")?;
    until("no edge is left", PATIENCE, || balancer.ask().is_ok_and(|answer| answer.status == 404))?;
    balancer.list(&configuration(&[&one], ""))?;
    balancer.waits_for(OPEN, 1.0)?;
    ensure!(balancer.next()? == one.host().to_string());
    balancer.origin.stop()?;
    Ok(())
}

#[test]
fn an_edge_that_tells_strangers_nothing_is_chosen_last_until_the_balancer_has_a_token() -> Result<()> {
    let _turn = shared_turn();
    let made = Program::start("origin", Command::new(tools::origin()?).arg("--make-token"))?.succeed(PATIENCE)?;
    let made = String::from_utf8(made.output)?;
    let said = |key: &str| made.lines().find_map(|line| line.strip_prefix(key)).context("no token was made");
    let entry = said("entry: ")?.trim_matches('"').replace("NAME:ROLE", "balancer:viewer");

    let open = Origin::configured(&[("DEMO__ENABLED", "true")])?;
    let closed = Origin::configured(&[("ACCESS__TOKENS", &entry)])?;
    open.wait_published("demo")?;
    let viewers = [Recorder::curl(&open.flv("demo"))?, Recorder::curl(&open.flv("demo"))?];
    let balancer = Balancer::start(&[&closed, &open], "")?;
    balancer.waits_for(OPEN, 2.0)?;
    balancer.waits_for(VIEWERS, 2.0)?;
    for _ in 0..4 {
        ensure!(balancer.next()? == open.host().to_string(), "sent to an edge that says nothing");
    }
    balancer.list(&configuration(&[&closed, &open], &format!("token = \"{}\"", said("token: ")?)))?;
    let closed_is_next = || balancer.next().is_ok_and(|next| next == closed.host().to_string());
    until("the edge without viewers is the next", PATIENCE, closed_is_next)?;
    drop(viewers);
    balancer.origin.stop()?;
    Ok(())
}

#[test]
fn what_is_published_is_sent_to_each_edge_of_the_list_by_webrtc_or_rtmp_and_to_none_that_has_left_it() -> Result<()> {
    let _turn = shared_turn();
    // It waits for a publisher after the balancer has done so already: both times together are what the test waits for.
    let (one, other) = (Origin::start()?, Origin::configured(&[("STREAMS__GRACE_MS", "500")])?);
    let by = |carrier: &str| format!("distribution = \"{carrier}\"\n[relay]\nallow = [\"127.0.0.0/8\"]");
    let balancer = Balancer::start(&[&one], &by("webrtc"))?;
    let source = Source::default().publish(&balancer.origin.rtmp("cam"))?;
    one.wait_published("cam")?;
    ensure!(other.streams()?.is_empty(), "an edge that is not listed has it");

    balancer.list(&configuration(&[&other], &by("rtmp")))?;
    other.wait_published("cam")?;
    one.wait_gone("cam")?;
    let player = Recorder::curl(&other.flv("cam"))?;
    player.wait_pictures(10, PATIENCE)?;
    drop(source);
    other.wait_gone("cam")?;
    balancer.origin.stop()?;
    Ok(())
}

#[test]
fn edges_of_the_cluster_need_no_list() -> Result<()> {
    let _turn = shared_turn();
    let node = |role: &str, entry: &str| {
        let host = free_address()?;
        let (own, name) = (format!("ws://{host}:8084"), format!("{role}-{host}"));
        let keys = [("ENABLED", "true"), ("TLS", "false"), ("SECRET", "a secret of these tests")];
        let more = [("ROLE", role), ("NODE", name.as_str()), ("URL", own.as_str()), ("ENTRY", entry)];
        let keys = keys.into_iter().chain(more).map(|(key, value)| (format!("CLUSTER__{key}"), value));
        let keys: Vec<(String, &str)> = keys.collect();
        let keys: Vec<(&str, &str)> = keys.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        Origin::at(host, &keys, &[])
    };
    let origin = node("origin", "")?;
    let edge = node("edge", &format!("ws://{}:8084", origin.host()))?;
    let status = |wanted: u16| http::get(&origin.http(), "/balancer").ok().filter(|answer| answer.status == wanted);
    until("viewers are sent to the edge", PATIENCE, || {
        status(200).is_some_and(|answer| answer.body.contains(&edge.host().to_string()))
    })?;
    edge.kill();
    until("nobody is sent there any more", PATIENCE * 2, || status(503).is_some())?;
    origin.stop()?;
    Ok(())
}
