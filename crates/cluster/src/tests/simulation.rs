//! Many nodes in one process, on a clock of their own and over links in memory that take twenty milliseconds.
//!
//! The figures are those of `docs/design/cluster.md`; with many nodes:
//! `HEADWATER_CLUSTER_NODES=100 cargo test -p headwater-cluster simulation -- --nocapture`.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::ground::{active, dialer, facts, id, settings, stream};
use crate::{
    Cluster, Role,
    clock::Clock,
    guard::Checked,
    switch::{Link, Outgoing, address_of},
};

const DELAY: Duration = Duration::from_millis(20);
/// How long two nodes need to shake hands, with TLS.
const HANDSHAKE: Duration = Duration::from_millis(100);
/// How often it is looked whether something is known.
const LOOK: Duration = Duration::from_millis(10);

struct World {
    nodes: Vec<Cluster>,
    is_parted: Arc<AtomicBool>,
}

impl World {
    fn start(count: usize) -> World {
        World { nodes: (0..count).map(World::node).collect(), is_parted: Arc::default() }
    }

    fn node(number: usize) -> Cluster {
        let address = SocketAddr::from(([127, 0, 84, 200], 1_000 + number as u16));
        let settings = settings(&format!("node-{number:03}.example"), Role::Origin, address);
        Cluster::new(settings, dialer(), Clock::new(0)).unwrap()
    }

    /// Links every node with the first, and with those that it learns of, as nodes that dial do.
    async fn grow(&self) {
        for number in 1..self.nodes.len() {
            self.link(0, number);
        }
        loop {
            sleep(HANDSHAKE).await;
            for number in 0..self.nodes.len() {
                let known: Vec<_> = {
                    let directory = self.nodes[number].node().directory.lock();
                    directory.addresses().filter_map(|(node, _)| self.number(node.as_str())).collect()
                };
                for other in known {
                    if !self.nodes[number].node().switch.is_linked(&id(&name(other))) {
                        self.link(number, other);
                    }
                }
            }
        }
    }

    fn number(&self, name: &str) -> Option<usize> {
        name.strip_prefix("node-")?.strip_suffix(".example")?.parse().ok()
    }

    fn link(&self, a: usize, b: usize) {
        self.carry(a, b, true);
        self.carry(b, a, false);
    }

    /// Carries what one node says to another.
    fn carry(&self, from: usize, to: usize, is_dialed: bool) {
        let (sender, mut said) = mpsc::channel(64);
        let (source, sink) = (self.nodes[from].node().clone(), self.nodes[to].node().clone());
        let link = Link::new(sink.settings.node.clone(), sink.generation(), is_dialed, sender);
        if source.switch.add(link, &source.settings.node).is_err() {
            return;
        }
        let half = self.nodes.len() / 2;
        let (is_parted, crosses) = (self.is_parted.clone(), (from < half) != (to < half));
        let stopping = source.stopping.clone();
        tokio::spawn(stopping.run_until_cancelled_owned(async move {
            while let Some(said) = said.recv().await {
                if crosses && is_parted.load(Relaxed) {
                    continue;
                }
                sleep(DELAY).await;
                match said {
                    Outgoing::Gossip(bytes) => {
                        assert_eq!(sink.guard.check(&bytes), Ok(Checked::Good));
                        sink.switch.deliver(address_of(&source.settings.node), bytes).await;
                    }
                    Outgoing::Goodbye => sink.hear_goodbye(&source.settings.node, source.generation()),
                }
            }
        }));
    }

    async fn kill(&self) {
        for node in &self.nodes {
            node.kill().await;
        }
    }

    /// How long it takes until something is so, by the clock of the simulation.
    async fn until(&self, what: &str, holds: impl Fn(&Cluster) -> bool) -> Duration {
        let begun = Instant::now();
        let waiting = async {
            while !self.nodes.iter().all(&holds) {
                sleep(LOOK).await;
            }
        };
        timeout(Duration::from_secs(120), waiting).await.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
        begun.elapsed()
    }

    /// Bytes in a second that a node sends, the mean of all over so long.
    async fn rate(&self, time: Duration) -> u64 {
        let sent = || self.nodes.iter().map(|node| node.statistics().sent_bytes).sum::<u64>();
        let before = sent();
        sleep(time).await;
        (sent() - before) / self.nodes.len() as u64 / time.as_secs()
    }

    /// How long it took until each of the other nodes knew each of so many new streams, sorted.
    async fn spread(&self, streams: usize) -> Vec<Duration> {
        let mut times = Vec::new();
        for number in 0..streams {
            sleep(Duration::from_millis(137)).await;
            let (stream, publisher) = (stream(&format!("new-{number}")), number * 7 % self.nodes.len());
            self.nodes[publisher].announce(&stream, facts(1, 0));
            let begun = Instant::now();
            let mut waiting: Vec<_> = (0..self.nodes.len()).filter(|node| *node != publisher).collect();
            while !waiting.is_empty() {
                sleep(LOOK).await;
                let before = waiting.len();
                waiting.retain(|node| self.nodes[*node].locate(&stream).is_empty());
                times.extend(std::iter::repeat_n(begun.elapsed(), before - waiting.len()));
                assert!(begun.elapsed() < Duration::from_secs(60), "{} nodes never knew it", waiting.len());
            }
        }
        times.sort();
        times
    }
}

fn name(number: usize) -> String {
    format!("node-{number:03}.example")
}

fn count() -> usize {
    std::env::var("HEADWATER_CLUSTER_NODES").ok().and_then(|count| count.parse().ok()).unwrap_or(12)
}

#[tokio::test(start_paused = true)]
async fn simulation_of_many_nodes() {
    let (count, begun) = (count(), std::time::Instant::now());
    let mut world = World::start(count);
    let others = count - 1;
    let all = |node: &Cluster| active(node).len() == others;

    let full = tokio::select! {
        () = world.grow() => unreachable!(),
        time = world.until("all nodes know all others", all) => time,
    };
    let report = |what: &str, value: String| println!("{count} nodes: {what}: {value}");
    report("each knew all others after", format!("{full:?}"));
    tokio::select! {
        () = world.grow() => unreachable!(),
        () = sleep(Duration::from_secs(2)) => {}
    }
    report("bytes a second that a node sends, idle", world.rate(Duration::from_secs(5)).await.to_string());

    let each = 5_000 / count;
    for (number, node) in world.nodes.iter().enumerate() {
        for own in 0..each {
            node.announce(&stream(&format!("live/of-{number}-{own}")), facts(1, 0));
        }
    }
    let loaded = world.until("all know all streams", |node| node.streams().len() == each * count).await;
    report("5,000 streams were known everywhere after", format!("{loaded:?}"));
    report("bytes a second with 5,000 streams", world.rate(Duration::from_secs(5)).await.to_string());

    let spread = world.spread(20).await;
    let at = |share: usize| spread[(spread.len() - 1) * share / 100];
    report("a new stream was known: p50, p99, last", format!("{:?}, {:?}, {:?}", at(50), at(99), at(100)));

    world.is_parted.store(true, Relaxed);
    let half = count / 2;
    let halves = |node: &Cluster| active(node).len() + 1 == if is_first(node, half) { half } else { count - half };
    let parted = world.until("each half is alone", halves).await;
    report("a partition was seen by all after", format!("{parted:?}"));
    // Longer than the gossip keeps the dead.
    sleep(Duration::from_secs(70)).await;
    world.is_parted.store(false, Relaxed);
    let healed = tokio::select! {
        () = world.grow() => unreachable!(),
        time = world.until("all know all again", all) => time,
    };
    let whole = world.until("and all streams", |node| node.streams().len() == each * count + 20).await;
    report("after 70 s it was healed: nodes, streams", format!("{healed:?}, {:?}", healed + whole));

    world.kill().await;
    sleep(Duration::from_millis(500)).await;
    world = World::start(count);
    let again = tokio::select! {
        () = world.grow() => unreachable!(),
        time = world.until("all know all after a restart", all) => time,
    };
    report("all restarted at once knew each other after", format!("{again:?}"));
    assert!(world.nodes.iter().all(|node| node.streams().is_empty()), "a stream of an earlier life is known");
    world.kill().await;
    println!("it took {:?}", begun.elapsed());

    // By the clock of the simulation, so that a busy machine changes nothing.
    assert!(full < Duration::from_secs(5) && again < Duration::from_secs(5), "{full:?} {again:?}");
    assert!(at(50) < Duration::from_millis(500) && at(100) < Duration::from_secs(2), "{:?} {:?}", at(50), at(100));
    assert!(parted < Duration::from_secs(4) && healed < Duration::from_secs(15), "{parted:?} {healed:?}");
}

fn is_first(node: &Cluster, half: usize) -> bool {
    node.node().settings.node < id(&name(half))
}
