//! An application behind the server, and what real programs see of its decisions.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::wcs::Page;
use headwater_tests::{heavy_turn, http, players, report, shared_turn, tools};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// The back end of `examples/hook-server.rs`.
pub(crate) struct BackEnd {
    program: Program,
    pub(crate) url: String,
}

impl BackEnd {
    pub(crate) fn start(options: &[&str]) -> Result<BackEnd> {
        let mut command = Command::new(tools::example("hook-server")?);
        command.args(["--listen", "127.0.0.1:0", "--key", "canary-4712"]).args(options);
        let program = Program::start("the back end", &mut command)?;
        let said = || String::from_utf8_lossy(&program.output()).into_owned();
        until("the back end listens", SOON, || said().contains('\n'))?;
        let url = said().split_whitespace().last().context("it says no address")?.to_owned();
        Ok(BackEnd { program, url })
    }

    /// What it was asked and told, each as `method name "session" "status"`.
    pub(crate) fn hooks(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.program.output()).lines().skip(1).map(str::to_owned).collect()
    }

    pub(crate) fn wait(&self, method: &str, rest: &str) -> Result<()> {
        let is_it = |hook: &String| hook.starts_with(method) && hook.contains(rest);
        until(&format!("{method} {rest}"), SOON, || self.hooks().iter().any(is_it))
            .with_context(|| format!("{:#?}", self.hooks()))
    }
}

fn origin(applications: &str, more: &[(&str, &str)]) -> Result<Origin> {
    let mut keys =
        vec![("HOOKS__APPLICATIONS", applications), ("HOOKS__SECRET_KEY", "canary-4712"), ("STREAMS__GRACE_MS", "300")];
    keys.extend(more);
    Origin::configured(&keys)
}

fn refused_ffmpeg(input: &str, output: &[&str]) -> Result<String> {
    let mut command = Command::new(tools::on_path("ffmpeg")?);
    let output = command.args(["-v", "error", "-t", "3", "-i", input]).args(output).output()?;
    ensure!(!output.status.success(), "it was let in");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn ffmpeg_is_refused_let_in_and_given_another_name_as_the_application_wants_it() -> Result<()> {
    let _turn = shared_turn();
    let back_end = BackEnd::start(&["--refuse", "secret", "--rename", "camera=hidden/camera"])?;
    let origin = origin(&format!("defaultApp={}", back_end.url), &[])?;
    let file = Source::default().file(5)?;
    let said = refused_ffmpeg(&file.to_string_lossy(), &["-c", "copy", "-f", "flv", &origin.rtmp("secret")])?;
    ensure!(said.contains("Server error: the application does not allow it"), "{said}");
    back_end.wait("publishStream secret", "PENDING")?;

    let encoder = Source::default().publish(&origin.rtmp("camera"))?;
    origin.wait_published("hidden/camera")?;
    back_end.wait("StreamStatusEvent hidden/camera", "PUBLISHING")?;
    // A connection says by the answer to `connect` what may be changed; who comes by HTTP has no connection.
    ensure!(!players::probe(&origin.rtmp("camera"))?.is_empty(), "the name of before leads to the stream");
    ensure!(!players::probe(&origin.flv("hidden/camera"))?.is_empty());
    let refused = http::get(&origin.http(), "/secret.flv")?;
    ensure!(refused.status == 403, "{}", refused.status);
    back_end.wait("stopStream hidden/camera", "STOPPED")?;

    encoder.kill();
    back_end.wait("unPublishStream hidden/camera", "UNPUBLISHED")?;
    ensure!(!origin.log().contains("canary-4712"), "the key stands in the log:\n{}", origin.log());
    origin.stop()?;
    Ok(())
}

#[test]
fn an_application_ends_a_stream_that_goes_on_too_long() -> Result<()> {
    let _turn = shared_turn();
    let back_end = BackEnd::start(&["--last-ms", "3000"])?;
    let keep_alive = [("HOOKS__KEEP_ALIVE", "true"), ("HOOKS__KEEP_ALIVE_INTERVAL_MS", "1000")];
    let origin = origin(&format!("defaultApp={}", back_end.url), &keep_alive)?;
    let begun = Instant::now();
    let encoder = Source::default().publish(&origin.rtmp("camera"))?;
    let ended = encoder.wait(SOON)?;
    ensure!(begun.elapsed() >= Duration::from_secs(3), "ended after {:?}", begun.elapsed());
    ensure!(ended.messages.contains("Terminated by keep-alive"), "{}", ended.messages);
    origin.wait_gone("camera")?;
    back_end.wait("unPublishStream camera", "UNPUBLISHED")?;
    origin.stop()?;
    Ok(())
}

#[test]
fn a_page_of_wcs_plays_what_its_application_lets_it_and_knows_it_by_its_own_name() -> Result<()> {
    let _turn = heavy_turn();
    let back_end = BackEnd::start(&["--refuse", "secret", "--rename", "door=demo"])?;
    let origin = origin(&format!("defaultApp={}", back_end.url), &[("DEMO__ENABLED", "true")])?;
    let mut page = Page::open(&origin.page("/healthz"))?;
    let server = format!("ws://{}", origin.http());
    let stranger = page.call("session", json!(["x", { "urlServer": server, "appKey": "nobody" }]))?;
    ensure!(stranger["log"] == json!(["CONNECTED", "DISCONNECTED"]), "an application that is not there: {stranger}");
    page.call("session", json!(["s", { "urlServer": server }]))?;
    back_end.wait("ConnectionStatusEvent", "ESTABLISHED")?;

    page.call("play", json!(["shut", "s", { "name": "secret" }]))?;
    let log = page.call("status", json!(["shut", "FAILED"]))?;
    let last = log.as_array().and_then(|log| log.last()).cloned().unwrap_or_default();
    ensure!(last["info"].as_str().is_some_and(|info| !info.is_empty()), "{log}");

    page.call("play", json!(["open", "s", { "name": "door" }]))?;
    let log = page.call("status", json!(["open", "PLAYING"]))?;
    ensure!(!log.to_string().contains("demo"), "the page learns the hidden name: {log}");
    page.call("motion", json!(["open", 20]))?;
    back_end.wait("StreamStatusEvent demo", "PLAYING")?;
    page.call("ask", json!(["open", "stop"]))?;
    back_end.wait("stopStream demo", "STOPPED")?;
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    page.kill();
    back_end.wait("ConnectionStatusEvent", "DISCONNECTED")?;
    origin.stop()?;
    Ok(())
}

#[test]
fn an_application_that_hangs_is_no_matter_to_the_sessions_of_another() -> Result<()> {
    let _turn = shared_turn();
    let good = BackEnd::start(&[])?;
    let hanging = BackEnd::start(&["--slow-ms", "60000"])?;
    let applications = format!("defaultApp={}, hanging={}", good.url, hanging.url);
    let origin = origin(&applications, &[])?;
    let _encoder = Source::default().publish(&origin.rtmp("camera"))?;
    origin.wait_published("camera")?;
    let address = origin.http();
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let address = address.clone();
            std::thread::spawn(move || {
                let begun = Instant::now();
                let answer = http::get(&address, "/camera.flv?appKey=hanging");
                (answer.map(|answer| answer.status).unwrap_or_default(), begun.elapsed())
            })
        })
        .collect();
    hanging.wait("playStream camera", "PENDING")?;
    let begun = Instant::now();
    ensure!(!players::probe(&origin.flv("camera"))?.is_empty());
    ensure!(!players::probe(&origin.rtmp("camera"))?.is_empty());
    let took = begun.elapsed();
    let mut slowest = Duration::ZERO;
    for waiting in waiting {
        let (status, elapsed) = waiting.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
        ensure!(status == 503, "{status} after {elapsed:?}");
        slowest = slowest.max(elapsed);
    }
    report(&format!(
        "two players of the good application began in {took:?}; the slowest of 200 refusals took {slowest:?}"
    ));
    ensure!(took < Duration::from_secs(8), "players of the good application took {took:?}");
    ensure!(slowest < Duration::from_secs(6), "the slowest refusal took {slowest:?}");
    let streams: Vec<Value> = origin.streams()?;
    ensure!(streams.iter().any(|stream| stream["name"] == "camera"), "{streams:?}");
    origin.stop()?;
    Ok(())
}
