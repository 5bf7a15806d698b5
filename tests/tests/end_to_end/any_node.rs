//! Several nodes of a cluster behind a load balancer that knows nothing of sessions.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_tests::http::{Answer, exchange, get};
use headwater_tests::origin::{Origin, free_address};
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::{report, scratch, shared_turn, tools};

use crate::cluster::{node_at, wait_metric};
use crate::whip::publish_by_ffmpeg;

const PATIENCE: Duration = Duration::from_secs(20);
const OFFER: &str = include_str!("offer.sdp");
const MISSING: &str = "0123456789abcdef0123456789abcdef";
const PASSED: &str = "headwater_cluster_passes_total{way=\"passed\"}";

/// Two nodes, and nginx in front of them, which sends each request to the other than the one before.
pub(crate) struct Spread {
    pub(crate) nodes: [Origin; 2],
    pub(crate) address: String,
    nginx: Program,
    folder: PathBuf,
}

/// A request as the log has it.
#[derive(Debug)]
struct Logged {
    method: String,
    path: String,
    status: u16,
    node: String,
}

impl Spread {
    pub(crate) fn start() -> Result<Spread> {
        let keys = [("CLUSTER__BETWEEN_ORIGINS", "true")];
        let first = node_at(free_address()?, "origin", None, &keys)?;
        let second = node_at(free_address()?, "origin", Some(&first), &keys)?;
        for node in [&first, &second] {
            wait_metric(node, "headwater_cluster_nodes", |nodes| nodes == 1.0)?;
        }
        Spread::before([first, second])
    }

    fn before(nodes: [Origin; 2]) -> Result<Spread> {
        let folder = scratch("spread")?;
        std::fs::create_dir_all(&folder)?;
        let (address, place) = (format!("{}:18080", nodes[0].host()), folder.display());
        let servers = nodes.iter().map(|node| format!("server {} max_fails=0;\n", node.http())).collect::<String>();
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folders = folders.map(|kind| format!("{kind}_temp_path {place}/{kind};\n")).concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\n{folders}\
             log_format way '$request_method $request_uri $status $upstream_addr';\naccess_log {place}/access.log way;\n\
             upstream nodes {{\n{servers}}}\nserver {{\nlisten {address};\nlocation / {{\nproxy_pass http://nodes;\n\
             proxy_http_version 1.1;\nproxy_set_header Host $http_host;\nproxy_buffering off;\n\
             proxy_next_upstream off;\n}}\n}}\n}}\n"
        );
        std::fs::write(folder.join("nginx.conf"), configuration)?;
        let program = tools::on_path("nginx").unwrap_or_else(|_| "/usr/sbin/nginx".into());
        let mut command = Command::new(program);
        command.args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
        let mut nginx = Program::start("nginx", &mut command)?;
        let ready = || get(&address, "/healthz").is_ok_and(|answer| answer.status == 200);
        let is_ready = until("nginx is ready", PATIENCE, || ready() || !nginx.runs());
        ensure!(is_ready.is_ok() && nginx.runs(), "nginx said: {}", nginx.messages());
        Ok(Spread { nodes, address, nginx, folder })
    }

    pub(crate) fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn log(&self) -> Result<Vec<Logged>> {
        let text = std::fs::read_to_string(self.folder.join("access.log"))?;
        let logged = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            let (method, path) = (words.next()?, words.next()?);
            Some(Logged { method, path, status: words.next()?.parse().ok()?, node: words.next()? })
        };
        Ok(text.lines().filter_map(logged).collect())
    }

    /// How many requests the nodes have passed on to each other.
    pub(crate) fn passed(&self) -> Result<f64> {
        let count = |node: &Origin| {
            let page = get(&node.http(), "/metrics")?.body;
            let count = page.lines().find_map(|line| line.strip_prefix(PASSED)?.trim().parse::<f64>().ok());
            count.with_context(|| format!("no {PASSED}"))
        };
        self.nodes.iter().map(count).sum()
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.nginx.terminate(PATIENCE)?;
        std::fs::remove_dir_all(self.folder)?;
        // At once: a viewer of HLS who has gone without a word counts for a while.
        for node in self.nodes {
            node.kill();
        }
        Ok(())
    }
}

#[test]
fn what_ffmpeg_publishes_at_one_node_it_ends_at_the_other() -> Result<()> {
    let _turn = shared_turn();
    let spread = Spread::start()?;
    let publisher = publish_by_ffmpeg(&spread.page("/cam/whip"), 4)?;
    let published = || spread.nodes.iter().any(|node| node.streams().is_ok_and(|streams| !streams.is_empty()));
    until("ffmpeg publishes", PATIENCE, published).with_context(|| publisher.messages())?;
    publisher.succeed(PATIENCE)?;
    spread.nodes.iter().try_for_each(|node| node.wait_gone("cam"))?;
    let log = spread.log()?;
    let find = |method: &str| log.iter().find(|logged| logged.method == method).with_context(|| format!("{log:?}"));
    let (begun, ended) = (find("POST")?, find("DELETE")?);
    report(&format!("ffmpeg by WHIP through nginx: {begun:?}, {ended:?}"));
    ensure!(begun.status == 201 && ended.status == 200, "{log:?}");
    ensure!(ended.path.starts_with("/~") && ended.node != begun.node, "{log:?}");
    ensure!(spread.passed()? == 1.0, "{} were passed on", spread.passed()?);
    spread.stop()
}

/// ffmpeg reads the description again and again at the address that it was given, which another node answers each time.
#[test]
fn ffmpeg_plays_dash_through_a_balancer_that_spreads_its_requests() -> Result<()> {
    let _turn = shared_turn();
    let spread = Spread::start()?;
    let publisher = Source::default().publish(&spread.nodes[0].rtmp("clock"))?;
    spread.nodes[0].wait_published("clock")?;
    crate::dash::play(&spread.page("/clock/manifest.mpd"), 12, (640, "48000"))?;
    let log = spread.log()?;
    let asked = |ending: &str| log.iter().filter(|logged| logged.path.ends_with(ending)).collect::<Vec<_>>();
    let (descriptions, segments) = (asked(".mpd"), asked(".m4s"));
    report(&format!(
        "ffmpeg, DASH over two nodes: {} descriptions, {} segments; {} requests were passed on",
        descriptions.len(),
        segments.len(),
        spread.passed()?
    ));
    ensure!(descriptions.len() > 2 && descriptions.iter().any(|one| one.node != descriptions[0].node), "{log:?}");
    ensure!(
        segments.len() >= 10 && segments.iter().all(|one| one.status == 200 && one.path.starts_with("/~")),
        "{segments:?}"
    );
    ensure!(spread.passed()? >= 5.0, "only {} requests were passed on", spread.passed()?);
    publisher.kill();
    spread.stop()
}

#[test]
fn a_description_leads_to_the_node_that_gave_it_and_a_cookie_does() -> Result<()> {
    let _turn = shared_turn();
    let spread = Spread::start()?;
    let publisher = Source::default().publish(&spread.nodes[0].rtmp("clock"))?;
    spread.nodes[0].wait_published("clock")?;
    let [one, other] = &spread.nodes;
    let first = get(&one.http(), "/clock/manifest.mpd?x=1")?;
    let location = first.body.split_once("<Location>").and_then(|(_, rest)| rest.split_once("</Location>"));
    let location = location.with_context(|| format!("no Location: {first:?}"))?.0.replace("&amp;", "&");
    let location = location.strip_prefix("..").with_context(|| location.clone())?;
    ensure!(location.starts_with("/~") && location.contains("/clock/manifest.mpd?x=1&viewer="), "{location}");
    let init =
        |answer: &Answer| answer.body.split('"').find(|text| text.contains("_video.dash-init-")).map(str::to_owned);
    let known = init(&first).with_context(|| format!("{first:?}"))?;
    for node in [one, other] {
        let again = get(&node.http(), location)?;
        ensure!(
            again.status == 200 && !again.body.contains("<Location>") && !again.body.contains("\"../"),
            "{again:?}"
        );
        let relative = init(&again).with_context(|| format!("{again:?}"))?;
        ensure!(known.ends_with(&relative), "{known} {relative}");
        ensure!(get(&node.http(), known.trim_start_matches(".."))?.status == 200, "{known}");
    }
    let cookie = first.header("Set-Cookie").and_then(|cookie| cookie.split(';').next()).context("no cookie")?;
    let by =
        |cookie: &str| exchange(&other.http(), "GET", "/clock/manifest.mpd?x=1", &[&format!("Cookie: {cookie}")], "");
    ensure!(init(&by(cookie)?) == Some(known.clone()), "{cookie}");
    for cookie in ["headwater-home=0123456789ab", "headwater-home=..", "a=b"] {
        let answer = by(cookie)?;
        ensure!(answer.status == 200 && init(&answer).is_some_and(|init| init != known), "{cookie}: {answer:?}");
    }
    // One viewer, whichever way it comes; those without its cookie are another.
    let viewers: f64 = spread.nodes.iter().filter_map(|node| node.metric("headwater_hls_viewers").ok().flatten()).sum();
    ensure!(viewers == 2.0, "{viewers} viewers");
    publisher.kill();
    spread.stop()
}

#[test]
fn a_session_is_reached_through_every_node_and_nothing_else_is() -> Result<()> {
    let _turn = shared_turn();
    let spread = Spread::start()?;
    let [one, other] = &spread.nodes;
    let _publisher = Source::default().publish(&one.rtmp("cam"))?;
    one.wait_published("cam")?;
    let ask = |node: &Origin, method: &str, path: &str, headers: &[&str], body: &str| -> Result<Answer> {
        exchange(&node.http(), method, path, headers, body)
    };
    let offer = OFFER.replace('\n', "\r\n");
    let begun =
        ask(one, "POST", "/cam/whep", &["Content-Type: application/sdp", "Authorization: Bearer mine"], &offer)?;
    ensure!(begun.status == 201, "{begun:?}");
    let session = begun.header("Location").context("no Location")?.to_owned();
    let tag = format!("If-Match: {}", begun.header("ETag").context("no ETag")?);
    let of_ice = |line: &&str| line.starts_with("a=ice-ufrag") || line.starts_with("a=ice-pwd");
    let fragment: Vec<&str> = OFFER.lines().filter(of_ice).take(2).collect();
    let fragment = format!("{}\r\n", fragment.join("\r\n"));
    let headers = ["Content-Type: application/trickle-ice-sdpfrag", "Authorization: Bearer mine", tag.as_str()];
    for node in [one, other] {
        let patched = ask(node, "PATCH", &session, &headers, &fragment)?;
        ensure!(patched.status == 204, "{patched:?}");
        let layers = ask(node, "GET", &format!("{session}/layer"), &headers[1..2], "")?;
        ensure!(layers.status == 200 && layers.body.contains("layers"), "{layers:?}");
        let stranger = ask(node, "DELETE", &session, &[], "")?;
        ensure!(stranger.status == 401, "{stranger:?}");
    }
    ensure!(spread.passed()? == 3.0, "{} were passed on", spread.passed()?);

    let (home, _) = session.split_once("/cam/").context("no mark")?;
    for path in ["/rest-api/stream/find_all", "/metrics", "/healthz", "/cam/whip", "/cam.flv", "/~1/cam/whep/1"] {
        for (method, body) in [("GET", ""), ("POST", "{}")] {
            let answer = ask(other, method, &format!("{home}{path}"), &["Content-Type: application/json"], body)?;
            ensure!(answer.status == 404, "{path}: {answer:?}");
        }
    }
    for mark in ["0123456789ab", "127.0.0.1:9", "", "%2e%2e"] {
        let answer = ask(other, "DELETE", &format!("/~{mark}/cam/whep/{MISSING}"), &[], "")?;
        ensure!(answer.status == 404, "{mark}: {answer:?}");
    }
    ensure!(spread.passed()? == 3.0, "{} were passed on", spread.passed()?);

    let ended = ask(other, "DELETE", &session, &headers[1..2], "")?;
    ensure!(ended.status == 200, "{ended:?}");
    ensure!(ask(one, "DELETE", &session, &headers[1..2], "")?.status == 404);
    // Whose node has gone, begins anew.
    let Spread { nodes: [one, other], nginx, .. } = spread;
    nginx.kill();
    one.kill();
    until("the session of a node that is gone is said to be gone", PATIENCE, || {
        ask(&other, "DELETE", &session, &headers[1..2], "").is_ok_and(|answer| answer.status == 404)
    })?;
    other.stop()?;
    Ok(())
}
