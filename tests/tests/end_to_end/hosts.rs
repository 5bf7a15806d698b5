//! A cluster as it is run: every server, publisher and viewer on a host of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    browser::percentile,
    hosts::{Host, Network},
    players::Recorder,
    program::until,
    report, turn,
};
use serde_json::{Value, json};

use crate::{pairs, sdk::pages::Pages};

mod network;
pub(crate) mod node;

use node::{Authority, Keys, Node, secure};

/// Pictures of which the clock of each viewer is read; those before are of its beginning, when it catches up.
const PICTURES: usize = 60;

/// Two origins and four edges, as the guide has them.
struct World {
    origins: [Node; 2],
    edges: Vec<Node>,
}

impl World {
    fn start(network: &Network) -> Result<World> {
        let authority = Authority::new()?;
        let group = |name: &str| -> Keys { vec![("CLUSTER__GROUPS", name.to_owned())] };
        let (eu, us) = (network.host("eu1")?, network.host("us1")?);
        let (at_eu, at_us) = (secure(&eu), secure(&us));
        let origins = [
            Node::trusted(eu, "origin", &[&at_us], &authority, group("EU"))?,
            Node::trusted(us, "origin", &[&at_eu], &authority, group("US"))?,
        ];
        let edge = |name: &str, region: &str, entry: [&str; 2]| {
            Node::trusted(network.host(name)?, "edge", &entry, &authority, group(region))
        };
        let edges = vec![
            edge("eu-edge1", "EU", [&at_eu, &at_us])?,
            edge("eu-edge2", "EU", [&at_eu, &at_us])?,
            edge("us-edge1", "US", [&at_us, &at_eu])?,
            edge("us-edge2", "US", [&at_us, &at_eu])?,
        ];
        for node in edges.iter().chain(&origins) {
            node.wait_nodes(5)?;
        }
        Ok(World { origins, edges })
    }
}

/// A browser on a host, for pages of a server elsewhere.
pub(crate) fn browser(on: &Host, of: &Node) -> Result<Pages> {
    on.inside(|| Pages::of(&format!("https://{}:8443/", of.host.address())))
}

/// Publishes a picture with a clock in it.
pub(crate) fn publish(pages: &mut Pages, name: &str) -> Result<()> {
    pairs::open(pages, "sender", "sender.js")?;
    let request = format!("{{ whip: new URL('/{name}/whip', location).href, media: 'clock', codec: 'video/H264' }}");
    let script = "const { problem } = await window.published(); if (problem) throw new Error(problem);";
    pages.run("sender", &format!("await window.publish({request}); {script}")).map(drop)
}

/// Plays in a page by one of the ways of `ways.js`; gives the milliseconds from drawing to showing of some pictures.
pub(crate) fn glass_to_glass(pages: &mut Pages, way: &str, name: &str) -> Result<Vec<f64>> {
    pairs::open(pages, way, "observe.js")?;
    pages.front(way)?;
    let observe = if way == "http" { "" } else { "await window.observe();" };
    let script = format!(
        "await ways.play('{way}', '{name}'); {observe} const all = []; let seen;
         await until(() => `clocks that can be read: ${{JSON.stringify({{ ...seen, all }})}}`, async () => {{
             seen = await window.observed();
             all.push(...seen.latencies);
             return all.length >= 2 * {PICTURES};
         }}, 30000);
         return all.slice(-{PICTURES});"
    );
    let times = pages.run(way, &script)?;
    Ok(times.as_array().into_iter().flatten().filter_map(Value::as_f64).collect())
}

#[test]
fn a_page_in_europe_is_watched_in_america_over_six_hosts_and_tls() -> Result<()> {
    let _turn = turn();
    let network = Network::new()?;
    network.inside(|| {
        let begun = Instant::now();
        let world = World::start(&network)?;
        report(&format!("six servers knew each other {:.1?} after the first began", begun.elapsed()));
        let (europe, america) = (&world.origins[0], &world.edges[2]);
        let (studio, home) = (network.host("studio")?, network.host("home")?);
        let mut sender = browser(&studio, europe)?;
        publish(&mut sender, "cam")?;
        europe.wait_published("cam")?;

        let mut viewer = browser(&home, america)?;
        for way in ["http", "wcs", "session"] {
            let times = glass_to_glass(&mut viewer, way, "cam").with_context(|| america.log())?;
            let of = |percent| percentile(&times, percent).unwrap_or(f64::INFINITY);
            report(&format!("glass to glass, Europe to America, by {way}: p50 {:.0} ms, p95 {:.0} ms", of(50), of(95)));
            ensure!(of(50) < 2_000.0, "{way}: {times:?}");
            viewer.run(way, "await ways.stop();")?;
        }
        let way = america.cdn("stream/trace_route", r#"{"streamName":"cam"}"#)?;
        ensure!(way == json!(["us-edge1(EDGE)", "eu1(ORIGIN)"]), "{way}");

        // Everybody else by a player; the ocean is crossed once for each edge, however many watch there.
        let mut watching = Vec::new();
        for edge in world.edges.iter().chain([america]) {
            watching.push(home.inside(|| Recorder::rtmpdump(&edge.rtmp("cam")))?);
        }
        for viewer in &watching {
            viewer.wait_pictures(30, Duration::from_secs(20)).with_context(|| america.log())?;
        }
        until("the publisher and each edge have a session", Duration::from_secs(20), || {
            europe.sessions().is_ok_and(|sessions| sessions == 5.0)
        })
        .with_context(|| format!("there are {:?}", europe.sessions()))?;
        drop(watching);
        europe.wait_metric("headwater_webrtc_sessions", |sessions| sessions == 1.0)?;
        Ok(())
    })
}
