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

use crate::hosts::node::{Keys, Node, plain};

mod clocks;
mod crowds;
mod cuts;
mod entry;
mod failures;
mod healing;
mod long_cuts;
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
        Pair::with(network, &[])
    }

    /// The same with more in the edge's configuration.
    fn with(network: &Network, of_edge: &[(&'static str, &str)]) -> Result<Pair> {
        let keys = of_edge.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let [origin, edge] = cluster(network, [("origin", "origin", Keys::new()), ("edge", "edge", keys)])?;
        Ok(Pair { origin, edge, studio: network.host("studio")?, home: network.host("home")? })
    }
}

/// Starts servers, by name, role and more of their configuration, each of which is told of the first, and waits until all
/// know all.
fn cluster<const COUNT: usize>(network: &Network, servers: [(&str, &str, Keys); COUNT]) -> Result<[Node; COUNT]> {
    let mut nodes: Vec<Node> = Vec::new();
    for (name, role, keys) in servers {
        let entry: Vec<String> = nodes.first().map(|first| plain(&first.host)).into_iter().collect();
        let entry: Vec<&str> = entry.iter().map(String::as_str).collect();
        nodes.push(Node::start(network.host(name)?, role, &entry, keys)?);
    }
    all_know_all(&nodes)?;
    nodes.try_into().map_err(|_| anyhow::anyhow!("not as many as were started"))
}

/// A server that is to be started.
struct Plan {
    host: Host,
    role: &'static str,
    keys: Keys,
}

/// Starts servers all at once, each of which is told of all others, and yields each when it takes sessions. Whether they
/// know each other by then is another question.
fn at_once(plans: Vec<Plan>) -> Result<Vec<Node>> {
    let entries: Vec<String> = plans.iter().map(|plan| plain(&plan.host)).collect();
    std::thread::scope(|scope| {
        let start = |plan: Plan| {
            let entries = &entries;
            scope.spawn(move || {
                let own = plain(&plan.host);
                let others: Vec<&str> = entries.iter().map(String::as_str).filter(|entry| *entry != own).collect();
                Node::start(plan.host, plan.role, &others, plan.keys)
            })
        };
        let started: Vec<_> = plans.into_iter().map(start).collect();
        started.into_iter().map(|node| node.join().map_err(|_| anyhow::anyhow!("a start panicked"))?).collect()
    })
}

/// Waits until each knows all others.
fn all_know_all<'a>(nodes: impl IntoIterator<Item = &'a Node> + Clone) -> Result<()> {
    let others = nodes.clone().into_iter().count().saturating_sub(1);
    nodes.into_iter().try_for_each(|node| node.wait_nodes(others))
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

/// Plays from a server again and again until a picture comes, and gives how long that took.
fn until_first(on: &Host, from: &Origin, name: &str, within: Duration) -> Result<Duration> {
    let begun = Instant::now();
    let mut viewer = on.inside(|| Recorder::rtmpdump(&from.rtmp(name)))?;
    while pictures(&viewer) == 0 {
        ensure!(begun.elapsed() < within, "no picture came");
        if !viewer.runs() {
            viewer = on.inside(|| Recorder::rtmpdump(&from.rtmp(name)))?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(begun.elapsed())
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
