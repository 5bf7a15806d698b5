//! What a page shows to be let in is told to nobody else.

use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::wcs::Page;
use headwater_tests::{heavy_turn, http};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);
const CANARY: &str = "canary-9d3b";

#[test]
fn tokens_that_pages_send_over_the_websocket_are_told_to_nobody() -> Result<()> {
    let _turn = heavy_turn();
    let origin = Origin::configured(&[("LOG__LEVEL", "trace,tungstenite=trace")])?;
    let mut page = Page::open(&origin.page("/healthz"))?;
    let server = format!("ws://{}", origin.http());
    let secrets = json!({ "token": CANARY, "key": CANARY, "pass": CANARY, "password": CANARY, "room": "kitchen" });
    let session = json!({ "urlServer": server, "authToken": CANARY, "custom": secrets });
    page.call("session", json!(["s", session]))?;
    let get = |path: &str| http::get(&origin.http(), path).map(|answer| answer.body);
    let found: serde_json::Value = serde_json::from_str(&get("/rest-api/connection/find_all")?)?;
    ensure!(found[0]["custom"] == json!({ "room": "kitchen" }), "{found}");
    let watch = json!({ "sessionId": found[0]["sessionId"], "logLevel": "TRACE" });
    let watched = http::post_json(&origin.http(), "/rest-api/connection/set_log_level", &watch.to_string())?;
    ensure!(watched.status == 200, "{watched:?}");

    page.call("publish", json!(["camera", "s", { "name": "camera", "custom": secrets }]))?;
    page.call("status", json!(["camera", "PUBLISHING"]))?;
    page.call("play", json!(["player", "s", { "name": "camera", "custom": secrets }]))?;
    page.call("status", json!(["player", "PLAYING"]))?;
    page.call("play", json!(["nothing", "s", { "name": "nothing", "custom": secrets }]))?;
    page.call("status", json!(["nothing", "FAILED"]))?;
    for path in ["/rest-api/connection/find_all", "/rest-api/stream/find_all", "/metrics", "/?action=stat"] {
        let told = get(path)?;
        ensure!(!told.contains(CANARY), "{path}: {told}");
    }
    page.kill();
    until("the page is gone", SOON, || {
        get("/rest-api/connection/find_all").is_ok_and(|told| !told.contains("kitchen"))
    })?;
    let log = origin.stop()?.messages;
    ensure!(log.contains("publishStream") && log.contains("camera"), "its messages are not logged: {log}");
    let told = log.lines().find(|line| line.contains(CANARY));
    ensure!(told.is_none(), "{told:?}");
    Ok(())
}
