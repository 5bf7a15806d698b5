//! Pages that ask a load balancer where to connect.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::Origin;
use headwater_tests::program::until;
use headwater_tests::{heavy_turn, http, report};
use serde_json::{Value, json};

use super::pages::Pages;

const PATIENCE: Duration = Duration::from_secs(20);
const DEMO: [(&str, &str); 1] = [("DEMO__ENABLED", "true")];

/// Begins to play `demo` in a page; yields the server that it went to.
fn play(pages: &mut Pages, balancer: &Origin, transport: &str) -> Result<String> {
    let options = json!({ "url": "http://127.0.0.1:9", "lbUrl": balancer.page("/balancer"), "transport": transport });
    let script = format!(
        "window.session = sdk.createSession({options});
         window.stream = session.createStream({{ name: 'demo', display: '#video' }});
         await stream.play();
         return session.url.host;"
    );
    let host = pages.run("eve", &script)?;
    host.as_str().map(str::to_owned).with_context(|| format!("{host}"))
}

/// Waits in the page until a condition holds; yields how long that took, in milliseconds.
fn wait(pages: &mut Pages, condition: &str) -> Result<Value> {
    let script = format!(
        "const begun = Date.now();
         while (!({condition})) {{
           if (Date.now() > begun + 30000) throw Error(`${{stream.state}} at ${{session.url}}: ${{stream.error?.message}}`);
           await new Promise((done) => setTimeout(done, 50));
         }}
         return Date.now() - begun;"
    );
    pages.run("eve", &script)
}

fn connections(edge: &Origin) -> Result<usize> {
    let answer = http::post_json(&edge.http(), "/rest-api/connection/find_all", "{}")?;
    let list: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(list.as_array().map_or(0, Vec::len))
}

#[test]
fn a_page_asks_the_balancer_at_each_connection_and_says_when_it_has_no_server() -> Result<()> {
    let _turn = heavy_turn();
    let mut edges = vec![Origin::configured(&DEMO)?, Origin::configured(&DEMO)?];
    edges.iter().try_for_each(|edge| edge.wait_published("demo"))?;
    let list = json!(edges.iter().map(|edge| format!("ws://{}", edge.http())).collect::<Vec<_>>()).to_string();
    let balancer = Origin::configured(&[("BALANCER__EDGES", &list), ("BALANCER__POLL_MS", "100")])?;
    let answers = |wanted| http::get(&balancer.http(), "/balancer").is_ok_and(|answer| answer.status == wanted);
    until("the balancer has a server", PATIENCE, || answers(200))?;

    let mut pages = Pages::of(&balancer.page("/"))?;
    pages.empty("eve")?;
    let host = play(&mut pages, &balancer, "whip")?;
    ensure!(edges.iter().any(|edge| edge.http() == host), "sent to {host}");
    pages.run("eve", "await session.close();")?;

    let first = play(&mut pages, &balancer, "session")?;
    let at = edges.iter().position(|edge| edge.http() == first).with_context(|| format!("sent to {first}"))?;
    ensure!(connections(&edges[at])? == 1);
    let dead = edges.remove(at).kill();
    let moved = wait(&mut pages, &format!("stream.state === 'playing' && session.url.host !== '{first}'"))?;
    let left = edges.remove(0);
    ensure!(connections(&left)? == 1, "{:?}", pages.complaints());

    left.kill();
    wait(&mut pages, "stream.error?.message.includes('has no server')")?;
    let told =
        pages.run("eve", "return [stream.state, stream.error.code, stream.error.message, stream.error.advice];")?;
    let words = format!("The load balancer {} has no server for us now.", balancer.http());
    ensure!(told == json!(["reconnecting", "busy", words, "Try again later."]), "{told}");
    let again = Origin::at(dead, &DEMO, &[])?;
    let back = wait(&mut pages, "stream.state === 'playing'")?;
    ensure!(connections(&again)? == 1);
    report(&format!("the page played on after {moved} ms, and {back} ms after a server was there again"));
    again.stop()?;
    balancer.stop()?;
    Ok(())
}
