//! The Console's page of load, in a browser, before two real servers.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use headwater_tests::{
    heavy_turn,
    origin::{Origin, free_address},
    scratch,
};
use serde_json::Value;

use crate::{
    cluster::node_at,
    console::{DESKTOP, KEY, PASSWORD, PHONE, hash, no_complaints, open, see, sign_in, wait},
    sdk::pages::{Pages, Window},
};

/// What a server that means ill says in place of an answer.
const SCRIPT: &str = "<img src=x onerror=window.harmed=1>";

/// An origin, and an edge whose agents may go to hosts of this machine.
fn pair(allowed: &str) -> Result<(Origin, Origin)> {
    let (origin, [edge]) = servers(allowed)?;
    Ok((origin, edge))
}

/// An origin, and so many edges.
fn servers<const EDGES: usize>(allowed: &str) -> Result<(Origin, [Origin; EDGES])> {
    let hash = hash(PASSWORD)?;
    let users = format!(r#"["eva:admin:{hash}", "anna:operator:{hash}"]"#);
    let stream_keys = format!(r#"["publish:**:{KEY}"]"#);
    let keys = [("ACCESS__USERS", users.as_str()), ("ACCESS__STREAM_KEYS", &stream_keys), ("LOAD__ALLOWED", allowed)];
    let origin = node_at(free_address()?, "origin", None, &keys)?;
    let edges =
        (0..EDGES).map(|_| node_at(free_address()?, "edge", Some(&origin), &keys)).collect::<Result<Vec<_>>>()?;
    let edges = edges.try_into().map_err(|_| anyhow!("as many edges as there are addresses"))?;
    Ok((origin, edges))
}

/// Signs in, goes to the page of load, and waits until its form knows what agents can do.
fn begin(server: &Origin, window: Window) -> Result<Pages> {
    let mut pages = Pages::strict(&server.page("/"), window)?;
    pages.open("page", "/console")?;
    sign_in(&mut pages, "eva", PASSWORD)?;
    wait(&mut pages, "it is let in", "document.body.dataset.state === 'ready'")?;
    pages.click("page", "#tab-load")?;
    wait_for_form(&mut pages)?;
    Ok(pages)
}

fn wait_for_form(pages: &mut Pages) -> Result<()> {
    wait(pages, "the form", "/may go to 127/.test(document.querySelector('.load-form')?.innerText)").map(drop)
}

fn choose(pages: &mut Pages, selector: &str, value: &str) -> Result<()> {
    let script = format!(
        "const field = document.querySelector('{selector}');
         if (![...field.options].some((option) => option.value === '{value}')) throw new Error('no {value} in ' + field.innerText);
         field.value = '{value}';
         field.dispatchEvent(new Event('input', {{ bubbles: true }}));
         field.dispatchEvent(new Event('change', {{ bubbles: true }}));"
    );
    pages.run("page", &script).map(drop)
}

/// Publishers, and viewers of what the first of them sends.
fn fill(pages: &mut Pages, name: &str, viewers: u32) -> Result<()> {
    let task = |number: u32, field: &str| format!(".task:nth-of-type({number}) [name={field}]");
    pages.fill("page", ".load-form [name=name]", name)?;
    pages.fill("page", ".load-form [name=hold]", "600")?;
    pages.run("page", "document.querySelector('.load-form details').open = true;")?;
    pages.fill("page", ".load-form [name=token]", KEY)?;
    choose(pages, &task(1, "what"), "publish")?;
    pages.fill("page", &task(1, "stream"), "stage")?;
    pages.fill("page", &task(1, "count"), "1")?;
    pages.run(
        "page",
        "[...document.querySelectorAll('button')].find((one) => one.innerText === 'Add other agents').click();",
    )?;
    choose(pages, &task(2, "what"), "play")?;
    pages.fill("page", &task(2, "stream"), "stage")?;
    pages.fill("page", &task(2, "count"), &viewers.to_string())?;
    pages.fill("page", &task(2, "start"), "2")
}

fn start(pages: &mut Pages) -> Result<()> {
    pages.click("page", ".load-form [type=submit]")
}

/// Waits until so many agents are there, stamps were read and the processor of the target is known.
fn all_there(pages: &mut Pages, agents: u32) -> Result<()> {
    let there = format!(
        "(() => {{ const text = document.querySelector('.tiles')?.innerText ?? '';
           return text.includes('{agents} of {agents}') && /Latency\\s*[\\d.]+ ms/.test(text) && /CPU of the target\\s*[\\d.]+ %/.test(text); }})()"
    );
    wait(pages, "all are there", &there).map(drop)
}

fn stop(pages: &mut Pages) -> Result<()> {
    pages.run(
        "page",
        "[...document.querySelectorAll('.actions .danger')].find((one) => one.innerText === 'Stop').click();",
    )?;
    pages.click("page", "dialog [data-answer=yes]")?;
    wait(pages, "it is over", "/^Over/.test(document.querySelector('h1 .badge')?.innerText)").map(drop)
}

fn keep(pages: &mut Pages, title: &str) -> Result<()> {
    pages.run(
        "page",
        "[...document.querySelectorAll('.actions button')].find((one) => one.innerText === 'Keep').click();",
    )?;
    pages.fill("page", "dialog [name=answer]", title)?;
    pages.click("page", "dialog [data-answer=yes]")?;
    wait(pages, "it says so", &format!("document.querySelector('#said').innerText === '{title} is kept.'")).map(drop)
}

#[test]
fn an_administrator_starts_a_run_watches_stops_keeps_compares_and_exports_it() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, edge) = pair("127.0.0.0/8")?;
    let origin_id = format!("origin-{}", origin.host());
    let mut pages = begin(&edge, DESKTOP)?;
    let target = pages.run("page", "return document.querySelector('.load-form [name=target]').value;")?;
    ensure!(target == origin_id.as_str(), "the other server is the target: {target}");
    fill(&mut pages, "first", 4)?;
    see(&mut pages, "load-form")?;
    start(&mut pages)?;
    all_there(&mut pages, 5)?;

    // The curves move by themselves, each of them.
    let curves = "[...document.querySelectorAll('.chart .line:first-of-type')].map((line) => line.getAttribute('d'))";
    pages.run("page", &format!("window.before = {curves};"))?;
    wait(
        &mut pages,
        "all curves move",
        &format!(
            "{curves}.length === 5 && {curves}.every((line, index) => line.length > 20 && line !== window.before[index])"
        ),
    )?;
    let told = pages.run(
        "page",
        "const chart = document.querySelector('.chart svg');
         chart.focus();
         chart.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
         return chart.getAttribute('aria-label');",
    )?;
    ensure!(told.as_str().is_some_and(|words| words.starts_with("Agents, after ")), "{told}");
    see(&mut pages, "load-run")?;
    stop(&mut pages)?;
    wait(&mut pages, "all have left", "/0 of 5/.test(document.querySelector('.tiles').innerText)")?;
    keep(&mut pages, "as it was")?;

    // Files say what the page says.
    let (table, whole) = (scratch("load-run.csv")?, scratch("load-run.json")?);
    let name = pages.download("page", "[aria-label='Export the seconds as CSV']", &table)?;
    ensure!(name == "first.csv", "{name}");
    pages.download("page", "[aria-label='Export all of it as JSON']", &whole)?;
    let whole: Value = serde_json::from_str(&fs::read_to_string(whole)?)?;
    ensure!(whole["servers"][0]["run"]["uri"] == "load://first" && whole["summary"]["joined"] == 5, "{whole:#}");
    ensure!(whole["target"] == origin_id.as_str() && whole["summary"]["targetCpu"].as_f64() > Some(0.0), "{whole:#}");
    let table = fs::read_to_string(table)?;
    let mut lines = table.lines();
    let head: Vec<_> = lines.next().context("it is empty")?.split(',').collect();
    let live = head.iter().position(|field| *field == "live").context("no column `live`")?;
    let most = lines.clone().filter_map(|line| line.split(',').nth(live)?.parse::<u32>().ok()).max();
    let series = whole["servers"][0]["series"].as_array().map_or(0, Vec::len);
    ensure!(
        most == Some(5) && lines.count() == series && head.contains(&format!("cpu % of {origin_id}").as_str()),
        "{table}"
    );

    // Another run, beside the one that was kept.
    pages.click("page", "a.back")?;
    wait_for_form(&mut pages)?;
    fill(&mut pages, "second", 12)?;
    start(&mut pages)?;
    all_there(&mut pages, 13)?;
    stop(&mut pages)?;
    pages.click("page", "a.back")?;
    for name in ["as it was", "second"] {
        wait(&mut pages, "the run is listed", &format!("document.querySelector('[aria-label=\"Compare {name}\"]')"))?;
        pages.click("page", &format!("[aria-label=\"Compare {name}\"]"))?;
    }
    see(&mut pages, "load-list")?;
    pages
        .run("page", "[...document.querySelectorAll('button')].find((one) => one.innerText === 'Compare').click();")?;
    wait(
        &mut pages,
        "the comparison",
        "/Agents there at once[^]*5[^]*13[^]*\\+160 %[^]*better/.test(document.querySelector('table')?.innerText)",
    )?;
    wait(
        &mut pages,
        "both lines",
        "document.querySelectorAll('.chart')[0].querySelectorAll('.line[d*=L]').length === 4 && document.querySelector('.chart .faint')",
    )?;
    see(&mut pages, "load-compare")?;
    no_complaints(&pages)?;
    drop(pages);
    edge.stop()?;
    origin.stop()?;
    Ok(())
}

#[test]
fn agents_of_two_servers_make_one_run() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, [first, second]) = servers("127.0.0.0/8")?;
    let names = [&first, &second].map(|edge| format!("edge-{}", edge.host()));
    let mut pages = begin(&first, DESKTOP)?;
    let offered = "return document.querySelectorAll('.load-form [name=from]').length === 3;";
    let deadline = Instant::now() + Duration::from_secs(20);
    while pages.run("page", offered)? != true {
        ensure!(Instant::now() < deadline, "the three servers do not know each other");
        open(&mut pages, "#/streams")?;
        open(&mut pages, "#/load")?;
        wait_for_form(&mut pages)?;
    }
    pages.run("page", &format!(
        "for (const box of document.querySelectorAll('.load-form [name=from]')) if (box.checked !== {names:?}.includes(box.value)) box.click();"
    ))?;
    choose(&mut pages, ".load-form [name=target]", &format!("origin-{}", origin.host()))?;
    wait_for_form(&mut pages)?;
    // Each of the two publishes a stream of its own, and has three viewers of the first.
    fill(&mut pages, "together", 3)?;
    pages.fill("page", ".task:nth-of-type(2) [name=stream]", "stage-1")?;
    start(&mut pages)?;
    all_there(&mut pages, 8)?;
    see(&mut pages, "load-two-servers")?;
    let file = scratch("load-two-servers.json")?;
    pages.download("page", "[aria-label='Export all of it as JSON']", &file)?;
    let told: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    let parts = told["servers"].as_array().context("no servers")?;
    let of: Vec<_> = parts.iter().filter_map(|part| part["node"].as_str()).collect();
    ensure!(of == names && told["summary"]["joined"] == 8, "{told:#}");
    let published: Vec<_> = parts.iter().filter_map(|part| part["run"]["tasks"][0]["target"].as_str()).collect();
    let joined = |part: &Value, task: usize| part["run"]["tasks"][task]["joined"] == if task == 0 { 1 } else { 3 };
    ensure!(parts.iter().all(|part| joined(part, 0) && joined(part, 1)), "{told:#}");
    // One name would have been refused to the second publisher.
    ensure!(published.len() == 2 && published.iter().all(|to| to.ends_with("/stage-{i}/whip")), "{published:?}");
    stop(&mut pages)?;
    wait(&mut pages, "all have left", "/0 of 8/.test(document.querySelector('.tiles').innerText)")?;
    no_complaints(&pages)?;
    drop(pages);
    for server in [first, second, origin] {
        server.stop()?;
    }
    Ok(())
}

/// A server that answers each request with 500 and a script.
fn rude_server(host: Ipv4Addr) -> Result<u16> {
    let listener = TcpListener::bind((host, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for mut peer in listener.incoming().flatten() {
            let _ = peer.read(&mut [0; 4096]);
            let length = SCRIPT.len();
            let _ = write!(
                peer,
                "HTTP/1.1 500 {SCRIPT}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{SCRIPT}"
            );
        }
    });
    Ok(port)
}

#[test]
fn what_goes_wrong_with_load_is_said_on_a_phone_and_what_others_say_stays_text() -> Result<()> {
    let _turn = heavy_turn();
    let (origin, edge) = pair("127.0.0.0/8")?;
    let edge_id = format!("edge-{}", edge.host());
    let rude = rude_server(edge.host())?;
    let mut pages = begin(&origin, PHONE)?;
    see(&mut pages, "phone-load-form")?;

    // Somewhere that load may not go.
    choose(&mut pages, ".load-form [name=target]", "")?;
    pages.fill("page", ".task [name=url]", "http://192.0.2.1:8080/cam/whep")?;
    start(&mut pages)?;
    let wrong = "document.querySelector('.load-form [role=alert]')";
    wait(&mut pages, "it may not go there", &format!("/may not go to 192.0.2.1[^]*allowed/.test({wrong}.innerText)"))?;
    see(&mut pages, "phone-load-refused")?;

    // Somewhere that answers with a script, which is shown as it is.
    pages.fill("page", ".load-form [name=name]", "rude")?;
    pages.fill("page", ".task [name=url]", &format!("http://{}:{rude}/cam/whep", edge.host()))?;
    pages.fill("page", ".task [name=count]", "2")?;
    start(&mut pages)?;
    wait(&mut pages, "why they failed", "/onerror=window.harmed/.test(document.querySelector('#page')?.innerText)")?;
    ensure!(pages.run("page", "return window.harmed === undefined && !document.querySelector('#page img');")? == true);
    see(&mut pages, "phone-load-failures")?;

    // Agents of a server that dies.
    open(&mut pages, "#/load")?;
    wait_for_form(&mut pages)?;
    pages.run("page", &format!(
        "for (const box of document.querySelectorAll('.load-form [name=from]')) if (box.checked !== (box.value === '{edge_id}')) box.click();"
    ))?;
    choose(&mut pages, ".load-form [name=target]", &format!("origin-{}", origin.host()))?;
    wait_for_form(&mut pages)?;
    fill(&mut pages, "doomed", 2)?;
    start(&mut pages)?;
    all_there(&mut pages, 3)?;
    see(&mut pages, "phone-load-run")?;
    let run = pages.run("page", "return location.hash;")?;

    // What a viewer calls itself stays text too.
    let mut viewer = TcpStream::connect(origin.http())?;
    write!(viewer, "GET /stage.flv HTTP/1.0\r\nHost: {}\r\nUser-Agent: {SCRIPT}\r\n\r\n", origin.http())?;
    open(&mut pages, "#/sessions")?;
    wait(
        &mut pages,
        "the viewer",
        "/HTTP-FLV[^]*onerror=window.harmed/.test(document.querySelector('#page')?.innerText)",
    )?;
    ensure!(pages.run("page", "return window.harmed === undefined && !document.querySelector('#page img');")? == true);
    drop(viewer);

    open(&mut pages, run.as_str().unwrap_or_default())?;
    all_there(&mut pages, 3)?;
    edge.kill();
    wait(
        &mut pages,
        "that it is gone",
        &format!(
            "document.querySelector('.remarks')?.checkVisibility() && document.querySelector('.remarks').innerText.includes('{edge_id} does not answer')"
        ),
    )?;
    ensure!(pages.run("page", "return /3 of 3/.test(document.querySelector('.tiles').innerText);")? == true);

    // Who runs no servers is not offered it.
    pages.click("page", "#sign-out")?;
    sign_in(&mut pages, "anna", PASSWORD)?;
    wait(
        &mut pages,
        "no tab",
        "document.body.dataset.state === 'ready' && document.querySelector('#tab-load').hidden",
    )?;
    open(&mut pages, "#/load?again")?;
    wait(&mut pages, "why not", "/takes the role admin/.test(document.querySelector('#page')?.innerText)")?;
    drop(pages);
    origin.kill();
    Ok(())
}
