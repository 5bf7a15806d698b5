//! Keys and applications that change while those who were let in by others go on.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::program::until;
use headwater_tests::source::Source;
use headwater_tests::{http, shared_turn, tools};
use serde_json::json;

use super::{PATIENCE, Reloading};
use crate::hooks::BackEnd;

/// Sends a file by RTMP; nothing if it was let in, or else what ffmpeg says.
fn send(file: &Path, address: &str) -> Result<Option<String>> {
    let mut command = Command::new(tools::on_path("ffmpeg")?);
    command.args(["-v", "error", "-t", "2", "-i"]).arg(file).args(["-c", "copy", "-f", "flv", address]);
    let output = command.output()?;
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// That a player has been sent pictures all along.
fn has_flowed(player: Recorder) -> Result<()> {
    let times: Vec<u32> = player.finish()?.iter().map(|tag| tag.milliseconds).collect();
    let pause = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
    ensure!(times.len() > 100 && pause < 200, "of {} tags the player missed {pause} ms", times.len());
    Ok(())
}

#[test]
fn a_key_that_is_taken_away_lets_nobody_in_any_more_while_who_came_by_it_goes_on() -> Result<()> {
    let _turn = shared_turn();
    let keys = |entries: &str| format!("[access]\nstream_keys = [{entries}]\n");
    let server = Reloading::start(&keys("\"publish:**:early-4711\""))?;
    let file = Source::default().file(5)?;
    let (early, late) = (server.origin.rtmp("other?key=early-4711"), server.origin.rtmp("other?key=late-4711"));
    let mut encoder = Source::default().publish(&server.origin.rtmp("cam?key=early-4711"))?;
    until("it publishes", PATIENCE, || server.origin.log().contains("an RTMP publisher begins"))?;
    let player = Recorder::curl(&server.origin.flv("cam"))?;
    ensure!(send(&file, &late)?.is_some(), "a key that is not there yet");

    std::fs::write(&server.file, keys("\"publish:**:late-4711\""))?;
    until("others are in force", PATIENCE, || server.origin.log().contains("access.stream_keys"))?;
    let said = send(&file, &early)?.unwrap_or_default();
    ensure!(said.contains("not known here"), "{said}");
    let said = send(&file, &late)?;
    ensure!(said.is_none(), "{said:?}");

    std::fs::write(&server.file, keys("\"publish:**:late-4711\", \"publish:**:short\""))?;
    server.hang_up()?;
    until("a fault is told", PATIENCE, || server.origin.log().contains("number 2 has a secret of less than 8"))?;
    let said = send(&file, &late)?;
    ensure!(said.is_none(), "those of before are in force: {said:?}");

    player.wait_pictures(150, PATIENCE)?;
    ensure!(encoder.runs(), "who came by the key of before was cut off");
    ensure!(!server.origin.log().contains("4711"), "a key stands in the log:\n{}", server.origin.log());
    has_flowed(player)
}

#[test]
fn an_application_that_a_call_adds_is_asked_and_one_that_it_takes_out_is_not() -> Result<()> {
    let _turn = shared_turn();
    let back_end = BackEnd::start(&["--refuse", "secret"])?;
    let server = Reloading::start("[hooks]\nsecret_key = \"canary-4712\"\n")?;
    let file = Source::default().file(5)?;
    let secret = server.origin.rtmp("secret");
    let mut encoder = Source::default().publish(&server.origin.rtmp("cam"))?;
    server.origin.wait_published("cam")?;
    let player = Recorder::curl(&server.origin.flv("cam"))?;
    ensure!(send(&file, &secret)?.is_none(), "nobody is asked");

    let set = |applications: &[String]| {
        let body = json!({ "section": "hooks", "key": "applications", "value": applications });
        server.set(&body.to_string())
    };
    let (status, said) = set(&["defaultApp".into()])?;
    ensure!(status == 400 && said["message"].as_str().is_some_and(|words| words.contains("no key")), "{said}");
    ensure!(send(&file, &secret)?.is_none(), "what was refused is not in force");
    let (status, said) = set(&[format!("defaultApp={}", back_end.url)])?;
    ensure!(status == 200 && said["applied"] == json!(["hooks.applications"]), "{said}");
    let said = send(&file, &secret)?.unwrap_or_default();
    ensure!(said.contains("the application does not allow it"), "{said}");
    back_end.wait("publishStream secret", "PENDING")?;

    let (status, said) = set(&[])?;
    ensure!(status == 200, "{said}");
    let asked = back_end.hooks().len();
    ensure!(send(&file, &secret)?.is_none(), "nobody is asked any more");
    ensure!(back_end.hooks().len() == asked, "{:#?}", back_end.hooks());

    player.wait_pictures(150, PATIENCE)?;
    ensure!(encoder.runs(), "who came before there was an application was cut off");
    has_flowed(player)
}

#[test]
fn who_calls_rest_may_be_others_after_a_call() -> Result<()> {
    let _turn = shared_turn();
    let server = Reloading::start("")?;
    let made = Command::new(tools::origin()?).arg("--make-token").output()?;
    let text = String::from_utf8(made.stdout)?;
    let token = text.lines().find_map(|line| line.strip_prefix("token: ")).unwrap_or_default().to_owned();
    let hash = text.split("sha256$").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let find = |header: Option<&str>| {
        let headers: Vec<_> = header.into_iter().collect();
        http::exchange(&server.origin.http(), "GET", "/rest-api/config/find_all", &headers, "")
            .map(|answer| answer.status)
    };
    ensure!(find(None)? == 200, "nobody is asked");
    let body = json!({ "section": "access", "key": "tokens", "value": [format!("ops:admin:sha256${hash}")] });
    let (status, said) = server.set(&body.to_string())?;
    ensure!(status == 200 && said["applied"] == json!(["access.tokens"]), "{said}");
    let bearer = format!("Authorization: Bearer {token}");
    ensure!(find(None)? == 401 && find(Some(&bearer))? == 200);
    ensure!(!hash.is_empty() && !server.origin.log().contains(hash), "a hash stands in the log");
    std::fs::write(&server.file, "[streams]\ngrace_ms = 1500\n")?;
    until("the file is read", PATIENCE, || server.origin.log().contains("streams.grace_ms"))?;
    ensure!(find(None)? == 401, "what a call has set stays");
    Ok(())
}

#[test]
fn attack_h4_what_was_set_for_good_is_asked_for_after_a_restart_as_well() -> Result<()> {
    let _turn = shared_turn();
    let server = Reloading::start("# mine\n")?;
    let file = Source::default().file(5)?;
    ensure!(send(&file, &server.origin.rtmp("cam"))?.is_none(), "nobody is asked");
    let value = ["publish:**:lasting-4711"];
    let body = json!({ "section": "access", "key": "stream_keys", "value": value, "persist": true });
    let (status, said) = server.set(&body.to_string())?;
    ensure!(status == 200, "{said}");
    ensure!(send(&file, &server.origin.rtmp("cam"))?.is_some(), "it is in force");
    let Reloading { origin, file: configuration } = server;
    let origin = Origin::at(origin.kill(), &[], &["--config", &configuration.to_string_lossy()])?;
    ensure!(send(&file, &origin.rtmp("cam"))?.is_some(), "the restart has forgotten whom to ask");
    let said = send(&file, &origin.rtmp("cam?key=lasting-4711"))?;
    ensure!(said.is_none(), "{said:?}");
    Ok(())
}
