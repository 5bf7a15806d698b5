//! What pages made with the Web SDK of WCS publish: at which rate, by which way, their screen, and again after a break.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::wcs::Page;
use headwater_tests::{heavy_turn, http, report, tools, turn};
use serde_json::{Value, json};

fn url(origin: &Origin) -> String {
    format!("ws://{}", origin.http())
}

/// Publishes and waits until it is told that it does.
fn publish(page: &mut Page, key: &str, options: Value) -> Result<()> {
    page.call("publish", json!([key, "s", options]))?;
    page.call("status", json!([key, "PUBLISHING"])).map(drop)
}

/// Plays, and sees the picture move.
fn play(page: &mut Page, key: &str, name: &str) -> Result<Value> {
    page.call("play", json!([key, "s", { "name": name }]))?;
    page.call("status", json!([key, "PLAYING"]))?;
    page.call("motion", json!([key, 20])).with_context(|| format!("{name} is played"))
}

/// Where the encoder aims some seconds after it began, in bits a second: the least and the most.
fn targets(page: &mut Page, key: &str) -> Result<(f64, f64)> {
    let told = page.call("targets", json!([key]))?;
    let told = told.as_array().context("no list")?.iter().filter_map(Value::as_f64);
    Ok(told.fold((f64::MAX, 0.0), |(least, most), value| (least.min(value), most.max(value))))
}

#[test]
fn a_publishers_encoder_keeps_to_the_bounds_that_its_page_sets() -> Result<()> {
    let _turn = turn();
    let origin = Origin::start()?;
    let mut page = Page::open(&origin.page("/healthz"))?;
    page.call("session", json!(["s", { "urlServer": url(&origin) }]))?;
    let video = |bounds: Value| {
        let mut video = json!({ "width": 1280, "height": 720 });
        video
            .as_object_mut()
            .into_iter()
            .for_each(|video| video.extend(bounds.as_object().cloned().unwrap_or_default()));
        json!({ "name": "camera", "constraints": { "audio": true, "video": video } })
    };
    let mut seen = Vec::new();
    for bounds in [json!({}), json!({ "maxBitrate": 250 }), json!({ "minBitrate": 1_200, "maxBitrate": 1_500 })] {
        let key = bounds.to_string();
        publish(&mut page, &key, video(bounds))?;
        play(&mut page, &format!("seen {key}"), "camera")?;
        // The estimate of the network rises in the first seconds.
        std::thread::sleep(Duration::from_secs(4));
        let (least, most) = targets(&mut page, &key)?;
        report(&format!("{key}: the encoder aims at {:.0} to {:.0} kbit/s", least / 1e3, most / 1e3));
        seen.push((least, most));
        page.call("ask", json!([key, "stop"]))?;
        origin.wait_empty()?;
    }
    let (free, capped, held) = (seen[0], seen[1], seen[2]);
    // The bounds are those of all media, so what the sound takes is the picture's no more.
    ensure!(free.0 > 300e3, "without bounds it aims at {free:?}");
    ensure!(capped.0 > 50e3 && capped.1 <= 255e3, "with 250 kbit/s at most it aims at {capped:?}");
    ensure!(held.0 > 1_050e3 && held.1 <= 1_530e3, "between 1200 and 1500 kbit/s it aims at {held:?}");
    origin.stop()?;
    Ok(())
}

#[test]
fn a_camera_goes_over_tcp_and_a_screen_is_shared_and_both_tell_their_numbers() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let mut page = Page::open(&origin.page("/healthz"))?;
    page.call("session", json!(["s", { "urlServer": url(&origin) }]))?;
    publish(&mut page, "camera", json!({ "name": "camera", "transport": "TCP", "stripCodecs": "VP8,VP9,AV1" }))?;
    ensure!(page.call("transport", json!(["camera"]))? == "tcp", "the camera goes another way");
    let screen =
        json!({ "audio": false, "video": { "type": "screen", "withoutExtension": true, "frameRate": { "max": 15 } } });
    publish(&mut page, "screen", json!({ "name": "screen", "constraints": screen }))?;
    // What is shared is the page itself, with the camera that plays in it.
    play(&mut page, "seen", "camera")?;
    let size = play(&mut page, "shared", "screen")?;
    ensure!(size["width"].as_u64() >= Some(320) && size["height"].as_u64() >= Some(180), "the screen is {size}");
    let stats = page.call("stats", json!(["camera"]))?;
    let sent = &stats["outboundStream"];
    report(&format!("what getStats tells of a publisher: {stats}"));
    ensure!(sent["video"]["codec"].as_str().is_some_and(|codec| codec.contains("H264")), "{stats}");
    ensure!(sent["video"]["bytesSent"].as_u64() > Some(10_000), "{stats}");
    ensure!(sent["audio"]["packetsSent"].as_u64() > Some(20), "{stats}");
    let stats = page.call("stats", json!(["shared"]))?;
    ensure!(stats["inboundStream"]["video"]["packetsReceived"].as_u64() > Some(10), "{stats}");
    ensure!(page.complaints().is_empty(), "{:?}", page.complaints());
    origin.stop()?;
    Ok(())
}

/// As the Web SDK's examples do it: a page that is told of the break connects again until it succeeds.
#[test]
fn a_page_publishes_and_plays_again_when_the_server_is_back() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::start()?;
    let (host, address) = (origin.host(), url(&origin));
    let mut page = Page::open(&origin.page("/healthz"))?;
    page.call("session", json!(["s", { "urlServer": address }]))?;
    publish(&mut page, "camera", json!({ "name": "camera" }))?;
    play(&mut page, "seen", "camera")?;
    drop(origin);
    page.call("sessionStatus", json!(["s", "DISCONNECTED"]))
        .or_else(|_| page.call("sessionStatus", json!(["s", "FAILED"])))?;
    let refused = page.call("session", json!(["s", { "urlServer": address }]))?;
    ensure!(refused["log"] == json!(["FAILED"]), "there is no server: {refused}");
    let mut again = Command::new(tools::origin()?);
    let again = Program::start("origin, again", again.args(["--listen", &host.to_string()]))?;
    let web = format!("{host}:8080");
    until("the server is back", Duration::from_secs(20), || {
        http::get(&web, "/readyz").is_ok_and(|answer| answer.status == 200)
    })?;
    let taken = page.call("session", json!(["s", { "urlServer": address }]))?;
    ensure!(taken["log"] == json!(["CONNECTED", "ESTABLISHED"]), "{taken}");
    publish(&mut page, "camera again", json!({ "name": "camera" }))?;
    play(&mut page, "seen again", "camera")?;
    drop(again);
    Ok(())
}
