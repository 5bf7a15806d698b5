//! Streams that go from one server to another, and what becomes of them when one of the servers is killed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::http;
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::{shared_turn, tools};
use serde_json::{Value, json};

const ALLOWED: (&str, &str) = ("RELAY__ALLOW", "127.0.0.0/8");

fn call(origin: &Origin, path: &str, body: &Value) -> Result<(u16, Value)> {
    let answer = http::post_json(&origin.http(), &format!("/rest-api/{path}"), &body.to_string())?;
    Ok((answer.status, serde_json::from_str(&answer.body).unwrap_or_default()))
}

/// Waits until the only push or pull is at this.
fn wait_status(origin: &Origin, path: &str, status: &str) -> Result<Value> {
    let mut last = Value::Null;
    until(&format!("{path} tells {status}"), Duration::from_secs(20), || {
        last = call(origin, path, &json!({})).map(|(_, list)| list[0].clone()).unwrap_or_default();
        last["status"] == status
    })
    .with_context(|| format!("{last}\norigin said:\n{}", origin.log()))?;
    Ok(last)
}

/// How loud the loudest sample of a recording is, in decibels below full scale.
fn loudest(file: &std::path::Path) -> Result<f64> {
    let mut ffmpeg = std::process::Command::new(tools::on_path("ffmpeg")?);
    ffmpeg.args(["-hide_banner", "-nostdin", "-i"]).arg(file).args(["-vn", "-af", "volumedetect", "-f", "null", "-"]);
    let said = Program::start("volumedetect", &mut ffmpeg)?.succeed(Duration::from_secs(20))?.messages;
    let found = said.lines().find_map(|line| line.split_once("max_volume: ")?.1.strip_suffix(" dB")?.parse().ok());
    found.with_context(|| format!("no volume in: {said}"))
}

/// Records some seconds of a stream.
fn record(url: &str) -> Result<std::path::PathBuf> {
    let recorder = Recorder::rtmpdump(url)?;
    recorder.wait_pictures(60, Duration::from_secs(20))?;
    Ok(recorder.stop())
}

#[test]
fn a_pushed_stream_is_sent_again_when_the_other_server_was_killed_and_comes_back() -> Result<()> {
    let _turn = shared_turn();
    let (here, there) = (Origin::configured(&[ALLOWED])?, Origin::start()?);
    let _source = Source::default().publish(&here.rtmp("cam"))?;
    here.wait_published("cam")?;
    let url = format!("rtmp://{}/live?token=hidden", there.host());
    let (status, push) = call(&here, "push/startup", &json!({ "streamName": "cam", "rtmpUrl": url }))?;
    ensure!(status == 200 && push["streamName"] == "rtmp_cam", "{status} {push}");
    there.wait_published("rtmp_cam")?;
    let shown = wait_status(&here, "push/find_all", "PROCESSED_LOCAL")?;
    ensure!(shown["width"] == 640 && shown["muted"] == false, "{shown}");
    let loud = loudest(&record(&there.rtmp("rtmp_cam"))?)?;
    ensure!(loud > -40.0, "a tone of {loud} dB");

    let host = there.kill();
    let shown = wait_status(&here, "push/find_all", "PENDING")?;
    ensure!(shown["info"].is_string() && shown["failures"].as_u64() > Some(0), "{shown}");
    let there = Origin::at(host, &[], &[])?;
    there.wait_published("rtmp_cam")?;
    let id = json!({ "mediaSessionId": push["mediaSessionId"] });
    ensure!(call(&here, "push/mute", &id)?.0 == 200);
    until("sound from before the mute has gone by", Duration::from_secs(20), || {
        record(&there.rtmp("rtmp_cam")).and_then(|file| loudest(&file)).is_ok_and(|loud| loud < -80.0)
    })?;
    ensure!(call(&here, "push/unmute", &id)?.0 == 200);
    until("sound is heard again", Duration::from_secs(20), || {
        record(&there.rtmp("rtmp_cam")).and_then(|file| loudest(&file)).is_ok_and(|loud| loud > -40.0)
    })?;

    ensure!(call(&here, "push/terminate", &id)?.0 == 200);
    there.wait_gone("rtmp_cam")?;
    ensure!(call(&here, "push/find_all", &json!({}))?.0 == 404);
    ensure!(!here.log().contains("hidden"), "a secret is in the log");
    here.stop()?;
    Ok(())
}

#[test]
fn a_pulled_stream_plays_here_and_comes_back_after_its_server() -> Result<()> {
    let _turn = shared_turn();
    let (here, there) = (Origin::configured(&[ALLOWED, ("STREAMS__GRACE_MS", "60000")])?, Origin::start()?);
    let source = Source::default();
    let first = source.publish(&there.rtmp("cam"))?;
    there.wait_published("cam")?;
    let uri = format!("{}?token=hidden", there.rtmp("cam"));
    let body = json!({ "uri": uri, "localStreamName": "copy" });
    ensure!(call(&here, "pull/rtmp/pull", &body)?.0 == 200);
    here.wait_published("copy")?;
    let shown = wait_status(&here, "pull/rtmp/find_all", "PROCESSED_REMOTE")?;
    ensure!(shown["hasVideo"] == true && shown["hasAudio"] == true && shown["localStreamName"] == "copy", "{shown}");
    ensure!(!shown.to_string().contains("hidden"), "{shown}");
    ensure!(call(&here, "pull/rtmp/pull", &body)?.0 == 409);
    let watching = Recorder::rtmpdump(&here.rtmp("copy"))?;
    watching.wait_pictures(30, Duration::from_secs(20))?;

    let host = there.kill();
    drop(first);
    wait_status(&here, "pull/rtmp/find_all", "PENDING")?;
    let there = Origin::at(host, &[], &[])?;
    let _second = source.publish(&there.rtmp("cam"))?;
    wait_status(&here, "pull/rtmp/find_all", "PROCESSED_REMOTE")?;
    let before = watching.tags()?.len();
    until("the viewer who stayed sees more", Duration::from_secs(20), || {
        watching.tags().is_ok_and(|tags| tags.len() > before + 60)
    })?;

    ensure!(call(&here, "pull/rtmp/terminate", &json!({ "uri": uri }))?.0 == 200);
    until("the pull is gone", Duration::from_secs(10), || {
        call(&here, "pull/rtmp/find_all", &json!({})).is_ok_and(|(status, _)| status == 404)
    })?;
    ensure!(!here.log().contains("hidden"), "a secret is in the log");
    Ok(())
}

#[test]
fn no_stream_is_sent_to_or_fetched_from_inside_unless_allowed() -> Result<()> {
    let _turn = shared_turn();
    let (here, there) = (Origin::start()?, Origin::start()?);
    let _source = Source::default().publish(&here.rtmp("cam"))?;
    here.wait_published("cam")?;
    let host = there.host();
    let number = u32::from(host);
    for host in
        [host.to_string(), number.to_string(), format!("{number:#x}"), format!("[::ffff:{host}]"), "localhost".into()]
    {
        let push = json!({ "streamName": "cam", "rtmpUrl": format!("rtmp://{host}/live") });
        let pull = json!({ "uri": format!("rtmp://{host}/live/cam") });
        for (path, body) in [("push/startup", push), ("pull/rtmp/pull", pull)] {
            let (status, refusal) = call(&here, path, &body)?;
            ensure!(status == 403 && refusal["code"] == "forbidden_address", "{path} {body}: {status} {refusal}");
        }
    }
    ensure!(there.metric("headwater_rtmp_connections_opened_total")? == Some(0.0), "a connection was made");
    Ok(())
}
