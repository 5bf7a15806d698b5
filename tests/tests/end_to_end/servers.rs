//! Streams that go from one server to another by WebRTC.

mod push;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::players::Recorder;
use headwater_tests::program::until;
use headwater_tests::source::Source;
use headwater_tests::{flv, http};
use headwater_tests::{heavy_turn, report, shared_turn, sync};
use serde_json::{Value, json};

use crate::sdk::pages::Pages;

/// Other servers of the tests are on this machine.
const ALLOWED: (&str, &str) = ("RELAY__ALLOW", "127.0.0.0/8");
/// Milliseconds that sound may come before or after the picture.
const SKEW_MS: f64 = 40.0;

fn call(origin: &Origin, path: &str, body: &Value) -> Result<(u16, Value)> {
    let answer = http::post_json(&origin.http(), &format!("/rest-api/{path}"), &body.to_string())?;
    Ok((answer.status, serde_json::from_str(&answer.body).unwrap_or_default()))
}

fn server(origin: &Origin) -> String {
    format!("ws://{}:8080", origin.host())
}

/// Waits until the pull of a name is at this.
fn wait_status(origin: &Origin, name: &str, status: &str) -> Result<Value> {
    let mut last = Value::Null;
    until(&format!("the pull of {name} is {status}"), Duration::from_secs(20), || {
        let (_, pulls) = call(origin, "pull/find_all", &json!({})).unwrap_or_default();
        last = pulls
            .as_array()
            .and_then(|all| all.iter().find(|pull| pull["localStreamName"] == name))
            .cloned()
            .unwrap_or_default();
        last["status"] == status
    })
    .with_context(|| format!("{last}\norigin said:\n{}", origin.log()))?;
    Ok(last)
}

fn wait_no_pull(origin: &Origin) -> Result<()> {
    until("no pull is left", Duration::from_secs(10), || {
        call(origin, "pull/find_all", &json!({})).is_ok_and(|(status, _)| status == 404)
    })
}

#[test]
fn a_stream_is_fetched_from_another_server_by_both_ways_of_asking_and_plays_in_sync() -> Result<()> {
    let _turn = shared_turn();
    let (here, there) = (Origin::configured(&[ALLOWED])?, Origin::start()?);
    let before = (here.held()?, there.held()?);
    let source = Source::default().publish(&there.rtmp("cam"))?;
    there.wait_published("cam")?;
    let by_session = json!({ "uri": server(&there), "remoteStreamName": "cam", "localStreamName": "copy" });
    let by_whep = json!({ "uri": there.whep("cam"), "localStreamName": "whep" });
    ensure!(call(&here, "pull/startup", &by_session)?.0 == 200);
    ensure!(call(&here, "pull/pull", &by_whep)?.0 == 200);
    for name in ["copy", "whep"] {
        here.wait_published(name)?;
        let pull = wait_status(&here, name, "PROCESSED_REMOTE")?;
        ensure!(pull["hasVideo"] == true && pull["hasAudio"] == true, "{pull}");
        ensure!(pull["remoteMediaSessionId"].is_string(), "{pull}");
        let watching = Recorder::rtmpdump(&here.rtmp(name))?;
        watching.wait_pictures(150, Duration::from_secs(20))?;
        let offsets = sync::sound_after_picture(&watching.stop()).context(name)?;
        report(&format!("{name}: sound after picture, ms: {offsets:.1?}"));
        ensure!(offsets.len() >= 2 && offsets.iter().all(|offset| offset.abs() < SKEW_MS), "{name}: {offsets:?}");
    }
    ensure!(call(&here, "pull/startup", &by_session)?.0 == 409, "it is fetched already");
    let peers = there.metric("headwater_webrtc_sessions")?.unwrap_or_default();
    ensure!(peers == 2.0, "{peers} sessions for two pulls");

    ensure!(call(&here, "pull/terminate", &json!({ "localStreamName": "copy", "remoteStreamName": "cam" }))?.0 == 200);
    ensure!(call(&here, "pull/terminate", &json!({ "uri": there.whep("cam") }))?.0 == 200);
    wait_no_pull(&here)?;
    drop(source);
    there.wait_gone("cam")?;
    here.wait_baseline(&before.0)?;
    there.wait_baseline(&before.1)?;
    Ok(())
}

#[test]
fn those_who_watch_a_fetched_stream_see_it_again_when_its_server_is_back() -> Result<()> {
    let _turn = shared_turn();
    let (here, there) = (Origin::configured(&[ALLOWED, ("STREAMS__GRACE_MS", "60000")])?, Origin::start()?);
    let source = Source::default();
    let first = source.publish(&there.rtmp("cam"))?;
    there.wait_published("cam")?;
    let body = json!({ "uri": server(&there), "remoteStreamName": "cam" });
    ensure!(call(&here, "pull/startup", &body)?.0 == 200);
    here.wait_published("cam")?;
    let watching = Recorder::rtmpdump(&here.rtmp("cam"))?;
    watching.wait_pictures(30, Duration::from_secs(20))?;

    let host = there.kill();
    drop(first);
    let pull = wait_status(&here, "cam", "PENDING")?;
    ensure!(pull["info"].is_string() && pull["failures"].as_u64() > Some(0), "{pull}");
    let there = Origin::at(host, &[], &[])?;
    let _second = source.publish(&there.rtmp("cam"))?;
    there.wait_published("cam")?;
    let back = Instant::now();
    let before = watching.tags()?.len();
    until("the viewer who stayed sees more", Duration::from_secs(40), || {
        watching.tags().is_ok_and(|tags| tags.len() > before + 60)
    })?;
    report(&format!("pictures again {:.1} s after the stream was there again", back.elapsed().as_secs_f64()));
    let tags = watching.finish()?;
    for kind in [flv::Kind::Video, flv::Kind::Audio] {
        let times: Vec<_> = tags.iter().filter(|tag| tag.kind == kind).map(|tag| tag.milliseconds).collect();
        let back: Vec<_> = times.windows(2).filter(|pair| pair[1] < pair[0]).collect();
        ensure!(back.is_empty(), "time of {kind:?} runs backwards: {back:?}");
    }
    Ok(())
}

#[test]
fn what_a_page_publishes_on_one_server_is_played_by_pages_on_another() -> Result<()> {
    let _turn = heavy_turn();
    let (here, there) = (Origin::configured(&[ALLOWED])?, Origin::start()?);
    let mut sender = Pages::of(&there.page("/"))?;
    open(&mut sender, "sender", "sender.js")?;
    for codec in ["H264", "VP8"] {
        let name = format!("cam-{codec}");
        sender.run("sender", &format!("await ways.publish('session', '{name}', '{codec}');"))?;
        there.wait_published(&name)?;
        let body = json!({ "uri": server(&there), "remoteStreamName": name });
        ensure!(call(&here, "pull/startup", &body)?.0 == 200);
        here.wait_published(&name)?;
        let mut viewers = Pages::of(&here.page("/"))?;
        for way in ["session", "wcs", "http"] {
            open(&mut viewers, way, "observe.js")?;
            viewers.run(way, &format!("await ways.play('{way}', '{name}');"))?;
            viewers.front(way)?;
            let seen = viewers.run(way, "return ways.arrives(25);").with_context(|| format!("{codec} to {way}"))?;
            report(&format!("{codec} over two servers to {way}: {seen}"));
            ensure!(
                seen["video"]["codec"] == format!("video/{codec}") && seen["audio"]["codec"] == "audio/opus",
                "{seen}"
            );
            ensure!(seen["light"].as_f64() > Some(20.0), "the picture is black: {seen}");
            viewers.run(way, "await ways.stop();")?;
        }
        sender.front("sender")?;
        sender.run("sender", "await ways.stop();")?;
    }
    Ok(())
}

fn open(pages: &mut Pages, page: &str, client: &str) -> Result<()> {
    pages.open(page, "/healthz")?;
    pages.run(page, "document.body.innerHTML = ''; document.body.style = 'width:640px;height:360px';")?;
    for script in ["ways.js", "@flashphoner/websdk", client] {
        pages.script(page, script)?;
    }
    Ok(())
}

#[test]
fn what_cannot_be_fetched_is_refused_or_told_and_tried_again() -> Result<()> {
    let _turn = shared_turn();
    let (here, there) = (Origin::configured(&[ALLOWED])?, Origin::start()?);
    let refused = [
        (json!({ "uri": server(&there) }), 400, "remoteStreamName"),
        (json!({ "uri": "rtmp://a.example/live", "remoteStreamName": "cam" }), 400, "uri"),
        (json!({ "uri": "ws://a:b@c.example", "remoteStreamName": "cam" }), 400, "uri"),
        (json!({ "uri": server(&there), "remoteStreamName": "a b" }), 400, "remoteStreamName"),
        (json!({ "uri": there.whep("cam") }), 400, "localStreamName"),
        (json!({ "uri": "ws://10.255.255.1:8080", "remoteStreamName": "cam" }), 403, "uri"),
    ];
    for (body, status, field) in refused {
        let (answered, refusal) = call(&here, "pull/startup", &body)?;
        ensure!(answered == status && refusal["field"] == field, "{body}: {answered} {refusal}");
    }
    ensure!(call(&here, "pull/terminate", &json!({}))?.0 == 400);
    ensure!(call(&here, "pull/terminate", &json!({ "localStreamName": "cam" }))?.0 == 404);

    // Nobody publishes it yet.
    let uri = format!("{}/?token=hidden-word", server(&there));
    ensure!(call(&here, "pull/startup", &json!({ "uri": uri, "remoteStreamName": "cam" }))?.0 == 200);
    until("it is told why it does not come", Duration::from_secs(20), || {
        let (_, pulls) = call(&here, "pull/find_all", &json!({})).unwrap_or_default();
        let info = pulls[0]["info"].as_str().unwrap_or_default().to_owned();
        info.starts_with("the other server refuses: Stream not found")
    })?;
    let _source = Source::default().publish(&there.rtmp("cam"))?;
    here.wait_published("cam")?;
    let shown = call(&here, "pull/find_all", &json!({}))?.1.to_string();
    ensure!(!shown.contains("hidden-word") && !here.log().contains("hidden-word"), "a secret is shown: {shown}");
    Ok(())
}
