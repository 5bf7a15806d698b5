//! Streams that are brought to other servers.

use super::*;

/// Those that are brought, as `/pull/find_all` shows them.
fn pushes(origin: &Origin) -> Vec<Value> {
    let (_, shown) = call(origin, "pull/find_all", &json!({})).unwrap_or_default();
    let all = shown.as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|push| push["published"] == true).collect()
}

/// Waits until the push to an address is at this.
fn wait_push(origin: &Origin, uri: &str, status: &str) -> Result<Value> {
    let mut last = Value::Null;
    until(&format!("the push to {uri} is {status}"), Duration::from_secs(30), || {
        let is_meant = |push: &Value| push["uri"].as_str().is_some_and(|shown| shown.starts_with(uri));
        last = pushes(origin).into_iter().find(is_meant).unwrap_or_default();
        last["status"] == status
    })
    .with_context(|| format!("{last}\norigin said:\n{}", origin.log()))?;
    Ok(last)
}

#[test]
fn a_stream_is_brought_to_another_server_by_both_ways_of_asking_and_plays_in_sync() -> Result<()> {
    let _turn = shared_turn();
    let (here, there) = (Origin::configured(&[ALLOWED])?, Origin::start()?);
    let before = (here.held()?, there.held()?);
    let source = Source::default().publish(&here.rtmp("cam"))?;
    here.wait_published("cam")?;
    let by_session = json!({ "uri": server(&there), "localStreamName": "cam", "remoteStreamName": "copy" });
    let by_whip = json!({ "streamName": "cam", "rtmpUrl": there.whip("whip") });
    ensure!(call(&here, "pull/push", &by_session)?.0 == 200);
    let (status, push) = call(&here, "push/startup", &by_whip)?;
    ensure!(status == 200 && push["localStreamName"] == "cam", "{push}");
    for (name, uri) in [("copy", server(&there)), ("whip", there.whip("whip"))] {
        there.wait_published(name)?;
        let push = wait_push(&here, &uri, "PROCESSED_LOCAL")?;
        ensure!(push["hasVideo"] == true && push["hasAudio"] == true, "{push}");
        ensure!(push["localStreamName"] == "cam" && push["remoteMediaSessionId"].is_string(), "{push}");
        let watching = Recorder::rtmpdump(&there.rtmp(name))?;
        watching.wait_pictures(150, Duration::from_secs(20))?;
        let offsets = sync::sound_after_picture(&watching.stop()).context(name)?;
        report(&format!("{name}: sound after picture, ms: {offsets:.1?}"));
        ensure!(offsets.len() >= 2 && offsets.iter().all(|offset| offset.abs() < SKEW_MS), "{name}: {offsets:?}");
    }
    let listed = call(&here, "push/find_all", &json!({}))?.1;
    ensure!(listed.as_array().is_some_and(|all| all.len() == 2), "{listed}");
    ensure!(call(&here, "pull/push", &by_session)?.0 == 409, "it is sent there already");
    let mute = json!({ "mediaSessionId": push["mediaSessionId"] });
    ensure!(call(&here, "push/mute", &mute)?.0 == 409, "what goes out by WebRTC is the stream as it is");

    ensure!(call(&here, "pull/terminate", &json!({ "localStreamName": "cam", "remoteStreamName": "copy" }))?.0 == 200);
    there.wait_gone("copy")?;
    // The end of the stream is the end of the other.
    drop(source);
    here.wait_gone("cam")?;
    there.wait_gone("whip")?;
    wait_no_pull(&here)?;
    here.wait_baseline(&before.0)?;
    there.wait_baseline(&before.1)?;
    Ok(())
}

#[test]
fn what_a_page_publishes_is_brought_to_another_server_and_played_by_pages_there() -> Result<()> {
    let _turn = heavy_turn();
    let (here, there) = (Origin::configured(&[ALLOWED])?, Origin::start()?);
    let mut sender = Pages::of(&here.page("/"))?;
    open(&mut sender, "sender", "sender.js")?;
    let mut viewers = Pages::of(&there.page("/"))?;
    open(&mut viewers, "viewer", "observe.js")?;
    for codec in ["H264", "VP8"] {
        let name = format!("cam-{codec}");
        sender.run("sender", &format!("await ways.publish('session', '{name}', '{codec}');"))?;
        here.wait_published(&name)?;
        let uri = if codec == "VP8" { there.whip(&name) } else { server(&there) };
        ensure!(call(&here, "pull/push", &json!({ "uri": uri, "localStreamName": name }))?.0 == 200);
        there.wait_published(&name)?;
        viewers.run("viewer", &format!("await ways.play('session', '{name}');"))?;
        viewers.front("viewer")?;
        let seen = viewers.run("viewer", "return ways.arrives(25);").with_context(|| codec.to_owned())?;
        report(&format!("{codec} brought to another server: {seen}"));
        ensure!(seen["video"]["codec"] == format!("video/{codec}") && seen["audio"]["codec"] == "audio/opus", "{seen}");
        ensure!(seen["light"].as_f64() > Some(20.0), "the picture is black: {seen}");
        viewers.run("viewer", "await ways.stop();")?;
        sender.front("sender")?;
        sender.run("sender", "await ways.stop();")?;
        there.wait_gone(&name)?;
    }
    Ok(())
}

#[test]
fn a_stream_comes_again_to_a_server_that_was_killed_and_is_back() -> Result<()> {
    let _turn = shared_turn();
    let (here, there) = (Origin::configured(&[ALLOWED])?, Origin::start()?);
    let _source = Source::default().publish(&here.rtmp("cam"))?;
    here.wait_published("cam")?;
    let uris = [server(&there), there.whip("whip")];
    for uri in &uris {
        ensure!(call(&here, "pull/push", &json!({ "uri": uri, "localStreamName": "cam" }))?.0 == 200);
    }
    for name in ["cam", "whip"] {
        there.wait_published(name)?;
    }
    let host = there.kill();
    let killed = Instant::now();
    for uri in &uris {
        let push = wait_push(&here, uri, "PENDING")?;
        report(&format!("{uri}: missed after {:.1} s: {}", killed.elapsed().as_secs_f64(), push["info"]));
        ensure!(push["info"].is_string() && push["failures"].as_u64() > Some(0), "{push}");
    }
    let there = Origin::at(host, &[], &[])?;
    let back = Instant::now();
    for name in ["cam", "whip"] {
        there.wait_published(name)?;
        report(&format!("{name}: there again after {:.1} s", back.elapsed().as_secs_f64()));
    }
    for uri in &uris {
        wait_push(&here, uri, "PROCESSED_LOCAL")?;
    }
    Ok(())
}

#[test]
fn a_server_that_refuses_a_stream_is_asked_less_and_less_often_or_no_more() -> Result<()> {
    let _turn = shared_turn();
    let keys = r#"["publish:**:in-key-4711"]"#;
    let (here, there) = (Origin::configured(&[ALLOWED])?, Origin::configured(&[("ACCESS__STREAM_KEYS", keys)])?);
    let refused = [
        (json!({ "uri": server(&there) }), 400, "localStreamName"),
        (json!({ "uri": "rtmp://a.example/live", "localStreamName": "cam" }), 400, "uri"),
        (json!({ "uri": server(&there), "localStreamName": "cam" }), 404, "localStreamName"),
        (json!({ "uri": "ws://10.255.255.1:8080", "localStreamName": "cam" }), 403, "uri"),
        (
            json!({ "uri": server(&there), "localStreamName": "cam", "remoteStreamName": "a b" }),
            400,
            "remoteStreamName",
        ),
    ];
    for (body, status, field) in refused {
        let (answered, refusal) = call(&here, "pull/push", &body)?;
        ensure!(answered == status && refusal["field"] == field, "{body}: {answered} {refusal}");
    }
    let _source = Source::default().publish(&here.rtmp("cam"))?;
    here.wait_published("cam")?;
    let push = |uri: &str| call(&here, "pull/push", &json!({ "uri": uri, "localStreamName": "cam" }));

    ensure!(push(&there.whip("whip"))?.0 == 200);
    let failed = wait_push(&here, &there.whip("whip"), "FAILED")?;
    ensure!(failed["info"].as_str().is_some_and(|info| info.contains("401")), "{failed}");
    ensure!(push(&server(&there))?.0 == 200);
    let asked = Instant::now();
    until("it has been refused three times", Duration::from_secs(20), || {
        pushes(&here).iter().any(|push| push["failures"].as_u64() >= Some(3) && push["status"] == "PENDING")
    })?;
    let told = pushes(&here).into_iter().find(|push| push["status"] == "PENDING").unwrap_or_default();
    report(&format!("refused three times within {:.1} s: {}", asked.elapsed().as_secs_f64(), told["info"]));
    ensure!(told["info"].as_str().is_some_and(|info| info.starts_with("the other server refuses")), "{told}");
    // Half of 0.5 and of 1 s at the least lie between.
    ensure!(asked.elapsed() > Duration::from_millis(700), "it was asked without a pause");

    ensure!(push(&format!("{}?token=in-key-4711", there.whip("whip")))?.0 == 200);
    // Its server tells nothing to those without a key.
    wait_push(&here, &format!("{}?", there.whip("whip")), "PROCESSED_LOCAL")?;
    let shown = call(&here, "pull/find_all", &json!({}))?.1.to_string();
    ensure!(!shown.contains("in-key-4711") && !here.log().contains("in-key-4711"), "a secret is shown: {shown}");
    Ok(())
}
