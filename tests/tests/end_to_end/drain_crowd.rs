//! An edge that is emptied while two hundred watch by every protocol: whom it sends away goes on at another edge.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    again::Obedient,
    crowd::{Crowd, failures, live, seeing},
    hosts::{Host, Network},
    http, is_long,
    origin::Origin,
    players::Recorder,
    program::{Program, until},
    report,
    source::Source,
    tools, turn,
};

use crate::hosts::node::{Keys, Node, plain};

const PATIENCE: Duration = Duration::from_secs(30);
const WATCHED: &str = "cam";

/// How an edge is told to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    BySignal,
    ByApi,
}

fn keys() -> Keys {
    let keys = [("LIMITS__WEBRTC_PENDING_PER_ADDRESS", "2000"), ("LIMITS__GATE_WAITING_PER_ADDRESS", "2000")];
    keys.map(|(key, value)| (key, value.to_owned())).into()
}

/// A player of fragmented MP4 over a WebSocket; tells with which code it was closed.
fn closed_with(on: &Host, from: &Origin) -> Result<Program> {
    // curl speaks WebSocket only in versions that are not everywhere; node does.
    let script = format!(
        "const socket = new WebSocket('ws://{}/mse/{WATCHED}');
         socket.onclose = (event) => console.log(`closed with ${{event.code}}: ${{event.reason}}`);
         socket.onmessage = () => console.error('media');",
        from.http()
    );
    on.inside(|| {
        let mut command = Command::new(tools::on_path("node")?);
        Program::start("a player of MSE", command.args(["--experimental-websocket", "--eval", &script]))
    })
}

fn drained(told: Told, viewers: usize) -> Result<()> {
    let network = Network::new()?;
    network.inside(|| {
        let origin = Node::start(network.host("origin")?, "origin", &[], keys())?;
        let entry = plain(&origin.host);
        let edge = |name: &str| Node::start(network.host(name)?, "edge", &[&entry], keys());
        let leaving = edge("leaving")?;
        origin.wait_nodes(1)?;
        let (studio, home) = (network.host("studio")?, network.host("home")?);
        let source = Source { size: (320, 180), rate: 15, ..Source::default() };
        let _publisher = studio.inside(|| source.publish(&origin.rtmp(WATCHED)))?;
        origin.wait_published(WATCHED)?;
        let asks = || http::get(&origin.http(), "/balancer").is_ok_and(|answer| answer.status == 200);
        until("the balancer names the edge", PATIENCE, asks)?;

        let each = viewers / 2;
        let task = format!("what = \"play\"\ncount = {each}\nrate = 40\nrejoin = true");
        let (first, balancer) = (leaving.host.address(), format!("http://{}/balancer", origin.http()));
        let plan = format!(
            "name = \"drain\"\nhold_s = 600\nworkers = 1\n\
             [[task]]\ntarget = \"http://{first}:8080/{WATCHED}/whep\"\n{task}\n\
             [[task]]\ntarget = \"ws://{first}:8080\"\nstream = \"{WATCHED}\"\nbalancer = \"{balancer}\"\n{task}\n"
        );
        let crowd = home.inside(|| Crowd::start(&plan, &["10.71.0.0/24"]))?;
        let all = 2 * each as u64;
        crowd.wait("all see pictures", Duration::from_secs(90), |now| seeing(now) >= all && live(now) == all)?;
        let mut old: Vec<Recorder> = Vec::new();
        for _ in 0..3 {
            old.push(home.inside(|| Recorder::rtmpdump(&leaving.rtmp(WATCHED)))?);
        }
        let rtmp = SocketAddr::new(IpAddr::V4(first), 1935);
        let mut obedient = home.inside(|| Obedient::start(rtmp, WATCHED))?;
        obedient.wait_bytes(50_000, PATIENCE)?;
        let mut mse = closed_with(&home, &leaving)?;
        until("MSE plays", PATIENCE, || mse.messages().contains("media")).with_context(|| mse.messages())?;
        let hls = Hls::begin(&leaving)?;
        for player in &old {
            player.wait_pictures(5, PATIENCE)?;
        }

        let staying = edge("staying")?;
        for node in [&origin, &leaving] {
            node.wait_nodes(2)?;
        }
        let (there, begun) = (staying.host.address(), Instant::now());
        match told {
            Told::BySignal => leaving.signal("TERM")?,
            Told::ByApi => {
                let answer = http::post_json(&leaving.http(), "/rest-api/cdn/drain", r#"{"exit":true}"#)?;
                ensure!(answer.status == 200 && answer.body.contains("DRAINING"), "{answer:?}");
            }
        }
        let not_ready = || http::get(&leaving.http(), "/readyz").is_ok_and(|answer| answer.status == 503);
        until("it is not ready", Duration::from_secs(1), not_ready)?;
        let refused = http::get(&leaving.http(), &format!("/{WATCHED}.flv"))?;
        ensure!(refused.status == 503 && refused.header("retry-after").is_some(), "{refused:?}");
        let offer = http::exchange(
            &leaving.http(),
            "POST",
            &format!("/{WATCHED}/whep?x=1"),
            &["Content-Type: application/sdp"],
            include_str!("offer.sdp"),
        )?;
        let whep = format!("http://{there}:8080/{WATCHED}/whep?x=1");
        ensure!(offer.status == 307 && offer.header("location") == Some(&whep), "{offer:?}");
        hls.goes_on(&leaving)?;

        let asked = obedient.until_asked(PATIENCE).context("the player that connects anew by itself")?;
        ensure!(asked.address.as_deref() == Some(&format!("rtmp://{there}:1935/live")[..]), "{asked:?}");
        ensure!(asked.stayed > Duration::from_millis(1_500) && asked.bytes > 10_000, "{asked:?}");
        until("players of RTMP that know nothing of this are sent away", PATIENCE, || {
            old.iter_mut().all(|player| !player.runs())
        })?;
        until("MSE is closed", PATIENCE, || !mse.runs())?;
        let said = String::from_utf8_lossy(&mse.output()).into_owned();
        ensure!(said.contains("closed with 1012: this server is about to stop"), "{said}");
        let (_host, ended) = leaving.end(PATIENCE * 3)?;
        let exited = begun.elapsed();
        ensure!(ended.status.code() == Some(0), "it ended with {}: {}", ended.status, ended.messages);
        ensure!(ended.messages.contains("drained: nobody is left"), "{}", ended.messages);

        let moved = crowd.wait("all see pictures elsewhere", Duration::from_secs(60), |now| {
            live(now) == all && seeing(now) >= 2 * all
        })?;
        let back = |task: usize| moved.tasks[task].back_ms.map(|back| (back.p50, back.p95, back.max));
        report(&format!(
            "{viewers} viewers, an edge is emptied ({told:?}): it ended after {exited:.1?} with code 0; without pictures were \
             those by WHEP {:.0?} ms, by the session protocol {:.0?} ms (median, 95 %, longest); {:?}",
            back(0).context("nobody came back")?,
            back(1).context("nobody came back")?,
            failures(&moved),
        ));
        staying.wait_metric("headwater_webrtc_sessions", |sessions| sessions == all as f64 + 1.0)?;
        origin.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 1.0).context("one for the other edge")?;
        let left = crowd.leave();
        ensure!(live(&left) == 0, "{left:?}");
        Ok(())
    })
}

/// A player of HLS in the middle of a segment.
struct Hls {
    segment: String,
}

impl Hls {
    fn begin(edge: &Node) -> Result<Hls> {
        let mut found = None;
        until("a playlist lists segments", PATIENCE, || {
            found = Hls::listed(edge).ok().flatten();
            found.is_some()
        })?;
        Ok(Hls { segment: found.context("no segment")? })
    }

    fn listed(edge: &Node) -> Result<Option<String>> {
        let first =
            |text: &str| text.lines().rfind(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned);
        let index = http::get(&edge.http(), &format!("/{WATCHED}/index.m3u8"))?;
        let Some(list) = first(&index.body).map(|list| place(&list)) else { return Ok(None) };
        Ok(first(&http::get(&edge.http(), &list)?.body).map(|segment| place(&segment)))
    }

    /// What a playlist has promised is still to be had.
    fn goes_on(&self, edge: &Node) -> Result<()> {
        let mut command = Command::new(tools::on_path("curl")?);
        let url = format!("http://{}{}", edge.http(), self.segment);
        command.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code} %{size_download}", &url]);
        let ended = Program::start("curl", &mut command)?.succeed(PATIENCE)?;
        let told = String::from_utf8_lossy(&ended.output).into_owned();
        let (status, bytes) = told.split_once(' ').context("curl said nothing")?;
        ensure!(status == "200" && bytes.trim().parse::<u64>()? > 1_000, "{url}: {told}");
        Ok(())
    }
}

/// The path of what is listed, beside the index or one folder up.
fn place(listed: &str) -> String {
    listed.strip_prefix("../").map_or_else(|| format!("/{WATCHED}/{listed}"), |above| format!("/{above}"))
}

#[test]
fn a_crowd_goes_on_elsewhere_when_its_edge_is_emptied_by_the_api() -> Result<()> {
    let _turn = turn();
    drained(Told::ByApi, if is_long() { 200 } else { 80 })
}

#[test]
fn a_crowd_goes_on_elsewhere_when_its_edge_is_told_to_stop() -> Result<()> {
    let _turn = turn();
    drained(Told::BySignal, if is_long() { 200 } else { 40 })
}
