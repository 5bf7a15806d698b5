//! Pages made with the Web SDK of WCS, unmodified, as it comes from npm.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::wcs::Page;
use headwater_tests::{heavy_turn, http};
use serde_json::{Value, json};

fn server() -> Result<(Origin, Page)> {
    let origin = Origin::configured(&[("DEMO__ENABLED", "true"), ("STREAMS__GRACE_MS", "500")])?;
    let page = Page::open(&origin.page("/healthz"))?;
    Ok((origin, page))
}

fn url(origin: &Origin) -> String {
    format!("ws://{}", origin.http())
}

/// The statuses that a stream was told, but for its size, and the info that came with the last.
fn told(log: &Value) -> (Vec<&str>, &str) {
    let log = log.as_array().map(Vec::as_slice).unwrap_or_default();
    let log: Vec<_> = log.iter().filter(|entry| entry["status"] != "RESIZE").collect();
    let statuses = log.iter().filter_map(|entry| entry["status"].as_str()).collect();
    (statuses, log.last().and_then(|entry| entry["info"].as_str()).unwrap_or_default())
}

#[test]
fn the_web_sdk_plays_a_stream_until_it_is_told_to_stop() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, mut page) = server()?;
    origin.wait_published("demo")?;
    let session = page.call("session", json!(["s", { "urlServer": url(&origin), "custom": { "user": "anna" } }]))?;
    ensure!(session["log"] == json!(["CONNECTED", "ESTABLISHED"]), "{session}");
    ensure!(session["told"]["custom"]["user"] == "anna", "{session}");

    ensure!(page.call("available", json!(["s", "demo"]))? == "yes");
    ensure!(page.call("available", json!(["s", "nobody"]))? == "Stream not found");

    page.call("play", json!(["p", "s", { "name": "demo" }]))?;
    page.call("status", json!(["p", "PLAYING"]))?;
    let size = page.call("motion", json!(["p", 50]))?;
    let resize = page.call("event", json!(["p", "resize"]))?;
    ensure!(resize["payload"]["streamerVideoWidth"] == size["width"], "{resize} {size}");
    page.call("ask", json!(["p", "stop"]))?;
    let log = page.call("status", json!(["p", "STOPPED"]))?;
    // The Web SDK tells itself PENDING before it asks, and the server tells it again, as WCS does.
    ensure!(told(&log) == (vec!["PENDING", "PENDING", "PLAYING", "STOPPED"], "Stopped by user"), "{log}");
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    origin.stop()?;
    Ok(())
}

#[test]
fn a_camera_published_by_the_web_sdk_is_played_by_it_and_its_viewers_hear_what_its_publisher_tells() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, mut page) = server()?;
    let address = url(&origin);
    page.call("session", json!(["s", { "urlServer": address }]))?;
    page.call("publish", json!(["camera", "s", { "name": "camera" }]))?;
    page.call("status", json!(["camera", "PUBLISHING"]))?;
    origin.wait_published("camera")?;

    page.call("session", json!(["t", { "urlServer": address }]))?;
    page.call("play", json!(["viewer", "t", { "name": "camera" }]))?;
    page.call("status", json!(["viewer", "PLAYING"]))?;
    page.call("motion", json!(["viewer", 40]))?;
    let stats = page.call("stats", json!(["viewer"]))?;
    ensure!(stats["inboundStream"]["audio"]["packetsReceived"].as_u64() > Some(20), "no sound: {stats}");

    page.call("publish", json!(["double", "t", { "name": "camera" }]))?;
    let log = page.call("status", json!(["double", "FAILED"]))?;
    ensure!(told(&log) == (vec!["FAILED"], "Stream name is already in use"), "{log}");

    for (method, event) in [
        ("muteAudio", "audioMuted"),
        ("muteVideo", "videoMuted"),
        ("unmuteVideo", "videoUnmuted"),
        ("unmuteAudio", "audioUnmuted"),
    ] {
        page.call("ask", json!(["camera", method]))?;
        page.call("event", json!(["viewer", event]))?;
    }
    page.call("ask", json!(["camera", "sendData", { "goal": 1 }]))?;
    let data = page.call("event", json!(["viewer", "data"]))?;
    ensure!(data["payload"]["goal"] == 1, "{data}");
    page.call("ask", json!(["camera", "muteAudio"]))?;
    page.call("event", json!(["viewer", "audioMuted"]))?;
    page.call("play", json!(["late", "t", { "name": "camera" }]))?;
    page.call("status", json!(["late", "PLAYING"]))?;
    ensure!(page.call("ask", json!(["late", "getAudioState"]))?["muted"] == true);
    ensure!(page.call("ask", json!(["late", "getVideoState"]))?["muted"] == false);

    page.call("ask", json!(["camera", "stop"]))?;
    let log = page.call("status", json!(["camera", "UNPUBLISHED"]))?;
    ensure!(told(&log) == (vec!["PENDING", "PUBLISHING", "UNPUBLISHED"], "Stopped by user"), "{log}");
    for viewer in ["viewer", "late"] {
        let log = page.call("status", json!([viewer, "FAILED"]))?;
        ensure!(told(&log).1 == "Stopped by publisher stop", "{log}");
    }
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    origin.stop()?;
    Ok(())
}

#[test]
fn what_cannot_be_done_is_told_in_the_texts_that_pages_know() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, mut page) = server()?;
    origin.wait_published("demo")?;
    page.call("session", json!(["s", { "urlServer": url(&origin) }]))?;
    for (name, info) in
        [("nobody", "Stream not found"), ("dov://file.mp4", "Failed to get agent storage"), ("a b", "Stream not found")]
    {
        page.call("play", json!([name, "s", { "name": name }]))?;
        let log = page.call("status", json!([name, "FAILED"]))?;
        ensure!(told(&log).1 == info, "{name}: {log}");
    }
    page.call("snapshot", json!(["picture", "s", { "name": "demo" }]))?;
    let refused = page.call("event", json!(["picture", "snapshotFailed"]))?;
    ensure!(refused["payload"]["info"].as_str().is_some_and(|info| info.contains("not available")), "{refused}");
    ensure!(page.call("sendData", json!(["s", { "a": 1 }]))?["accepted"]["status"] == "ACCEPTED");
    page.call("session", json!(["room", { "urlServer": url(&origin), "appKey": "roomApp" }]))?;
    ensure!(page.call("sendData", json!(["room", { "command": "join" }]))?["failed"]["status"] == "FAILED");
    page.call("askSession", json!(["s", "startDebug"]))?;
    let warned = |page: &mut Page| -> Result<bool> {
        Ok(page.call("warnings", json!(["s"]))?[0]["apiMethod"] == "sessionDebug")
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while !warned(&mut page)? {
        ensure!(std::time::Instant::now() < deadline, "no warning of what this server does not know");
    }

    page.call("play", json!(["byTcp", "s", { "name": "demo", "transport": "TCP" }]))?;
    page.call("status", json!(["byTcp", "PLAYING"]))?;
    ensure!(page.call("transport", json!(["byTcp"]))? == "tcp");
    page.call("play", json!(["told", "s", { "name": "demo", "transport": "UDP" }]))?;
    page.call("status", json!(["told", "PLAYING"]))?;
    ensure!(page.call("transport", json!(["told"]))? == "udp");
    let id = page.call("ask", json!(["told", "id"]))?;
    let order = json!({ "mediaSessionId": id }).to_string();
    let answer = http::post_json(&origin.http(), "/rest-api/stream/terminate", &order)?;
    ensure!(answer.status == 200, "{answer:?}");
    let log = page.call("status", json!(["told", "FAILED"]))?;
    ensure!(told(&log).1 == "Stopped by rest /terminate", "{log}");
    page.call("motion", json!(["byTcp", 10])).context("the other stream goes on")?;
    origin.stop()?;
    page.call("sessionStatus", json!(["s", "DISCONNECTED"]))?;
    let log = page.call("status", json!(["byTcp", "FAILED"]))?;
    ensure!(told(&log).0.ends_with(&["PLAYING", "FAILED"]), "{log}");
    Ok(())
}

#[test]
fn when_a_page_leaves_or_vanishes_nothing_of_it_stays() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, mut page) = server()?;
    origin.wait_published("demo")?;
    page.call("session", json!(["s", { "urlServer": url(&origin) }]))?;
    visit(&mut page, "s")?;
    page.call("askSession", json!(["s", "disconnect"]))?;
    page.call("sessionStatus", json!(["s", "DISCONNECTED"]))?;
    only_demo(&origin)?;
    let before = origin.held()?;
    page.call("session", json!(["t", { "urlServer": url(&origin), "pingInterval": 500 }]))?;
    visit(&mut page, "t")?;
    page.kill();
    only_demo(&origin)?;
    origin.wait_baseline(&before)?;
    origin.stop()?;
    Ok(())
}

/// Publishes, and plays two streams.
fn visit(page: &mut Page, session: &str) -> Result<()> {
    let key = |what: &str| format!("{what} {session}");
    page.call("publish", json!([key("camera"), session, { "name": "camera" }]))?;
    page.call("status", json!([key("camera"), "PUBLISHING"]))?;
    page.call("play", json!([key("own"), session, { "name": "camera" }]))?;
    page.call("play", json!([key("demo"), session, { "name": "demo" }]))?;
    page.call("status", json!([key("own"), "PLAYING"]))?;
    page.call("status", json!([key("demo"), "PLAYING"]))?;
    Ok(())
}

fn only_demo(origin: &Origin) -> Result<()> {
    let is_alone = || {
        let streams = origin.streams().unwrap_or_default();
        let sessions = origin.metric("headwater_wcs_sessions").ok().flatten();
        streams.len() == 1 && streams[0]["viewers"] == 0 && sessions == Some(0.0)
    };
    until("the page's streams and sessions are gone", Duration::from_secs(30), is_alone)
        .with_context(|| format!("{:?}\n{}", origin.streams(), origin.log()))
}

#[test]
fn the_web_sdks_own_example_works_unmodified() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut page = Page::example(&origin.page("/"), "two_way_streaming/two_way_streaming.html")?;
    page.call("click", json!(["#connectBtn"]))?;
    page.call("reads", json!(["#connectStatus", "ESTABLISHED"]))?;
    page.call("click", json!(["#availableBtn"]))?;
    page.call("reads", json!(["#availableStatus", "UNAVAILABLE"]))?;
    page.call("click", json!(["#publishBtn"]))?;
    page.call("reads", json!(["#publishStatus", "PUBLISHING"]))?;
    page.call("click", json!(["#playBtn"]))?;
    page.call("reads", json!(["#playStatus", "PLAYING"]))?;
    page.call("frames", json!(["#remoteVideo video", 30]))?;
    page.call("click", json!(["#sendDataBtn"]))?;
    page.call("reads", json!(["#receivedData", "23"]))?;
    page.call("click", json!(["#availableBtn"]))?;
    page.call("reads", json!(["#availableStatus", "AVAILABLE"]))?;
    page.call("click", json!(["#publishBtn"]))?;
    page.call("reads", json!(["#publishStatus", "UNPUBLISHED"]))?;
    page.call("reads", json!(["#playStatus", "FAILED"]))?;
    page.call("reads", json!(["#playInfo", "Related publisher stopped its stream"]))?;
    page.call("click", json!(["#connectBtn"]))?;
    page.call("reads", json!(["#connectStatus", "DISCONNECTED"]))?;
    origin.wait_empty()?;
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    origin.stop()?;
    Ok(())
}

#[test]
fn a_canvas_and_a_changed_camera_go_over_https_as_well() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut page = Page::open(&format!("https://{}:8443/healthz", origin.host()))?;
    let address = format!("wss://{}:8443", origin.host());
    page.call(
        "session",
        json!(["s", { "urlServer": address, "pingInterval": 200, "receiveProbes": 3, "probesInterval": 6_000 }]),
    )?;
    page.call("publishCanvas", json!(["canvas", "s", { "name": "canvas", "stripCodecs": "H264,AV1,VP9" }]))?;
    page.call("status", json!(["canvas", "PUBLISHING"]))?;
    page.call("play", json!(["drawn", "s", { "name": "canvas" }]))?;
    page.call("status", json!(["drawn", "PLAYING"]))?;
    let size = page.call("motion", json!(["drawn", 20]))?;
    ensure!(size["width"].as_u64() > Some(100), "{size}");
    let codec = origin.streams()?[0]["videoCodec"].clone();
    ensure!(codec == "VP8", "the codecs left out were {codec}");

    let constraints =
        json!({ "audio": true, "video": { "width": 320, "height": 240, "minBitrate": 100, "maxBitrate": 300 } });
    page.call("publish", json!(["camera", "s", { "name": "camera", "constraints": constraints }]))?;
    page.call("status", json!(["camera", "PUBLISHING"]))?;
    page.call("play", json!(["seen", "s", { "name": "camera" }]))?;
    page.call("status", json!(["seen", "PLAYING"]))?;
    page.call("motion", json!(["seen", 20]))?;
    // Chromium's second camera sees depth only, which WebRTC does not carry; the third is one as others.
    page.call("ask", json!(["camera", "switchCam"]))?;
    page.call("ask", json!(["camera", "switchCam"]))?;
    page.call("motion", json!(["seen", 40])).context("after the camera was changed")?;
    ensure!(page.call("askSession", json!(["s", "status"]))? == "ESTABLISHED");
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    origin.stop()?;
    Ok(())
}
