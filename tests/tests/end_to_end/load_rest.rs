//! Load that one server sends to another, ordered by REST.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    http::{self, Answer},
    origin::{Origin, free_address},
    program::until,
    report, shared_turn, turn,
};
use serde_json::{Value, json};

use crate::cluster::{node_at, wait_metric};

/// Longer than any state of these runs takes to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server to be measured, and one that may send load to it and nowhere else.
struct Pair {
    target: Origin,
    agents: Origin,
    /// The name of the second among servers.
    node: String,
}

impl Pair {
    fn start(keys: &[(&str, &str)]) -> Result<Pair> {
        let target = node_at(free_address()?, "origin", None, &[])?;
        let allowed = target.host().to_string();
        let mut all = vec![("LOAD__ALLOWED", allowed.as_str())];
        all.extend_from_slice(keys);
        let agents = node_at(free_address()?, "edge", Some(&target), &all)?;
        let pair = Pair { node: format!("edge-{}", agents.host()), target, agents };
        let answers = || pair.ask("abilities", &json!({})).is_ok_and(|answer| answer.status == 200);
        until("one server passes calls on to the other", Duration::from_secs(20), answers)?;
        Ok(pair)
    }

    /// Asks the server of the agents, by way of the other.
    fn ask(&self, call: &str, body: &Value) -> Result<Answer> {
        let node = format!("Headwater-Node: {}", self.node);
        let headers = ["Content-Type: application/json", &node];
        http::exchange(&self.target.http(), "POST", &format!("/rest-api/load/{call}"), &headers, &body.to_string())
    }

    fn told(&self, call: &str, uri: &str) -> Result<Value> {
        let body = if uri.is_empty() { json!({}) } else { json!({ "uri": uri }) };
        read(&ask(&self.agents, call, &body)?)
    }

    fn target(&self, path: &str) -> String {
        self.target.page(path)
    }

    /// Waits for what a run is to come to.
    fn wait(&self, uri: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let run = self.told("find", uri)?;
            if is_so(&run) {
                return Ok(run);
            }
            ensure!(Instant::now() < deadline, "it never was so that {what}: {run:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn ask(server: &Origin, call: &str, body: &Value) -> Result<Answer> {
    http::post_json(&server.http(), &format!("/rest-api/load/{call}"), &body.to_string())
}

fn read(answer: &Answer) -> Result<Value> {
    ensure!(answer.status == 200, "{answer:?}");
    Ok(serde_json::from_str(&answer.body)?)
}

/// The status, the code and the field of a refusal.
fn refusal(answer: &Answer) -> Result<(u16, String, String, String)> {
    let body: Value = serde_json::from_str(&answer.body).with_context(|| format!("{answer:?}"))?;
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    Ok((answer.status, text("code"), text("field"), text("message")))
}

fn small_picture() -> Value {
    json!({ "width": 320, "height": 180, "frameRate": 15, "bitrate": 200_000 })
}

/// That an object has the fields that the description of the API names, and no others.
fn is_as_described(description: &Value, name: &str, object: &Value) -> Result<()> {
    let keys = |of: &Value| -> BTreeSet<String> {
        of.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect()
    };
    let described = keys(&description["components"]["schemas"][name]["properties"]);
    let (mut found, optional) = (keys(object), String::from("error"));
    if described.contains(&optional) {
        found.insert(optional);
    }
    ensure!(!found.is_empty() && found == described, "{name}: {found:?}, but the API describes {described:?}");
    Ok(())
}

#[test]
fn a_server_sends_forty_viewers_and_twenty_pairs_to_another_and_tells_all_of_it() -> Result<()> {
    let _turn = turn();
    let pair = Pair::start(&[])?;
    let before = pair.target.held()?;
    let uri = "load://evening";
    let session = format!("ws://{}", pair.target.http());
    let order = json!({
        "uri": uri, "holdS": 600, "source": small_picture(), "expect": { "failedMax": 0, "latencyP50Ms": 60_000 },
        "tasks": [
            { "what": "publish", "target": pair.target("/stage/whip"), "count": 1 },
            { "what": "play", "target": pair.target("/stage/whep"), "count": 20, "rate": 20, "startS": 2 },
            { "what": "play", "target": session, "stream": "stage", "count": 20, "rampS": 1, "startS": 2 },
            { "what": "pairs", "target": pair.target("/face-{i}/whip"), "count": 20, "rate": 10, "startS": 2 },
        ],
    });
    let begun = read(&pair.ask("startup", &order)?)?;
    ensure!(begun["uri"] == uri && begun["tasks"].as_array().is_some_and(|tasks| tasks.len() == 4), "{begun:#}");
    let all_there = |run: &Value| {
        let live = |task: usize| run["tasks"][task]["live"].as_u64();
        [0, 1, 2, 3].map(live) == [Some(1), Some(20), Some(20), Some(20)]
    };
    pair.wait(uri, "all are there", all_there)?;
    let streams = pair.target.streams()?.len();
    ensure!(streams == 21, "the target has {streams} streams");
    let judged = |run: &Value| {
        run["tasks"].as_array().is_some_and(|tasks| {
            tasks.iter().skip(1).all(|task| {
                task["decoded"]["pictures"].as_u64() > Some(10) && task["latencyMs"]["count"].as_u64() > Some(100)
            })
        })
    };
    pair.wait(uri, "each kind was decoded and timed", judged)?;

    let listed = pair.told("find_all", "")?;
    ensure!(listed.as_array().is_some_and(|runs| runs.len() == 1 && runs[0]["uri"] == uri), "{listed:#}");
    ensure!(pair.told("find", uri)?["state"] == "HOLDING", "{:#}", pair.told("find", uri)?);
    let found = pair.told("terminate", uri)?;
    ensure!(found["uri"] == uri, "{found:#}");
    pair.wait(uri, "all have left", |run| run["state"] == "DONE")?;

    // All of it stays, with the names that the API describes.
    let results = read(&pair.ask("results", &json!({ "uri": uri }))?)?;
    let description: Value = serde_json::from_str(&http::get(&pair.agents.http(), "/rest-api/openapi.json")?.body)?;
    let (run, tasks) = (&results["run"], results["run"]["tasks"].as_array().context("no tasks")?);
    is_as_described(&description, "LoadResults", &results)?;
    is_as_described(&description, "Load", run)?;
    is_as_described(&description, "LoadRow", &tasks[1])?;
    is_as_described(&description, "LoadSpread", &tasks[1]["latencyMs"])?;
    is_as_described(&description, "LoadDecoded", &tasks[1]["decoded"])?;
    is_as_described(&description, "LoadCheck", &results["checks"][0])?;
    is_as_described(&description, "LoadPoint", &results["series"][0])?;
    for task in tasks {
        let counts = ["joined", "left", "liveMax", "count"].map(|field| task[field].as_u64());
        ensure!(counts.iter().all(|count| count.is_some() && *count == counts[0]), "{task:#}");
        ensure!(task["failed"] == 0 && task["failures"] == json!([]) && task["live"] == 0, "{task:#}");
        ensure!(task["target"].as_str().is_some_and(|url| url.contains(&pair.target.http())), "{task:#}");
    }
    for task in &tasks[1..] {
        ensure!(task["packets"].as_u64() > Some(1_000) && task["bytes"].as_u64() > Some(100_000), "{task:#}");
        ensure!(
            task["loss"].as_f64().is_some_and(|loss| loss < 0.02) && task["pictures"].as_u64() > Some(200),
            "{task:#}"
        );
        ensure!(task["decoded"]["refused"] == 0 && task["decoded"]["width"] == 320, "{task:#}");
        ensure!(task["firstPictureMs"]["count"] == 20 && task["joinMs"]["count"] == 20, "{task:#}");
        ensure!(task["latencyMs"]["p50"].as_f64() > Some(0.0), "{task:#}");
    }
    let checks: Vec<_> = results["checks"].as_array().into_iter().flatten().map(|check| &check["what"]).collect();
    ensure!(checks == ["failed_max", "latency_p50_ms"] && results["checks"][0]["kept"] == true, "{checks:?}");
    let series = results["series"].as_array().context("no series")?;
    ensure!(series.iter().any(|point| point["live"] == 61), "{series:?}");
    ensure!(series.is_sorted_by(|a, b| a["at"].as_f64() < b["at"].as_f64()), "{series:?}");
    report(&format!(
        "forty viewers and twenty pairs by REST: {:?}, {} cores of the agents",
        tasks[1..].iter().map(|task| task["latencyMs"]["p50"].to_string()).collect::<Vec<_>>(),
        run["cores"]
    ));
    pair.target.wait_empty()?;
    pair.target.wait_baseline(&before)?;
    pair.agents.stop()?;
    pair.target.stop()?;
    Ok(())
}

#[test]
fn load_that_is_not_allowed_or_too_much_is_refused_with_what_to_do() -> Result<()> {
    let _turn = shared_turn();
    let pair = Pair::start(&[("LIMITS__LOAD_AGENTS", "30"), ("LIMITS__LOAD_RUNS", "2")])?;
    let order = |name: &str, target: &str, count: u32| json!({ "uri": format!("load://{name}"), "holdS": 600, "tasks": [{ "what": "websocket", "target": target, "count": count, "rate": 100 }] });
    let here = format!("ws://{}", pair.target.http());
    let refuse = |order: &Value| -> Result<_> { refusal(&pair.ask("startup", order)?) };

    let (status, code, field, words) = refuse(&order("a", "ws://192.0.2.1:8080", 1))?;
    ensure!((status, code.as_str(), field.as_str()) == (403, "forbidden_address", "tasks"), "{status} {code} {field}");
    ensure!(words.contains("192.0.2.1") && words.contains("`allowed` in [load]"), "{words}");
    // Even where agents run, unless it is named.
    ensure!(refuse(&order("a", &format!("ws://{}", pair.agents.http()), 1))?.0 == 403);
    // A server that allows nothing says so.
    let (status, _, _, words) = refusal(&ask(&pair.target, "startup", &order("a", &here, 1))?)?;
    ensure!(status == 403 && words.contains("no load anywhere"), "{status}: {words}");
    let (status, code, ..) = refuse(&order("a", "gopher://192.0.2.1", 1))?;
    ensure!((status, code.as_str()) == (400, "bad_value"), "{status} {code}");
    let mut dance = order("a", &here, 1);
    dance["tasks"][0]["what"] = json!("dance");
    let (status, _, field, words) = refuse(&dance)?;
    ensure!((status, field.as_str()) == (400, "tasks") && words.contains("dance"), "{status} {field}: {words}");
    let (status, _, _, words) = refuse(&order("a", &here, 31))?;
    ensure!(status == 400 && words.contains("30"), "more than ever may be: {status} {words}");

    read(&pair.ask("startup", &order("a", &here, 20))?)?;
    let (status, code, field, _) = refuse(&order("a", &here, 1))?;
    ensure!((status, code.as_str(), field.as_str()) == (409, "name_taken", "uri"), "{status} {code} {field}");
    let (status, code, _, words) = refuse(&order("b", &here, 11))?;
    ensure!((status, code.as_str()) == (503, "too_many") && words.contains("10 more"), "{status} {code}: {words}");
    read(&pair.ask("startup", &order("b", &here, 10))?)?;
    let abilities = pair.told("abilities", "")?;
    ensure!(abilities["agents"] == 30 && abilities["agentsMax"] == 30 && abilities["runsMax"] == 2, "{abilities:#}");
    ensure!(abilities["allowed"] == json!([pair.target.host().to_string()]), "{abilities:#}");
    let (status, code, _, words) = refuse(&order("c", &here, 1))?;
    ensure!((status, code.as_str()) == (503, "too_many") && words.contains("2 runs"), "{status} {code}: {words}");

    pair.wait("load://b", "the sessions are held", |run| run["tasks"][0]["live"] == 10)?;
    for call in ["find", "results", "terminate"] {
        let (status, code, field, _) = refusal(&pair.ask(call, &json!({ "uri": "load://nobody" }))?)?;
        ensure!(
            (status, code.as_str(), field.as_str()) == (404, "not_found", "uri"),
            "{call}: {status} {code} {field}"
        );
    }
    // What has ended makes room.
    pair.told("terminate", "load://a")?;
    pair.wait("load://a", "its sessions are gone", |run| run["state"] == "DONE")?;
    read(&pair.ask("startup", &order("c", &here, 20))?)?;
    let names = pair.told("find_all", "")?;
    let names: Vec<_> = names.as_array().into_iter().flatten().map(|run| run["uri"].clone()).collect();
    ensure!(names == ["load://c", "load://b", "load://a"], "{names:?}");
    // A server that stops takes its agents along.
    pair.agents.stop()?;
    wait_metric(&pair.target, "headwater_wcs_sessions", |sessions| sessions == 0.0)?;
    pair.target.stop()?;
    Ok(())
}

#[test]
fn a_target_that_dies_in_the_middle_ends_the_run_and_stands_in_its_row() -> Result<()> {
    let _turn = shared_turn();
    let pair = Pair::start(&[])?;
    let uri = "load://doomed";
    let order = json!({
        "uri": uri, "holdS": 600, "source": small_picture(), "expect": { "failedMax": 0 },
        "tasks": [
            { "what": "publish", "target": pair.target("/doomed/whip"), "count": 1 },
            { "what": "play", "target": pair.target("/doomed/whep"), "count": 5, "rate": 20, "startS": 1 },
        ],
    });
    read(&pair.ask("startup", &order)?)?;
    pair.wait(uri, "all are there", |run| run["tasks"][0]["live"] == 1 && run["tasks"][1]["live"] == 5)?;
    let Pair { target, agents, .. } = pair;
    target.kill();
    let told = |call: &str| read(&ask(&agents, call, &json!({ "uri": uri }))?);
    let deadline = Instant::now() + PATIENCE;
    while told("find")?["state"] != "DONE" {
        ensure!(Instant::now() < deadline, "it goes on: {:#}", told("find")?);
        std::thread::sleep(Duration::from_millis(100));
    }
    let results = told("results")?;
    for (index, count) in [(0, 1), (1, 5)] {
        let task = &results["run"]["tasks"][index];
        ensure!(task["failed"] == count && task["live"] == 0 && task["joined"] == count, "{task:#}");
        let failures = task["failures"].as_array().context("no failures")?;
        let counted: u64 = failures.iter().filter_map(|failure| failure["count"].as_u64()).sum();
        ensure!(counted == count, "{task:#}");
        for failure in failures {
            let (reason, words) = (failure["reason"].as_str(), failure["example"].as_str().unwrap_or_default());
            ensure!(matches!(reason, Some("silent" | "lost" | "ended")) && !words.is_empty(), "{failure:#}");
        }
    }
    ensure!(results["checks"][0]["kept"] == false && results["checks"][0]["measured"] == 6.0, "{results:#}");
    agents.stop()?;
    Ok(())
}
