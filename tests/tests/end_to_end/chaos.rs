//! What happens to viewers when a cluster is cut, killed, restarted, or told a wrong time: every server on a host of its
//! own, viewers that stay.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_tests::{
    flv::{Kind, Tag},
    hosts::{Host, Network},
    origin::Origin,
    players::Recorder,
    program::{Program, until},
    source::Source,
};

use crate::hosts::node::{Node, plain};

mod clocks;
mod cuts;
mod failures;
mod healing;
mod names;
mod pages;

/// What should come does so long before; a machine that is busy is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pictures after which a stream is taken to play.
const PLAYING: usize = 30;

/// An origin, an edge that fetches from it, and somebody at each: the least that a stream goes through.
struct Pair {
    origin: Node,
    edge: Node,
    studio: Host,
    home: Host,
}

impl Pair {
    fn start(network: &Network) -> Result<Pair> {
        let origin = Node::start(network.host("origin")?, "origin", &[], Vec::new())?;
        let entry = plain(&origin.host);
        let edge = Node::start(network.host("edge")?, "edge", &[&entry], Vec::new())?;
        edge.wait_nodes(1)?;
        Ok(Pair { origin, edge, studio: network.host("studio")?, home: network.host("home")? })
    }
}

/// Publishes to a server from a host, and waits until it is there.
fn publish(from: &Host, to: &Node, name: &str) -> Result<Program> {
    let publisher = from.inside(|| Source::default().publish(&to.rtmp(name)))?;
    to.wait_published(name)?;
    Ok(publisher)
}

/// Plays from a server at a host, and waits until pictures come.
fn watch(on: &Host, from: &Origin, name: &str) -> Result<Recorder> {
    let viewer = on.inside(|| Recorder::rtmpdump(&from.rtmp(name)))?;
    viewer.wait_pictures(PLAYING, PATIENCE).with_context(|| from.log())?;
    Ok(viewer)
}

/// How many pictures somebody has seen.
fn pictures(viewer: &Recorder) -> usize {
    viewer.tags().map_or(0, |tags| tags.iter().filter(|tag| tag.kind == Kind::Video).count())
}

/// How long it takes from now until somebody who stayed sees pictures, and goes on to see them.
pub(crate) fn until_back(viewer: &Recorder) -> Result<Duration> {
    let (begun, before) = (Instant::now(), pictures(viewer));
    let mut first = None;
    until("the viewer who stayed sees pictures again", PATIENCE, || {
        let now = pictures(viewer);
        if now > before && first.is_none() {
            first = Some(begun.elapsed());
        }
        now > before + PLAYING
    })?;
    first.context("nothing came")
}

/// Waits until somebody sees nothing any more: no picture for as long as that.
pub(crate) fn until_still(viewer: &Recorder, for_long: Duration) -> Result<()> {
    let (mut count, mut since) = (pictures(viewer), Instant::now());
    until("the picture stands", PATIENCE, || {
        let now = pictures(viewer);
        if now != count {
            (count, since) = (now, Instant::now());
        }
        since.elapsed() >= for_long
    })
}

/// Ends a recording, insists that its time never ran backwards, and gives the longest time between two pictures, by their
/// stamps, in milliseconds.
fn longest_gap(viewer: Recorder) -> Result<u32> {
    let tags = viewer.finish()?;
    gaps(&tags, Kind::Audio)?;
    gaps(&tags, Kind::Video)
}

fn gaps(tags: &[Tag], kind: Kind) -> Result<u32> {
    let times: Vec<u32> = tags.iter().filter(|tag| tag.kind == kind).map(|tag| tag.milliseconds).collect();
    ensure!(times.is_sorted(), "time of {kind:?} runs backwards");
    times.windows(2).map(|pair| pair[1] - pair[0]).max().context("no two pictures")
}

/// The host that a balancer names; none when it has none to name.
fn named(balancer: &Node) -> Result<Option<Ipv4Addr>> {
    let answer = headwater_tests::http::get(&balancer.http(), "/balancer")?;
    if answer.status != 200 {
        return Ok(None);
    }
    let told: serde_json::Value = serde_json::from_str(&answer.body).with_context(|| format!("{answer:?}"))?;
    Ok(told["server"].as_str().and_then(|host| host.parse().ok()))
}
