//! Another configuration for a server that runs, while a stream flows to its players.

mod deciding;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::program::until;
use headwater_tests::source::Source;
use headwater_tests::{http, scratch, shared_turn};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(10);

/// A server with a configuration file of its own.
struct Reloading {
    origin: Origin,
    file: PathBuf,
}

impl Reloading {
    fn start(text: &str) -> Result<Reloading> {
        let file = scratch("reload.toml")?;
        std::fs::write(&file, text)?;
        let origin = Origin::with(&[], &["--config", &file.to_string_lossy()])?;
        Ok(Reloading { origin, file })
    }

    /// The value in force of a key.
    fn get(&self, section: &str, key: &str) -> Result<String> {
        let answer = http::get(&self.origin.http(), "/rest-api/config/find_all")?;
        let all: Value = serde_json::from_str(&answer.body)?;
        let found = all.as_array().into_iter().flatten().find(|one| one["section"] == section && one["key"] == key);
        Ok(found.and_then(|one| one["value"].as_str()).unwrap_or_default().to_owned())
    }

    fn becomes(&self, section: &str, key: &str, value: &str) -> Result<()> {
        until(&format!("{section}.{key} = {value}"), PATIENCE, || self.get(section, key).is_ok_and(|now| now == value))
    }

    fn set(&self, body: &str) -> Result<(u16, Value)> {
        let answer = http::post_json(&self.origin.http(), "/rest-api/config/set", body)?;
        Ok((answer.status, serde_json::from_str(&answer.body)?))
    }

    fn hang_up(&self) -> Result<()> {
        let ended = std::process::Command::new("kill").args(["-HUP", &self.origin.id().to_string()]).status()?;
        ensure!(ended.success(), "the server could not be told");
        Ok(())
    }
}

#[test]
fn a_configuration_changes_by_file_signal_and_call_while_a_stream_flows() -> Result<()> {
    let _turn = shared_turn();
    let server = Reloading::start("# mine\n[streams]\ngrace_ms = 1000\n")?;
    let source = Source::default().publish(&server.origin.rtmp("cam"))?;
    server.origin.wait_published("cam")?;
    let player = Recorder::curl(&server.origin.flv("cam"))?;

    // By the file alone.
    std::fs::write(&server.file, "# mine\n[streams]\ngrace_ms = 2000\n")?;
    server.becomes("streams", "grace_ms", "2000")?;

    // A file with a fault is refused whole, whoever asks.
    std::fs::write(&server.file, "[streams]\ngrace_ms = 3000\n[http]\nprots = [1]\n")?;
    server.hang_up()?;
    until("the log says what is wrong", PATIENCE, || server.origin.log().contains("prots"))?;
    let refused = http::post_json(&server.origin.http(), "/rest-api/config/reload", "{}")?;
    let said: Value = serde_json::from_str(&refused.body)?;
    let names_it = |words: &str| words.contains("reload.toml:4") && words.contains("ports");
    ensure!(refused.status == 400 && said["message"].as_str().is_some_and(names_it), "{said}");
    ensure!(server.get("streams", "grace_ms")? == "2000", "half of it was taken");

    // By a signal; what needs a new start is told.
    std::fs::write(&server.file, "# mine\n[streams]\ngrace_ms = 4000 # long\n[http]\nports = [8080, 9090]\n")?;
    server.hang_up()?;
    server.becomes("streams", "grace_ms", "4000")?;
    until("the log says what waits", PATIENCE, || server.origin.log().contains("http.ports"))?;
    ensure!(server.get("http", "ports")? == "[8080, 8081, 8082]", "{}", server.get("http", "ports")?);

    // By calls, for now and for good.
    let (status, said) = server.set(r#"{"section":"log","key":"level","value":"error"}"#)?;
    ensure!(status == 200 && said["applied"] == serde_json::json!(["log.level"]), "{said}");
    let before = server.origin.log().len();
    Recorder::curl(&server.origin.flv("cam"))?.wait_pictures(10, PATIENCE)?;
    ensure!(server.origin.log().len() == before, "the log tells what it is not to tell");
    let (status, said) = server.set(r#"{"section":"log","key":"level","value":"info"}"#)?;
    ensure!(status == 200, "{said}");
    until("the log tells again", PATIENCE, || server.origin.log().len() > before)?;
    let (status, said) = server.set(r#"{"section":"streams","key":"grace_ms","value":700,"persist":true}"#)?;
    ensure!(status == 200, "{said}");
    let text = std::fs::read_to_string(&server.file)?;
    ensure!(text.contains("# mine\n[streams]\ngrace_ms = 700 # long\n"), "{text}");
    let (status, said) = server.set(r#"{"section":"streams","key":"grace_ms","value":"long"}"#)?;
    ensure!(status == 400 && said["message"].as_str().is_some_and(|words| words.contains("whole number")), "{said}");

    // The stream has been flowing all along, and the last value holds for it.
    player.wait_pictures(150, PATIENCE)?;
    let times: Vec<u32> = player.finish()?.iter().map(|tag| tag.milliseconds).collect();
    let pause = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
    ensure!(pause < 200, "the player missed {pause} ms");
    source.kill();
    let gone = std::time::Instant::now();
    server.origin.wait_gone("cam")?;
    ensure!(gone.elapsed() < Duration::from_secs(3), "it was waited for {:?}", gone.elapsed());
    Ok(())
}
