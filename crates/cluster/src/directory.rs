//! The nodes and streams that this node knows of. Pure: what comes in are entries, what goes out are answers.

mod access;
mod node;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use headwater_media::{StreamName, limits};
use tokio::{sync::watch, time::Instant};

use crate::{
    Conflict, Load, Location, NodeFacts, NodeId, RemoveError, Role, StreamFacts, followers::Followers,
    guard::VALUE_BYTES_MAX,
};

pub use access::are_keys;
use node::Node;
pub(crate) use node::{About, Entry};

/// All access keys of a stream as they are told, in bytes: the gossip takes no longer entries.
const KEYS_BYTES_MAX: usize = VALUE_BYTES_MAX / 2;

/// What is known, of this node and of the others.
pub(crate) struct Directory {
    id: NodeId,
    role: Role,
    groups: Vec<String>,
    own: BTreeMap<StreamName, StreamFacts>,
    /// The keys of those that need one.
    own_keys: HashMap<StreamName, Vec<String>>,
    load: Load,
    /// Whether nobody new is taken.
    is_closed: bool,
    nodes: BTreeMap<NodeId, Node>,
    /// Where nodes are said to be that have not been seen alive.
    rumours: BTreeMap<NodeId, String>,
    /// Which other nodes that live have a stream.
    places: HashMap<StreamName, BTreeSet<NodeId>>,
    /// Names that this node publishes and of which something has changed elsewhere.
    contested: BTreeSet<StreamName>,
    left_out: u64,
    stream_followers: Followers<StreamName>,
    node_followers: Followers<NodeId>,
}

impl Directory {
    pub(crate) fn new(id: NodeId, role: Role, groups: Vec<String>) -> Directory {
        Directory {
            id,
            role,
            groups,
            own: BTreeMap::new(),
            own_keys: HashMap::new(),
            load: Load::default(),
            is_closed: false,
            nodes: BTreeMap::new(),
            rumours: BTreeMap::new(),
            places: HashMap::new(),
            contested: BTreeSet::new(),
            left_out: 0,
            stream_followers: Followers::default(),
            node_followers: Followers::default(),
        }
    }

    /// What this node has; false if nothing has changed, or if its role does not let it tell of that.
    pub(crate) fn announce(&mut self, stream: &StreamName, mut facts: StreamFacts) -> bool {
        if let Some(keys) = self.own_keys.get(stream).filter(|_| facts.hops == 0) {
            facts.keys.clone_from(keys);
        }
        if !may_announce(self.role, &facts) || self.own.get(stream) == Some(&facts) {
            return false;
        }
        let limit = &limits::CLUSTER_STREAMS_PER_NODE;
        if !self.own.contains_key(stream) && self.own.len() >= limit.get_usize() {
            limit.hit();
            return false;
        }
        self.own.insert(stream.clone(), facts);
        self.contested.insert(stream.clone());
        self.stream_followers.tell(stream);
        true
    }

    pub(crate) fn withdraw(&mut self, stream: &StreamName) -> bool {
        self.contested.remove(stream);
        let was_told = self.own.remove(stream).is_some();
        if was_told {
            self.stream_followers.tell(stream);
        }
        was_told
    }

    pub(crate) fn set_load(&mut self, load: Load) -> bool {
        let load = self.told(load);
        std::mem::replace(&mut self.load, load) != load
    }

    pub(crate) fn load(&self) -> Load {
        self.load
    }

    /// What this node tells of.
    pub(crate) fn own(&self) -> &BTreeMap<StreamName, StreamFacts> {
        &self.own
    }

    /// Takes up what a node that lives tells of itself; false if there is no room for it.
    pub(crate) fn meet(&mut self, id: &NodeId, generation: u64, about: About) -> bool {
        let known = self.nodes.get(id);
        let is_new = known.is_none_or(|node| node.generation != generation || !node.is_live());
        let is_changed = known.is_none_or(|node| node.about != about);
        if known.is_none() && self.nodes.len() >= limits::CLUSTER_NODES.get_usize() && !self.make_room() {
            limits::CLUSTER_NODES.hit();
            return false;
        }
        if is_new {
            self.empty(id);
            self.nodes.insert(id.clone(), Node::new(generation, about));
            self.node_followers.tell(id);
        } else if is_changed && let Some(node) = self.nodes.get_mut(id) {
            node.about = about;
        }
        true
    }

    /// Whether a node of this generation has said that it goes.
    pub(crate) fn has_left(&self, id: &NodeId, generation: u64) -> bool {
        self.nodes.get(id).is_some_and(|node| node.left_generation >= generation)
    }

    /// A node has said that it goes.
    pub(crate) fn leave(&mut self, id: &NodeId, generation: u64, now: Instant) -> bool {
        let Some(node) = self.nodes.get_mut(id) else { return false };
        node.left_generation = node.left_generation.max(generation);
        node.generation <= generation && self.lose(id, now)
    }

    /// A node is not heard of any more.
    pub(crate) fn lose(&mut self, id: &NodeId, now: Instant) -> bool {
        let was_live = self.nodes.get(id).is_some_and(Node::is_live);
        if was_live {
            self.empty(id);
            if let Some(node) = self.nodes.get_mut(id) {
                node.passive_since = Some(now);
            }
            self.node_followers.tell(id);
        }
        was_live
    }

    /// Forgets all entries of a node, before they are told anew.
    pub(crate) fn empty(&mut self, id: &NodeId) {
        let streams = self.nodes.get_mut(id).map(|node| std::mem::take(&mut node.streams)).unwrap_or_default();
        for stream in streams.keys() {
            self.unplace(stream, id);
        }
    }

    /// Takes up an entry of a node that has been met.
    pub(crate) fn put(&mut self, id: &NodeId, entry: Entry) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        match entry {
            Entry::Load(load) => node.load = load,
            Entry::Stream(stream, Some(facts)) => {
                let limit = &limits::CLUSTER_STREAMS_PER_NODE;
                let has_room = node.streams.len() < limit.get_usize() || node.streams.contains_key(&stream);
                if !has_room {
                    limit.hit();
                }
                if !has_room || !may_announce(node.about.role, &facts) {
                    self.left_out = self.left_out.saturating_add(1);
                    return;
                }
                // How it comes is for people; nobody fetches it from elsewhere for that.
                let is_same = |before: &StreamFacts| *before == StreamFacts { way: before.way, ..facts.clone() };
                let is_changed = !node.streams.get(&stream).is_some_and(is_same);
                node.streams.insert(stream.clone(), facts);
                if is_changed {
                    self.stream_followers.tell(&stream);
                }
                if self.own.contains_key(&stream) {
                    self.contested.insert(stream.clone());
                }
                self.places.entry(stream).or_default().insert(id.clone());
            }
            Entry::Stream(stream, None) => {
                if node.streams.remove(&stream).is_some() {
                    self.unplace(&stream, id);
                }
            }
            Entry::Other => self.left_out = self.left_out.saturating_add(1),
        }
    }

    /// Forgets nodes that have been gone for so long; whether there were any.
    pub(crate) fn forget(&mut self, age: std::time::Duration, now: Instant) -> bool {
        let before = self.nodes.len();
        let is_old = |since: Instant| now.saturating_duration_since(since) >= age;
        self.nodes.retain(|_, node| !node.passive_since.is_some_and(is_old));
        self.nodes.len() != before
    }

    pub(crate) fn remove(&mut self, id: &NodeId) -> Result<(), RemoveError> {
        let node = self.nodes.get(id).ok_or(RemoveError::NotFound)?;
        if node.is_live() {
            return Err(RemoveError::Active);
        }
        self.nodes.remove(id);
        Ok(())
    }

    /// Whether another node lives.
    pub(crate) fn is_active(&self, id: &NodeId) -> bool {
        self.nodes.get(id).is_some_and(Node::is_live)
    }

    /// Counts changes of where a stream is from now on.
    pub(crate) fn follow_stream(&mut self, stream: &StreamName) -> watch::Receiver<u64> {
        self.stream_followers.follow(stream)
    }

    /// Counts changes of whether a node lives from now on.
    pub(crate) fn follow_node(&mut self, id: &NodeId) -> watch::Receiver<u64> {
        self.node_followers.follow(id)
    }

    pub(crate) fn nodes(&self) -> Vec<NodeFacts> {
        self.nodes.iter().map(|(id, node)| node.facts(id)).collect()
    }

    /// Names and addresses of the nodes, gone or not, and of those that are said to be there.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&NodeId, &str)> {
        let said = self.rumours.iter().filter(|(id, _)| !self.nodes.contains_key(*id));
        let seen = self.nodes.iter().map(|(id, node)| (id, node.about.url.as_str()));
        seen.chain(said.map(|(id, url)| (id, url.as_str())))
    }

    /// Where a node is that was seen, gone or not.
    pub(crate) fn url_of(&self, id: &NodeId) -> Option<&str> {
        self.nodes.get(id).map(|node| node.about.url.as_str())
    }

    /// Takes note of where nodes are said to be that have not been seen alive.
    pub(crate) fn hear_of(&mut self, rumours: BTreeMap<NodeId, String>) {
        self.rumours = rumours;
    }

    pub(crate) fn streams(&self) -> Vec<(StreamName, NodeId, StreamFacts)> {
        let of = |(id, node): (&NodeId, &Node)| {
            let id = id.clone();
            let one = move |(stream, facts): (&StreamName, &StreamFacts)| (stream.clone(), id.clone(), facts.clone());
            node.streams.iter().map(one).collect::<Vec<_>>()
        };
        let own = self.own.iter().map(|(stream, facts)| (stream.clone(), self.id.clone(), facts.clone()));
        own.chain(self.nodes.iter().flat_map(of)).collect()
    }

    /// Where to fetch a stream, the best first: the owner before others that publish the name, nodes that take new
    /// sessions; those of this node's groups, in their order; those nearest to the publisher; the least loaded.
    pub(crate) fn locate(&self, stream: &StreamName) -> Vec<Location> {
        let Some(places) = self.places.get(stream) else { return Vec::new() };
        let owner = self.owner(stream).map(|(_, owner)| owner);
        let mut found: Vec<_> = places
            .iter()
            .filter_map(|id| {
                let node = self.nodes.get(id)?;
                let facts = node.streams.get(stream)?;
                if is_too_far(facts) || self.comes_through_here(stream, facts) {
                    return None;
                }
                // Who publishes a name that is another's is about to end it, unless that other is just gone.
                let is_late = facts.hops == 0 && owner.is_some_and(|owner| owner != id);
                let load = node.load;
                let rank = self.rank(&node.about.groups);
                let order = (is_late, !load.accepts, rank, facts.hops, load.cpu_permille, load.viewers, id);
                Some((order, node, facts))
            })
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let location =
            |id: &NodeId, node: &Node, facts: &StreamFacts| Location { node: node.facts(id), facts: facts.clone() };
        found.into_iter().map(|((.., id), node, facts)| location(id, node, facts)).collect()
    }

    /// Where to ask for a stream, the best first: where it is, and before those, if none of them is in a group of this
    /// node, a node of such a group that would fetch it and pass it on, so that it comes there once. All nodes choose
    /// the same for a name. One that passes on itself asks only where the stream is, so that two never ask each other.
    pub(crate) fn routes(&self, stream: &StreamName) -> Vec<Location> {
        let mut found = self.locate(stream);
        let Some(best) = found.first().filter(|_| !self.load.passes_on) else { return found };
        let rank = self.rank(&best.node.groups);
        let facts =
            StreamFacts { hops: best.facts.hops.saturating_add(1), from: None, way: None, ..best.facts.clone() };
        let passing = self.nodes.iter().filter(|(id, node)| {
            let is_nearer = self.rank(&node.about.groups) < rank;
            node.is_live()
                && node.load.passes_on
                && node.load.accepts
                && is_nearer
                && !node.streams.contains_key(stream)
                && **id != best.node.id
        });
        let chosen = passing.min_by_key(|(id, node)| (self.rank(&node.about.groups), lot(stream, id)));
        if let Some((id, node)) = chosen.filter(|_| !is_too_far(&facts)) {
            found.insert(0, Location { node: node.facts(id), facts });
        }
        found
    }

    /// Of which of this node's names that have changed another is the owner; of all if `again`.
    pub(crate) fn conflicts(&mut self, again: bool) -> Vec<Conflict> {
        let contested = std::mem::take(&mut self.contested);
        if again {
            self.own.keys().filter_map(|stream| self.conflict(stream)).collect()
        } else {
            contested.iter().filter_map(|stream| self.conflict(stream)).collect()
        }
    }

    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    fn conflict(&self, stream: &StreamName) -> Option<Conflict> {
        let own = self.own.get(stream).filter(|facts| facts.hops == 0)?;
        let (published_ms, owner) = self.owner(stream)?;
        let is_lost = (published_ms, owner) < (own.published_ms, &self.id);
        is_lost.then(|| Conflict { stream: stream.clone(), owner: owner.clone(), published_ms })
    }

    /// Who published a stream first of those that publish it, this node included.
    fn owner(&self, stream: &StreamName) -> Option<(u64, &NodeId)> {
        let others = self.places.get(stream).into_iter().flatten();
        let others = others.filter_map(|id| Some((self.nodes.get(id)?.streams.get(stream)?, id)));
        let own = self.own.get(stream).map(|facts| (facts, &self.id));
        let publishers = others.chain(own).filter(|(facts, _)| facts.hops == 0);
        publishers.map(|(facts, id)| (facts.published_ms, id)).min()
    }

    /// Whether a node has a stream, as far as is known, from this one, be it through others.
    fn comes_through_here(&self, stream: &StreamName, facts: &StreamFacts) -> bool {
        let mut from = facts.from.as_ref();
        for _ in 0..=limits::CLUSTER_HOPS.get() {
            let Some(id) = from else { return false };
            if *id == self.id {
                return true;
            }
            from = self.nodes.get(id).and_then(|node| node.streams.get(stream)?.from.as_ref());
        }
        false
    }

    /// What a node tells of a stream, this one or another that lives.
    pub(crate) fn facts_of(&self, id: &NodeId, stream: &StreamName) -> Option<StreamFacts> {
        let streams = if *id == self.id { &self.own } else { &self.nodes.get(id)?.streams };
        streams.get(stream).cloned()
    }

    /// How far the groups of a node are from this one's; nodes without a group are a group.
    fn rank(&self, groups: &[String]) -> usize {
        if self.groups.is_empty() && groups.is_empty() {
            return 0;
        }
        self.groups.iter().position(|group| groups.contains(group)).unwrap_or(usize::MAX)
    }

    fn unplace(&mut self, stream: &StreamName, id: &NodeId) {
        self.stream_followers.tell(stream);
        if let Some(places) = self.places.get_mut(stream) {
            places.remove(id);
            if places.is_empty() {
                self.places.remove(stream);
            }
        }
    }

    /// Forgets the node that is gone the longest; false if there is none.
    fn make_room(&mut self) -> bool {
        let gone = self.nodes.iter().filter_map(|(id, node)| Some((node.passive_since?, id.clone()))).min();
        gone.is_some_and(|(_, id)| self.nodes.remove(&id).is_some())
    }
}

/// What a node may tell of by its role: a transcoder of nothing, an edge only of what it has from another node.
fn may_announce(role: Role, facts: &StreamFacts) -> bool {
    let is_bounded = u64::from(facts.hops) <= limits::CLUSTER_HOPS.get() && are_keys(&facts.keys);
    is_bounded
        && match role {
            Role::Origin => true,
            Role::Edge => facts.hops > 0,
            Role::Transcoder => false,
        }
}

/// Spreads streams over nodes, alike on all nodes of one version.
fn lot(stream: &StreamName, id: &NodeId) -> u64 {
    let mut hasher = DefaultHasher::new();
    (stream.as_str(), id.as_str()).hash(&mut hasher);
    hasher.finish()
}

/// Whether who fetched it from there would be too many nodes from the publisher.
fn is_too_far(facts: &StreamFacts) -> bool {
    u64::from(facts.hops) >= limits::CLUSTER_HOPS.get()
}

#[cfg(test)]
mod tests;
