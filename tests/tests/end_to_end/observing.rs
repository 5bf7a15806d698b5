//! The server as those see it who watch over it: events, statistics, metrics, logs.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::browser::{Browser, Engine, drive};
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, http, report, scratch, shared_turn, tools};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// Reads events with curl.
fn curl(origin: &Origin, query: &str, last: Option<&str>) -> Result<Program> {
    let mut curl = Command::new(tools::on_path("curl")?);
    curl.args(["-sN", &origin.page(&format!("/rest-api/events{query}"))]);
    if let Some(last) = last {
        curl.args(["-H", &format!("Last-Event-ID: {last}")]);
    }
    Program::start("curl", &mut curl)
}

/// The events that curl has printed whole: their ids and what they say.
fn read(curl: &Program) -> Vec<(String, Value)> {
    let text = String::from_utf8_lossy(&curl.output()).into_owned();
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    let events = whole.split("\n\n").filter(|event| event.contains("data:"));
    events.filter_map(|event| Some((field(event, "id:"), serde_json::from_str(&field(event, "data:")).ok()?))).collect()
}

fn types(curl: &Program) -> Vec<String> {
    read(curl).iter().map(|(_, event)| event["type"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn curl_and_a_browser_are_told_of_a_stream_from_its_beginning_to_its_end() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[("STREAMS__GRACE_MS", "0")])?;
    let told = curl(&origin, "", None)?;
    let request = json!({
        "url": origin.page("/healthz"), "events": "/rest-api/events?types=published,unpublished",
    });
    let mut node = drive(Engine::Chromium, "events.mjs", request)?;
    let browser = Program::start("a browser that reads events", &mut node)?;
    let seen = || String::from_utf8_lossy(&browser.output()).into_owned();
    until("the browser listens", SOON, || seen().contains("open"))?;

    let publisher = Source::default().publish(&origin.rtmp("told"))?;
    origin.wait_published("told")?;
    let mut viewer = Browser::play(&origin.whep("told"))?;
    viewer.wait_frames(10, SOON)?;
    viewer.finish()?;
    publisher.kill();
    origin.wait_gone("told")?;
    let expected = ["client_connected", "published", "viewer_joined", "viewer_left", "unpublished", "client_gone"];
    until("curl is told of it", SOON, || expected.iter().all(|kind| types(&told).iter().any(|found| found == kind)))?;
    let events = read(&told);
    let published = events.iter().find(|(_, event)| event["type"] == "published").context("published")?;
    ensure!(published.1["stream"] == "told" && published.1["protocol"] == "RTMP", "{published:?}");
    let connected = events.iter().find(|(_, event)| event["type"] == "client_connected").context("connected")?;
    ensure!(connected.1["session"] == published.1["session"], "{events:?}");
    until("the browser is told of it", SOON, || seen().contains("\"unpublished\""))?;
    ensure!(seen().contains(&published.0) && !seen().contains("viewer_joined"), "{}", seen());

    // One id leads from the request through the log to the events.
    let joined = events.iter().find(|(_, event)| event["type"] == "viewer_joined").context("joined")?;
    let session = joined.1["session"].as_str().context("no session")?.to_owned();
    let log = origin.log();
    for line in ["a WHEP session begins", "a WebRTC session has ended"] {
        let found = log.lines().find(|found| found.contains(line)).with_context(|| log.clone())?;
        ensure!(found.contains(&session), "{session} is not in {found}");
    }

    // What it has missed comes to whoever comes back.
    let again = curl(&origin, "", Some(&published.0))?;
    until("the rest is read again", SOON, || types(&again).iter().any(|kind| kind == "client_gone"))?;
    let rest: Vec<_> = read(&again).into_iter().map(|(id, _)| id).collect();
    let ids = events.iter().map(|(id, _)| id.clone());
    let missed: Vec<_> = ids.skip_while(|id| *id != published.0).skip(1).collect();
    ensure!(missed.len() >= 3 && rest.starts_with(&missed), "{rest:?}\n{missed:?}");

    // They end with the server, and do not hold up its end.
    let begun = std::time::Instant::now();
    origin.stop()?;
    ensure!(begun.elapsed() < Duration::from_secs(4), "the stop took {:?}", begun.elapsed());
    told.succeed(SOON)?;
    browser.kill();
    Ok(())
}

const STATISTICS: &str = r#"
globalThis.XMLHttpRequest = class {
  open(method, url) { Object.assign(this, { method, url, headers: {} }); }
  setRequestHeader(name, value) { this.headers[name] = value; }
  async send(body) {
    const method = this.method;
    const answer = await fetch(this.url, { method, headers: this.headers, body: method === "GET" ? undefined : body });
    Object.assign(this, { status: answer.status, response: await answer.text(), readyState: 4 });
    this.responseText = this.response;
    this.onreadystatechange?.();
    this.onload?.();
  }
};
const api = require('@flashphoner/websdk/src/rest-module.js');
const core = process.argv[1];
api.instance(core, core + "/").stat.poll().then((stat) => console.log(JSON.stringify(stat)));
"#;

#[test]
fn the_statistics_page_is_read_by_the_parser_of_the_wcs_web_sdk() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let _source = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    let mut viewer = Browser::play(&origin.whep("cam"))?;
    viewer.wait_frames(10, SOON)?;
    let mut node = Command::new(tools::on_path("node")?);
    node.current_dir(tools::folder().join("node")).args(["-e", STATISTICS, &format!("http://{}:8081", origin.host())]);
    let ended = Program::start("node", &mut node)?.succeed(SOON)?;
    let stat: Value = serde_json::from_slice(&ended.output).with_context(|| ended.messages.clone())?;
    ensure!(stat["connection"]["connections"] == "1" && stat["connection"]["connections_websocket"] == "0", "{stat}");
    ensure!(stat["stream"]["streams_rtmp_in"] == "1" && stat["stream"]["streams_webrtc_out"] == "1", "{stat}");
    ensure!(stat["stream"]["streams_viewers"] == "1" && stat["port"]["ports_media_busy"] == "0", "{stat}");
    let sync = stat["stream"]["streams_synchronization"].as_str().context("no synchronization")?;
    let apart: i64 = sync.strip_prefix("cam/").context(sync.to_owned())?.parse()?;
    ensure!(apart.abs() < 2_000, "{sync}");

    let json = http::get(&origin.http(), "/?action=stat&format=json&groups=transcoding_stats")?;
    let groups: Value = serde_json::from_str(&json.body).with_context(|| json.body.clone())?;
    let full = &groups["transcoding_stats"]["transcoding_video_full_info"];
    ensure!(
        full["cam"]["distributors"].is_object() && groups.as_object().is_some_and(|all| all.len() == 1),
        "{groups}"
    );
    viewer.finish()?;
    origin.stop()?;
    Ok(())
}

/// Reads figures as strictly as the format is defined, and prints how many there are.
const PARSER: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(len(list(text_string_to_metric_families(open(sys.argv[1]).read()))))
";

#[test]
fn figures_tell_how_long_viewers_waited_and_what_a_stream_is_made_of() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[("PROCESS__NAME", "node-7")])?;
    let _source = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    let mut viewer = Browser::play(&origin.whep("cam"))?;
    viewer.wait_frames(150, SOON)?;
    let metrics = http::get(&origin.http(), "/metrics")?.body;
    let figure = |start: &str| -> Result<f64> {
        let line =
            metrics.lines().find(|line| line.starts_with(start)).with_context(|| format!("no {start}:\n{metrics}"))?;
        Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
    };
    let file = scratch("metrics.txt")?;
    std::fs::write(&file, &metrics)?;
    let mut python = Command::new(tools::folder().join("venv/bin/python"));
    python.args(["-c", PARSER]).arg(&file);
    let read = Program::start("the parser of OpenMetrics", &mut python)?.succeed(SOON)?;
    let families: usize = String::from_utf8(read.output)?.trim().parse()?;
    ensure!(
        families == metrics.lines().filter(|line| line.starts_with("# TYPE")).count() && families > 50,
        "{families}"
    );
    ensure!(metrics.contains("node=\"node-7\",role=\"origin\"} 1"), "{metrics}");
    ensure!(figure("headwater_first_media_seconds_count{protocol=\"WebRTC\"}")? == 1.0);
    let waited = figure("headwater_first_media_seconds_sum{protocol=\"WebRTC\"}")?;
    ensure!(waited > 0.001 && waited < 5.0, "it waited {waited} s");
    let frames = figure("headwater_forward_latency_seconds_count{protocol=\"WebRTC\"}")?;
    let mean = figure("headwater_forward_latency_seconds_sum{protocol=\"WebRTC\"}")? / frames;
    ensure!(frames > 140.0 && mean > 0.0 && mean < 0.05, "{frames} frames, {mean} s");
    ensure!(figure("headwater_udp_kernel_drops_total")? >= 0.0);
    report(&format!("first media after {waited:.3} s, forward latency {:.3} ms in the mean", mean * 1_000.0));

    let body = r#"{"name": "cam", "published": true, "display": ["metrics"]}"#;
    let found: Value = serde_json::from_str(&http::post_json(&origin.http(), "/rest-api/stream/find", body)?.body)?;
    let metrics = &found[0]["metrics"];
    let of = |key: &str| metrics[key].as_f64().with_context(|| format!("no {key} in {metrics}"));
    let (key, others, b) = (of("VIDEO_K_FRAMES")?, of("VIDEO_P_FRAMES")?, of("VIDEO_B_FRAMES")?);
    ensure!(key >= 2.0 && others > key && b == 0.0, "{metrics}");
    ensure!((20.0..=40.0).contains(&of("VIDEO_FPS")?) && of("VIDEO_GOP_SIZE")? > 5.0, "{metrics}");
    ensure!(of("VIDEO_CODEC")? == 119.0 && of("VIDEO_LOST")? == 0.0 && of("VIDEO_PLI")? >= 0.0, "{metrics}");
    ensure!((of("VIDEO_SYNC")? - of("AUDIO_SYNC")?).abs() < 2_000.0, "{metrics}");
    viewer.finish()?;
    origin.stop()?;
    Ok(())
}

const CANARY: &str = "canary-7c1f";

#[test]
fn secrets_do_not_reach_the_log_and_what_peers_choose_stays_in_its_line() -> Result<()> {
    let _turn = shared_turn();
    let keys = [("LOG__LEVEL", "debug"), ("LOG__FORMAT", "json"), ("RELAY__ALLOW", "127.0.0.0/8")];
    let origin = Origin::configured(&keys)?;
    let address = origin.http();
    let hostile = "x\u{1b}[31m\u{9b}2J\\\"}{\u{202e}";
    let bearer = format!("Authorization: Bearer {CANARY}");
    let basic = "Authorization: Basic dXNlcjpjYW5hcnktN2MxZg==";
    let agent = format!("User-Agent: {hostile}");
    let sdp = "Content-Type: application/sdp";
    let offer = include_str!("offer.sdp").replace('\n', "\r\n");
    let source = Source::default().publish(&origin.rtmp(&format!("cam?token={CANARY}&key={CANARY}")))?;
    origin.wait_published("cam")?;
    for credentials in [bearer.as_str(), basic] {
        for (method, path, body) in [
            ("POST", "/cam/whep".to_owned(), offer.as_str()),
            ("POST", format!("/cam/whep?token={CANARY}"), offer.as_str()),
            ("POST", format!("/cam/whip?key={CANARY}"), offer.as_str()),
            ("POST", format!("/{hostile}/whip?key={CANARY}"), offer.as_str()),
            ("POST", "/cam/whep".to_owned(), &format!("v=0\r\ns={hostile}\r\na={CANARY}\r\n")),
            ("GET", format!("/none.flv?token={CANARY}"), ""),
            ("GET", format!("/rest-api/stream/find_all?token={CANARY}"), ""),
            ("GET", format!("/?action=stat&token={CANARY}"), ""),
        ] {
            // Some are refused before they have an answer; what counts is the log.
            let _ = http::exchange(&address, method, &path, &[credentials, &agent, sdp], body);
        }
    }
    let push = json!({
        "streamName": "cam", "rtmpUrl": format!("rtmp://{}:9/live/{CANARY}?token={CANARY}", origin.host()),
        "rtmpTransponderFullUrl": true,
    });
    let headers = ["Content-Type: application/json", &bearer];
    let pushed = http::exchange(&address, "POST", "/rest-api/push/startup", &headers, &push.to_string())?;
    ensure!(pushed.status == 200, "{pushed:?}");
    until("the push is tried", SOON, || origin.log().contains("a push is interrupted"))?;
    source.kill();
    origin.wait_gone("cam")?;
    let pages = ["/metrics", "/rest-api/stream/find_all", "/rest-api/push/find_all", "/?action=stat"];
    for page in pages {
        let answer = http::get(&address, page)?.body;
        ensure!(!answer.contains(CANARY), "{page}: {answer}");
    }
    let ended = origin.stop()?;
    let log = ended.messages;
    ensure!(log.lines().count() > 10, "nothing is logged: {log}");
    for line in log.lines() {
        let parsed: Value = serde_json::from_str(line).with_context(|| format!("no line of JSON: {line:?}"))?;
        ensure!(parsed["level"].is_string() && parsed["fields"]["message"].is_string(), "{line}");
        ensure!(!line.chars().any(char::is_control), "{line:?}");
        ensure!(!line.contains(CANARY), "a secret is told: {line}");
    }
    Ok(())
}
