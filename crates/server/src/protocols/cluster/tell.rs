//! Tells the cluster which streams are published here and how busy this server is, and ends what is another's.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use headwater_cluster::{Cluster, Load, StreamFacts};
use headwater_graph::{Event, Hub, Stream, StreamState};
use headwater_media::StreamName;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Context;
use crate::figures::ProcessorShare;

/// How often it is told how busy this server is, and looked whether all that was told of streams is true.
const TELL_TIME: Duration = Duration::from_secs(1);
/// How long a name must be another node's before its publisher here is ended: longer than it takes to find out that a
/// node is gone, as its publisher may just have come here from there.
const DOUBT_TIME: Duration = Duration::from_secs(5);

pub(super) fn start(context: &Context, cluster: &Cluster) {
    context.spawn(tell_streams(context.hub.clone(), cluster.clone()));
    context.spawn(tell_load(context.hub.clone(), cluster.clone()));
    context.spawn(yield_names(context.hub.clone(), cluster.clone()));
}

/// Follows what happens to the streams of this server. What the events leave out, being too many, the look at all
/// streams finds.
async fn tell_streams(hub: Hub, cluster: Cluster) {
    let mut events = hub.events();
    let mut look = interval(TELL_TIME);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: HashSet<StreamName> = HashSet::new();
    loop {
        tokio::select! {
            event = events.next() => match event {
                None => return,
                Some(Event::Published { stream, .. } | Event::Resumed { stream, .. }) => {
                    if let Some(found) = hub.find(&stream).filter(is_own) {
                        cluster.announce(&stream, facts(&found));
                        told.insert(stream);
                    }
                }
                Some(Event::Paused { stream } | Event::Unpublished { stream, .. }) => {
                    cluster.withdraw(&stream);
                    told.remove(&stream);
                }
                Some(_) => {}
            },
            _ = look.tick() => told = tell_all(&hub, &cluster, &told),
        }
    }
}

/// Tells of all streams, and takes back what was told of others; gives what is told now.
fn tell_all(hub: &Hub, cluster: &Cluster, told: &HashSet<StreamName>) -> HashSet<StreamName> {
    let own: Vec<_> = hub.streams().into_iter().filter(is_own).collect();
    let names: HashSet<_> = own.iter().map(|stream| stream.name().clone()).collect();
    for stream in &own {
        cluster.announce(stream.name(), facts(stream));
    }
    told.difference(&names).for_each(|name| cluster.withdraw(name));
    names
}

/// Whether a stream has its publisher here, now.
fn is_own(stream: &Arc<Stream>) -> bool {
    stream.state() == StreamState::Live && stream.source().server.is_none()
}

fn facts(stream: &Stream) -> StreamFacts {
    let since = stream.created().duration_since(UNIX_EPOCH).unwrap_or_default();
    StreamFacts { published_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), ..StreamFacts::default() }
}

async fn tell_load(hub: Hub, cluster: Cluster) {
    let mut share = ProcessorShare::new(Instant::now().into_std());
    let mut tick = interval(TELL_TIME);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = tick.tick().await.into_std();
        let viewers = hub.streams().iter().map(|stream| stream.viewer_count() as u64).sum();
        cluster.set_load(Load { viewers, cpu_permille: share.permille(now), ..Load::default() });
    }
}

/// Ends publishers here whose names belong to another node, which had them first.
async fn yield_names(hub: Hub, cluster: Cluster) {
    let mut conflicts = cluster.conflicts();
    // Since when and until when they were told of; those that last are told again every few seconds.
    let mut doubted = HashMap::new();
    loop {
        let conflict = match conflicts.recv().await {
            Ok(conflict) => conflict,
            // They are told again.
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => continue,
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        };
        // Its publisher may have come here from there, as it is gone. If it is not, the conflict is told again.
        if !cluster.is_linked(&conflict.owner) {
            doubted.remove(&conflict.stream);
            continue;
        }
        let now = Instant::now();
        doubted.retain(|_, (_, last): &mut (Instant, Instant)| now.duration_since(*last) < DOUBT_TIME * 2);
        let (since, last) = doubted.entry(conflict.stream.clone()).or_insert((now, now));
        *last = now;
        let since = *since;
        let Some(stream) = hub.find(&conflict.stream).filter(is_own) else { continue };
        if now.duration_since(since) >= DOUBT_TIME {
            let (name, owner) = (&conflict.stream, &conflict.owner);
            tracing::warn!(stream = %name, %owner, "a publisher is ended: the name was taken before on another server");
            stream.terminate(&format!("the name {name} is being published on the server {owner}, which had it first"));
        }
    }
}
