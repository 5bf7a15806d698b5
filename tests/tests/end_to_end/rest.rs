//! The REST API against programs that others made: a fuzzer of APIs, and the REST module of WCS's Web SDK.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::Program;
use headwater_tests::source::Source;
use headwater_tests::{heavy_turn, http, scratch, shared_turn, tools};
use serde_json::Value;

#[test]
fn schemathesis_finds_no_server_error_and_no_answer_that_is_not_described() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::with(&[("LIMITS__DIAL_MS", "300")], &["--demo"])?;
    origin.wait_published("demo")?;
    let fuzzer = tools::folder().join("venv/bin/schemathesis");
    let mut run = Command::new(fuzzer);
    // It leaves a folder of its own where it runs.
    run.current_dir(scratch("schemathesis")?.with_file_name(""));
    run.args(["--config-file", "/dev/null", "run"]).arg(origin.page("/rest-api/openapi.json"));
    run.args([
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    ]);
    run.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "1"]);
    // The demo is there to be found, and must not be ended.
    run.args(["--generation-database", "none", "--no-color", "--exclude-path", "/rest-api/stream/terminate"]);
    // Its answer has no end.
    run.args(["--exclude-path", "/rest-api/events"]);
    // A server that is emptied answers nobody new.
    run.args(["--exclude-path", "/rest-api/cdn/drain"]);
    let ended = Program::start("schemathesis", &mut run)?.wait(Duration::from_secs(120))?;
    let said = String::from_utf8_lossy(&ended.output).into_owned();
    ensure!(ended.status.success(), "{said}\n{}", ended.messages);
    ensure!(said.contains("generated"), "nothing was tried: {said}");
    let health = http::get(&origin.http(), "/healthz")?;
    ensure!(health.status == 200, "{health:?}");
    origin.stop()?;
    Ok(())
}

/// Loads the module, gives it of a browser what it asks for, and prints what each call answers.
const SDK: &str = r#"
globalThis.XMLHttpRequest = class {
  open(method, url) { Object.assign(this, { method, url, headers: {} }); }
  setRequestHeader(name, value) { this.headers[name] = value; }
  async send(body) {
    const answer = await fetch(this.url, { method: this.method, headers: this.headers, body });
    Object.assign(this, { status: answer.status, response: await answer.text(), readyState: 4 });
    this.onreadystatechange();
    this.onload();
  }
};
const api = require('@flashphoner/websdk/src/rest-module.js');
const [base, core] = process.argv.slice(1);
const calls = api.instance(base, core);
const settle = (promise) => Promise.resolve(promise).then((value) => ({ value }), (error) => ({ error: error ? error.status : 'refused' }));
(async () => {
  const found = await settle(calls.stream.findAll());
  const one = await settle(calls.stream.find(undefined, 'cam', true, true));
  const nobody = await settle(calls.connection.findAll());
  const stopped = await settle(calls.stream.terminate(found.value[0].mediaSessionId));
  console.log(JSON.stringify({ found, one, nobody, stopped }));
})();
"#;

#[test]
fn the_rest_module_of_the_wcs_web_sdk_finds_and_terminates_streams() -> Result<()> {
    let _turn = shared_turn();
    let origin = Origin::start()?;
    let _source = Source::default().publish(&origin.rtmp("cam"))?;
    origin.wait_published("cam")?;
    let base = format!("http://{}:8081", origin.host());
    let mut node = Command::new(tools::on_path("node")?);
    node.current_dir(tools::folder().join("node")).args(["-e", SDK, &base, &base]);
    let ended = Program::start("node", &mut node)?.succeed(Duration::from_secs(20))?;
    let said: Value = serde_json::from_slice(&ended.output).with_context(|| ended.messages.clone())?;
    let one = &said["one"]["value"][0];
    ensure!(one["name"] == "cam" && one["metrics"]["VIDEO_WIDTH"] == 640, "{said}");
    ensure!(said["found"]["value"][0]["mediaProvider"] == "RTMP", "{said}");
    ensure!(said["nobody"]["error"] == "refused", "404 is an error there: {said}");
    ensure!(said["stopped"]["error"].is_null(), "{said}");
    origin.wait_gone("cam")
}
