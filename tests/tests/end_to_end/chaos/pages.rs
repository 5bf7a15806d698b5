//! What pages and players of HLS on an edge see of an origin that dies and comes back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    heavy_turn,
    hosts::{Host, Network},
    http,
    program::{Program, until},
    report,
};

use super::{PATIENCE, Pair, publish};
use crate::{
    hosts::{
        browser,
        node::{Keys, Node},
    },
    pairs,
    sdk::pages::Pages,
};

const INDEX: &str = "/cam/index.m3u8";
/// The Web SDK of WCS, ours, and plain WHEP.
const WAYS: [&str; 3] = ["wcs", "session", "http"];

/// How long an origin is away, beyond what its restart takes.
const AWAY: Duration = Duration::from_secs(3);

/// The path of the media playlist of an edge.
fn playlist(edge: &Node) -> Result<String> {
    let index = http::get(&edge.http(), INDEX)?;
    let variant = index.body.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    let variant = variant.with_context(|| format!("no variant: {index:?}"))?;
    // Beside the index, or one folder up and down again to what is this edge's own.
    Ok(variant.strip_prefix("../").map_or_else(|| format!("/cam/{variant}"), |above| format!("/{above}")))
}

#[test]
fn pages_and_players_of_hls_on_an_edge_outlive_its_origin() -> Result<()> {
    let _turn = heavy_turn();
    let network = Network::new()?;
    network.inside(|| {
        let Pair { origin, edge, studio, home } = Pair::start(&network)?;
        let publisher = publish(&studio, &origin, "cam")?;
        let mut pages = browser(&home, &edge)?;
        for way in WAYS {
            pairs::open(&mut pages, way, "observe.js")?;
            pages.run(way, &format!("await ways.play('{way}', 'cam');")).with_context(|| edge.log())?;
        }
        until("HLS is there", PATIENCE, || playlist(&edge).is_ok())?;
        let list = playlist(&edge)?;
        let (over, told) = (AtomicBool::new(false), Mutex::new(Told::default()));
        std::thread::scope(|scope| {
            // Asks all the time, as players do: whoever does not is forgotten.
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    told.lock().unwrap_or_else(PoisonError::into_inner).ask(&edge, &list);
                    std::thread::sleep(Duration::from_millis(250));
                }
            });
            let result = kill_and_return(&edge, origin, publisher, &studio, &mut pages, &told);
            over.store(true, Relaxed);
            result
        })
    })
}

/// What an edge has told somebody who plays by HLS.
#[derive(Default)]
struct Told {
    statuses: BTreeMap<u16, u32>,
    /// Whether a playlist said that something is missing.
    is_broken: bool,
    last: String,
}

impl Told {
    fn ask(&mut self, edge: &Node, list: &str) {
        let Ok(answer) = http::get(&edge.http(), list) else { return };
        *self.statuses.entry(answer.status).or_default() += 1;
        self.is_broken |= answer.body.contains("#EXT-X-DISCONTINUITY\n");
        self.last = answer.body;
    }
}

fn kill_and_return(
    edge: &Node,
    origin: Node,
    publisher: Program,
    studio: &Host,
    pages: &mut Pages,
    told: &Mutex<Told>,
) -> Result<()> {
    let killed = Instant::now();
    let host = origin.kill();
    drop(publisher);
    until("the edge lets go of its origin, which stays away for a while", PATIENCE, || {
        edge.log().contains("a pull is interrupted") && killed.elapsed() > AWAY
    })?;
    let origin = Node::start(host, "origin", &[], Keys::new())?;
    let down = killed.elapsed();
    let _publisher = publish(studio, &origin, "cam")?;
    let back = Instant::now();
    for way in WAYS {
        pages.front(way)?;
        let seen = pages.run(way, "return ways.arrives(25);").with_context(|| format!("{way}: {}", edge.log()))?;
        report(&format!("{way}: 25 pictures {:.1?} after the stream was back: {seen}", back.elapsed()));
        ensure!(seen["light"].as_f64() > Some(20.0), "the picture is black: {seen}");
    }
    let told = || told.lock().unwrap_or_else(PoisonError::into_inner);
    until("the playlist says that something is missing", PATIENCE, || told().is_broken).with_context(|| {
        let told = told();
        format!("{:?}: {}", told.statuses, told.last)
    })?;
    let statuses = told().statuses.clone();
    report(&format!("an origin was away for {down:.1?}: the playlist of the edge was answered {statuses:?}"));
    ensure!(statuses.keys().all(|status| *status == 200), "{statuses:?}");
    Ok(())
}
