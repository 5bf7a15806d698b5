//! The keys of streams: set here for those that are published here, learned from the cluster for the others.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use headwater_access::{AccessLists, Secret};
use headwater_cluster::{Cluster, are_keys};
use headwater_control::{AccessListing, KeyChange, NoKeys};
use headwater_graph::{Event, Hub, Stream, StreamState};
use headwater_media::{StreamName, limits};
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Time between two looks at what no event has told of.
const LOOK_TIME: Duration = Duration::from_secs(1);
/// The shortest time between two looks, as of hundreds of nodes something changes all the time.
const REST: Duration = Duration::from_millis(20);

/// Who may watch which stream, on this server. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Lists(Arc<Inner>);

struct Inner {
    gate: AccessLists,
    hub: Hub,
    cluster: OnceLock<Cluster>,
    /// The streams whose lists were made here, and since when they are published: published anew, they have none.
    own: Mutex<HashMap<StreamName, SystemTime>>,
}

impl Lists {
    pub(crate) fn new(gate: AccessLists, hub: Hub) -> Lists {
        Lists(Arc::new(Inner { gate, hub, cluster: OnceLock::new(), own: Mutex::default() }))
    }

    /// Shares the lists with these servers. The first call counts.
    pub(crate) fn set_cluster(&self, cluster: Cluster) {
        let _ = self.0.cluster.set(cluster);
    }

    /// The parameter by which viewers bring their keys.
    pub(crate) fn parameter(&self) -> Arc<str> {
        self.0.gate.parameter()
    }

    /// Keeps them as they are to be, without end.
    pub(crate) async fn follow(self) {
        let mut events = self.0.hub.events();
        let mut changes = self.0.cluster.get().map(Cluster::changes);
        let mut look = interval(LOOK_TIME);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let changed = async {
                let Some(changes) = &mut changes else { return std::future::pending().await };
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                event = events.next() => match event {
                    None => return,
                    Some(Event::Published { .. } | Event::Unpublished { .. }) => {}
                    Some(_) => continue,
                },
                () = changed => {}
                _ = look.tick() => {}
            }
            self.look();
            sleep(REST).await;
        }
    }

    fn look(&self) {
        let mut own = self.0.own.lock();
        own.retain(|name, since| {
            let stays = self.find_own(name).is_some_and(|stream| stream.created() == *since);
            if !stays {
                self.set(name, &[]);
            }
            stays
        });
        let restricted = self.0.cluster.get().map(Cluster::restricted).unwrap_or_default();
        for (name, keys) in &restricted {
            if self.find_own(name).is_none() {
                self.0.gate.set(name, secrets(keys));
            }
        }
        // Of a stream that is still here while its server cannot be reached, the keys are those that were told last.
        let is_over = |name: &StreamName| self.0.hub.find(name).is_none() || self.is_open_elsewhere(name);
        for name in self.0.gate.streams() {
            if !own.contains_key(&name) && !restricted.contains_key(&name) && is_over(&name) {
                self.0.gate.set(&name, []);
            }
        }
    }

    fn is_open_elsewhere(&self, name: &StreamName) -> bool {
        let found = self.0.cluster.get().map(|cluster| cluster.locate(name)).unwrap_or_default();
        found.iter().any(|location| location.facts.hops == 0)
    }

    fn find_own(&self, name: &StreamName) -> Option<Arc<Stream>> {
        let is_own = |stream: &Arc<Stream>| stream.source().server.is_none() && stream.state() != StreamState::Ended;
        self.0.hub.find(name).filter(is_own)
    }

    /// A stream that is published here has these keys, on all servers.
    fn set(&self, name: &StreamName, keys: &[String]) {
        self.0.gate.set(name, secrets(keys));
        if let Some(cluster) = self.0.cluster.get() {
            cluster.restrict(name, keys.to_vec());
        }
    }

    fn list(&self, name: &StreamName) -> Vec<String> {
        self.0.gate.get(name).iter().map(|key| key.reveal().to_owned()).collect()
    }

    fn absent(&self, name: &StreamName) -> NoKeys {
        let found = self.0.cluster.get().map(|cluster| cluster.locate(name)).unwrap_or_default();
        let owner = found.into_iter().find(|location| location.facts.hops == 0);
        owner.map_or(NoKeys::NoStream, |owner| NoKeys::Elsewhere(owner.node.id.into()))
    }
}

impl AccessListing for Lists {
    fn change(&self, name: &StreamName, change: KeyChange) -> Result<(), NoKeys> {
        let mut own = self.0.own.lock();
        let stream = self.find_own(name).ok_or_else(|| self.absent(name))?;
        let is_current = own.get(name) == Some(&stream.created());
        let mut keys = if is_current { self.list(name) } else { Vec::new() };
        match change {
            KeyChange::Add(more) => {
                check(&more)?;
                for key in more {
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
            }
            KeyChange::Remove(less) => keys.retain(|key| !less.contains(key)),
            KeyChange::Open => keys.clear(),
        }
        if !are_keys(&keys) {
            let most = limits::CLUSTER_STREAM_KEYS.get();
            return Err(NoKeys::BadKeys(format!(
                "a stream may have at most {most} keys, each of at most 256 letters, and 10 KiB in all"
            )));
        }
        if keys.is_empty() {
            own.remove(name);
        } else {
            own.insert(name.clone(), stream.created());
        }
        self.set(name, &keys);
        Ok(())
    }

    fn keys(&self, name: &StreamName) -> Result<Vec<String>, NoKeys> {
        let is_known = || self.0.cluster.get().is_some_and(|cluster| !cluster.locate(name).is_empty());
        if self.0.hub.find(name).is_none() && !is_known() {
            return Err(NoKeys::NoStream);
        }
        Ok(self.list(name))
    }
}

fn secrets(keys: &[String]) -> impl Iterator<Item = Secret> + '_ {
    keys.iter().map(Secret::new)
}

fn check(keys: &[String]) -> Result<(), NoKeys> {
    let is_good = |key: &String| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    match keys.iter().all(is_good) {
        true => Ok(()),
        false => Err(NoKeys::BadKeys("a key is empty, or has other characters than those of ASCII that print".into())),
    }
}
