//! Tells the cluster which streams are published here and how busy this server is, and ends what is another's.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use headwater_cluster::{Cluster, Load, NodeId, StreamFacts, Way};
use headwater_graph::{Event, Hub, Stream, StreamState};
use headwater_media::StreamName;
use headwater_relay::Relays;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Context,
    way::{has_changed, way_of},
};
use crate::figures::ProcessorShare;

/// How often it is told how busy this server is, and looked whether all that was told of streams is true.
const TELL_TIME: Duration = Duration::from_secs(1);
/// So many looks at streams pass between two at how they come.
const LOOKS_PER_WAY: u64 = 5;
/// How long a name must be another node's before its publisher here is ended: its publisher may just have come here from
/// there, and that it has is told a moment later. Longer than [`Cluster::hears`] takes to find out that a node is gone.
const DOUBT_TIME: Duration = Duration::from_secs(2);

pub(super) fn start(context: &Context, cluster: &Cluster, passes_on: bool) {
    let relays = context.offered.get::<Relays>().filter(|_| passes_on).cloned();
    context.spawn(Teller::new(context.hub.clone(), cluster.clone(), relays).run());
    context.spawn(tell_load(context.hub.clone(), cluster.clone(), passes_on));
    context.spawn(yield_names(context.hub.clone(), cluster.clone()));
}

/// Tells of the streams of this server, and of those that it passes on.
struct Teller {
    hub: Hub,
    cluster: Cluster,
    /// Where streams are passed on.
    relays: Option<Relays>,
    told: HashSet<StreamName>,
    /// How those come that are passed on, as it was told last.
    ways: HashMap<StreamName, Way>,
    looks: u64,
}

impl Teller {
    fn new(hub: Hub, cluster: Cluster, relays: Option<Relays>) -> Teller {
        Teller { hub, cluster, relays, told: HashSet::new(), ways: HashMap::new(), looks: 0 }
    }

    /// Follows what happens to streams. What the events leave out, being too many, the look at all streams finds.
    async fn run(mut self) {
        let mut events = self.hub.events();
        let mut look = interval(TELL_TIME);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    None => return,
                    Some(Event::Published { stream, .. } | Event::Resumed { stream, .. }) => self.tell(&stream),
                    Some(Event::Paused { stream } | Event::Unpublished { stream, .. }) => {
                        self.cluster.withdraw(&stream);
                        self.told.remove(&stream);
                    }
                    Some(_) => {}
                },
                _ = look.tick() => self.tell_all(),
            }
        }
    }

    fn tell(&mut self, name: &StreamName) {
        if let Some(facts) = self.hub.find(name).and_then(|stream| self.facts(&stream)) {
            self.cluster.announce(name, facts);
            self.told.insert(name.clone());
        }
    }

    /// Tells of all streams, and takes back what was told of others.
    fn tell_all(&mut self) {
        if self.looks.is_multiple_of(LOOKS_PER_WAY) {
            self.look_at_ways();
        }
        self.looks = self.looks.wrapping_add(1);
        let told: HashSet<_> = self
            .hub
            .streams()
            .iter()
            .filter_map(|stream| {
                self.cluster.announce(stream.name(), self.facts(stream)?);
                Some(stream.name().clone())
            })
            .collect();
        self.told.difference(&told).for_each(|name| self.cluster.withdraw(name));
        self.told = told;
    }

    /// What is told of a stream, if anything is: it is live, and published here or passed on.
    fn facts(&self, stream: &Arc<Stream>) -> Option<StreamFacts> {
        if is_own(stream) {
            return Some(own_facts(stream));
        }
        let source = stream.source();
        let from = NodeId::new(source.server.as_deref().filter(|_| self.relays.is_some())?).ok()?;
        if stream.state() != StreamState::Live {
            return None;
        }
        let there = self.cluster.facts_of(&from, stream.name())?;
        let way = self.ways.get(stream.name()).copied();
        Some(StreamFacts { hops: there.hops.saturating_add(1), from: Some(from), way, ..there })
    }

    /// Takes note of how streams come that are passed on. What hardly changes stays as it was told.
    fn look_at_ways(&mut self) {
        let Some(relays) = &self.relays else { return };
        let now = relays.pulls().into_iter().filter_map(|pull| {
            let now = way_of(&pull)?;
            let told = self.ways.get(&pull.name).copied().filter(|told| !has_changed(*told, now));
            Some((pull.name, told.unwrap_or(now)))
        });
        self.ways = now.collect();
    }
}

/// Whether a stream has its publisher here, now.
fn is_own(stream: &Arc<Stream>) -> bool {
    stream.state() == StreamState::Live && stream.source().server.is_none()
}

fn own_facts(stream: &Stream) -> StreamFacts {
    let since = stream.created().duration_since(UNIX_EPOCH).unwrap_or_default();
    StreamFacts { published_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), ..StreamFacts::default() }
}

async fn tell_load(hub: Hub, cluster: Cluster, passes_on: bool) {
    let mut share = ProcessorShare::new(Instant::now().into_std());
    let mut tick = interval(TELL_TIME);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = tick.tick().await.into_std();
        let viewers = hub.streams().iter().map(|stream| stream.viewer_count() as u64).sum();
        cluster.set_load(Load { viewers, cpu_permille: share.permille(now), passes_on, ..Load::default() });
    }
}

/// A name that is said to be another node's.
struct Doubt {
    /// Since when and until when that was told, all the time while the other was heard; what lasts is told again and again.
    since: Instant,
    last: Instant,
    /// Counts whether the other can be reached.
    reach: watch::Receiver<u64>,
}

/// Ends publishers here whose names belong to another node, which had them first.
async fn yield_names(hub: Hub, cluster: Cluster) {
    let mut conflicts = cluster.conflicts();
    let mut doubted: HashMap<StreamName, Doubt> = HashMap::new();
    loop {
        let conflict = match conflicts.recv().await {
            Ok(conflict) => conflict,
            // They are told again.
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => continue,
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        };
        // Its publisher may have come here from there, as it is gone. If it is not, the conflict is told again.
        if !cluster.hears(&conflict.owner) {
            doubted.remove(&conflict.stream);
            continue;
        }
        let now = Instant::now();
        doubted.retain(|_, doubt| now.duration_since(doubt.last) < DOUBT_TIME * 2);
        let begins = || Doubt { since: now, last: now, reach: cluster.follow_node(&conflict.owner) };
        let doubt = doubted.entry(conflict.stream.clone()).or_insert_with(begins);
        if doubt.reach.has_changed().unwrap_or(true) {
            // It was gone and has come back: until it is told of its publisher's leaving, it says what was before.
            *doubt = begins();
        }
        doubt.last = now;
        let since = doubt.since;
        let Some(stream) = hub.find(&conflict.stream).filter(is_own) else { continue };
        if now.duration_since(since) >= DOUBT_TIME {
            let (name, owner) = (&conflict.stream, &conflict.owner);
            tracing::warn!(stream = %name, %owner, "a publisher is ended: the name was taken before on another server");
            stream.terminate(&format!("the name {name} is being published on the server {owner}, which had it first"));
        }
    }
}
